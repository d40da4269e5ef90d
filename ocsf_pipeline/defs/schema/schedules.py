"""Schedules of the stage `schema`: a daily look whether the schema changed."""

import dagster as dg

from ocsf_pipeline.defs.jobs import knowledge_job

daily_schema_check = dg.ScheduleDefinition(
    name="daily_schema_check",
    description="Fetches the configured OCSF release every day and rebuilds what it changes.",
    job=knowledge_job,
    cron_schedule="17 4 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.STOPPED,
)
