"""Schedules of the stage `knowledge`: an hourly look whether others changed the knowledge base."""

import dagster as dg

from ocsf_pipeline.defs.jobs import drift_job
from ocsf_pipeline.settings import Settings


@dg.schedule(
    job=drift_job, cron_schedule="37 * * * *", execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Looks every hour whether the Trieve dataset still holds what was put into it.",
)  # fmt: skip
def hourly_drift_check(
    context: dg.ScheduleEvaluationContext, settings: dg.ResourceParam[Settings]
) -> dg.RunRequest | dg.SkipReason:
    """Request the check where others can reach the knowledge base."""
    if not settings.trieve_base_url:
        return dg.SkipReason("nobody but the pipeline writes the embedded index")
    return dg.RunRequest()
