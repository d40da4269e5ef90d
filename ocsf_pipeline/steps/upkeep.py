"""Which finished runs may be forgotten.

Belongs here: the choice. Does not belong here: asking for runs and deleting them (`defs.upkeep`).

Dagster deletes ticks by age, but a run's events only with the run, and with them what the run says
of its partition. So the newest success of each partition stays, however old.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class FinishedRun:
    """A run that is over."""

    run_id: str
    work: Hashable
    """What it did: equal for runs of one job, partition and selection."""
    is_success: bool
    ended_at: datetime


def choose_runs_to_forget(runs: Iterable[FinishedRun], before: datetime) -> list[str]:
    """Return the ids of runs that ended before `before` and say nothing that is still in force."""
    newest: dict[Hashable, FinishedRun] = {}
    old: list[FinishedRun] = []
    for run in runs:
        if run.is_success:
            known = newest.get(run.work)
            if known is None or run.ended_at > known.ended_at:
                newest[run.work] = run
        if run.ended_at < before:
            old.append(run)
    in_force = {run.run_id for run in newest.values()}
    return [run.run_id for run in old if run.run_id not in in_force]
