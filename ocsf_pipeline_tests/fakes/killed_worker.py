"""A process that runs an hour and dies at a chosen call, as `kill -9` would make it.

Run as: python killed_worker.py FOLDER POINT NUMBER, where POINT is one of POINTS and NUMBER says at
which call of it to die, before the call (even) or after it (odd: number // 2).
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg

from ocsf_pipeline.adapters.clickhouse import ClickHouseTables
from ocsf_pipeline.adapters.clickhouse_hours import ClickHouseHourWriter
from ocsf_pipeline.adapters.object_store import ObstoreObjects
from ocsf_pipeline_tests.fakes.pipeline import HOUR, ChosenPacks, build_pipeline

POINTS: dict[str, tuple[type, str]] = {
    "artefact": (ObstoreObjects, "write_object"),
    "rows": (ClickHouseHourWriter, "write_rows"),
    "commit": (ClickHouseHourWriter, "commit"),
    "templates": (ClickHouseTables, "upsert_templates"),
}


def die_at(owner: type, name: str, number: int) -> None:
    """Replace a method by one that kills this process around its `number // 2`-th call."""
    real: Callable[..., Any] = getattr(owner, name)
    calls = 0

    def deadly(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        is_due = calls == number // 2
        calls += 1
        if is_due and number % 2 == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*args, **kwargs)
        if is_due:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, deadly)


def main() -> None:
    folder, point, number = sys.argv[1:4]
    pipeline = build_pipeline(Path(folder), ChosenPacks(()))
    die_at(*POINTS[point], int(number))
    with dg.DagsterInstance.ephemeral() as instance:
        pipeline.run("hour_job", instance, HOUR)


if __name__ == "__main__":
    main()
