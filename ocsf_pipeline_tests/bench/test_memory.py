"""The most memory that a process held is its own, not its parent's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ocsf_pipeline.bench.memory import read_peak_rss_bytes

_TELL = "from ocsf_pipeline.bench.memory import read_peak_rss_bytes; print(read_peak_rss_bytes())"
_PARENT = f"""
import subprocess, sys
held = b"x" * (300 << 20)
subprocess.run([sys.executable, "-c", {_TELL!r}], check=True)
del held
print(read_peak_rss_bytes(), flush=True)
"""


def test_a_process_tells_what_it_held_itself_and_after_it_is_freed() -> None:
    script = _TELL.partition(";")[0] + _PARENT
    done = subprocess.run(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=True
    )
    child, parent = map(int, done.stdout.split())
    assert parent > 300 << 20
    if Path("/proc/self/status").exists():
        assert 1 << 20 < child < 150 << 20


@pytest.mark.parametrize("proc", [True, False])
def test_this_process_is_told_with_and_without_proc(
    proc: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not proc:
        monkeypatch.setattr(Path, "exists", lambda _self: False)
    peak = read_peak_rss_bytes()
    assert peak is not None
    assert peak > 20 << 20


def test_another_process_is_not_guessed_without_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "exists", lambda _self: False)
    assert read_peak_rss_bytes(os.getpid()) is None
