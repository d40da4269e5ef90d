"""Upkeep of Dagster's own records: old runs are forgotten once a day.

Belongs here: the job and its schedule. Does not belong here: which runs may go (`steps.upkeep`).
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg

from ocsf_pipeline.settings import Settings
from ocsf_pipeline.steps.upkeep import FinishedRun, choose_runs_to_forget

_PAGE_RUNS = 500
_FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def list_finished_runs(instance: dg.DagsterInstance) -> Iterator[FinishedRun]:
    """Yield all runs that are over, newest first, a page at a time."""
    cursor: str | None = None
    while True:
        page = instance.get_run_records(
            dg.RunsFilter(statuses=_FINISHED), limit=_PAGE_RUNS, cursor=cursor
        )
        for record in page:
            run = record.dagster_run
            work = (run.job_name, run.tags.get("dagster/partition"), run.asset_selection)
            ended_at = record.update_timestamp.replace(tzinfo=UTC)
            if record.end_time is not None:
                ended_at = datetime.fromtimestamp(record.end_time, UTC)
            yield FinishedRun(run.run_id, work, run.is_success, ended_at)
        if len(page) < _PAGE_RUNS:
            return
        cursor = page[-1].dagster_run.run_id


def forget_runs(instance: dg.DagsterInstance, before: datetime) -> int:
    """Delete runs that ended before `before` and say nothing in force; return how many."""
    old = choose_runs_to_forget(list_finished_runs(instance), before)
    for run_id in old:
        instance.delete_run(run_id)
    return len(old)


@dg.op(description="Deletes runs that ended long ago, except the newest success of each partition.")
def forget_old_runs(context: dg.OpExecutionContext, settings: dg.ResourceParam[Settings]) -> int:
    """Return how many runs were deleted; their events and logs go with them."""
    if not settings.keep_runs_days:
        return 0
    before = datetime.now(UTC) - timedelta(days=settings.keep_runs_days)
    count = forget_runs(context.instance, before)
    context.log.info(f"{count} runs that ended before {before:%Y-%m-%d} were deleted")
    return count


@dg.job(description="Keeps Dagster's database from growing for ever.")
def upkeep_job() -> None:
    """Forget old runs."""
    forget_old_runs()


daily_upkeep = dg.ScheduleDefinition(
    name="daily_upkeep",
    description="Deletes runs older than OCSF_PIPELINE_KEEP_RUNS_DAYS, every night.",
    job=upkeep_job,
    cron_schedule="47 3 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
