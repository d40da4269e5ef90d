"""How the libraries' threads wait, seen in fresh interpreters."""

import os
import subprocess
import sys

import pytest

ASK_OPENMP = """
import ocsf_pipeline
import torch
torch.set_num_threads(2)
print(torch.ones(300, 300).matmul(torch.ones(300, 300)).sum().item())
"""
GIVEN = [({}, "passive"), ({"OMP_WAIT_POLICY": "active"}, "active")]


@pytest.mark.parametrize(("given", "wanted"), GIVEN)
def test_waiting_threads_sleep_unless_the_environment_says_otherwise(
    given: dict[str, str], wanted: str
) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OMP_")}
    done = subprocess.run(
        [sys.executable, "-c", ASK_OPENMP],
        capture_output=True,
        text=True,
        env={**kept, **given, "OMP_DISPLAY_ENV": "true"},
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.strip().splitlines()[-1]) == 300.0**3
    said = f"OMP_WAIT_POLICY = '{wanted.upper()}'"
    assert said in done.stderr, "torch's own OpenMP has read it"
