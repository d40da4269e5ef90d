"""What this process does with freed memory and settled objects, seen in fresh interpreters."""

import gc
import os
import subprocess
import sys

from ocsf_pipeline.memory import spare_settled_objects

ASK_CHDB = """
import ocsf_pipeline
import chdb
said = str(chdb.query("SELECT * FROM system.jemalloc_stats", "TSVRaw"))
print([line.split()[1] for line in said.splitlines() if "opt.dirty_decay_ms" in line][0])
"""
ASK_ENVIRONMENT = "import ocsf_pipeline, os; print(os.environ['JE_MALLOC_CONF'])"


def run(code: str, **environment: str) -> str:
    kept = {name: value for name, value in os.environ.items() if "MALLOC" not in name}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**kept, **environment}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_chdb_keeps_what_it_freed_for_half_a_minute() -> None:
    assert run(ASK_CHDB) == "30000"


def test_what_the_environment_says_is_left_alone() -> None:
    assert run(ASK_ENVIRONMENT, JE_MALLOC_CONF="dirty_decay_ms:1") == "dirty_decay_ms:1"


def test_the_collector_passes_over_what_was_there_and_sees_it_again() -> None:
    before = gc.get_freeze_count()
    with spare_settled_objects():
        assert gc.get_freeze_count() > before
    assert gc.get_freeze_count() == 0
