"""Which runs may be forgotten."""

from datetime import UTC, datetime, timedelta

from ocsf_pipeline.steps.upkeep import FinishedRun, choose_runs_to_forget

NOW = datetime(2026, 11, 23, tzinfo=UTC)
CUTOFF = NOW - timedelta(days=90)


def run(run_id: str, work: str, days_ago: int, *, is_success: bool = True) -> FinishedRun:
    return FinishedRun(run_id, work, is_success, NOW - timedelta(days=days_ago))


def test_the_newest_success_of_each_work_stays_however_old() -> None:
    runs = [
        run("old", "hour 1", 300),
        run("in force", "hour 1", 200),
        run("failed later", "hour 1", 150, is_success=False),
        run("replaced", "hour 2", 300),
        run("replacement", "hour 2", 1),
        run("failed lately", "hour 2", 2, is_success=False),
        run("never succeeded", "hour 3", 100, is_success=False),
    ]
    assert choose_runs_to_forget(runs, CUTOFF) == [
        "old", "failed later", "replaced", "never succeeded",
    ]  # fmt: skip


def test_nothing_recent_is_forgotten() -> None:
    assert choose_runs_to_forget([run("a", "x", 1), run("b", "x", 2)], CUTOFF) == []
