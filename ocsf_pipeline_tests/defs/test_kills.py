"""An hour killed at each of its writes, then run again: the same rows, once."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from ocsf_pipeline_tests.fakes import killed_worker
from ocsf_pipeline_tests.fakes.pipeline import HOUR, Pipeline, make_duo_lines, make_ssh_lines

_ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("point", "number"),
    [
        ("artefact", 1),  # after the first batch of the first object
        ("artefact", 6),  # before a later object's batch
        ("rows", 2),  # between two inserts
        ("commit", 0),  # everything staged, nothing visible
        ("commit", 1),  # visible, not yet recorded
        ("templates", 1),
    ],
)
def test_a_killed_hour_ends_up_whole(
    pipeline: Pipeline, instance: dg.DagsterInstance, point: str, number: int
) -> None:
    pipeline.drop("duo.ndjson", make_duo_lines(12))
    pipeline.drop("ssh.log", make_ssh_lines(30))
    killed = subprocess.run(
        [sys.executable, killed_worker.__file__, str(pipeline.folder), point, str(number)],
        cwd=_ROOT, env={"PYTHONPATH": str(_ROOT), "PATH": "/usr/bin:/bin"}, check=False,
        capture_output=True, timeout=120,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()[-2_000:]

    pipeline.run("hour_job", instance, HOUR)
    rows = pipeline.tables.run_query("SELECT event_uid FROM events ORDER BY event_uid")
    assert len(rows) == 42
    assert rows["event_uid"].is_unique().all()
    batches = pipeline.tables.run_query("SELECT read_count FROM batches ORDER BY object_key")
    assert batches["read_count"].to_list() == [12, 30]
    leftovers = pipeline.tables.run_query(
        "SELECT name FROM system.tables WHERE name LIKE '\\_staging%'"
    )
    assert leftovers.is_empty()
