"""Schedules of the stage `schema`: a daily look whether the schema changed."""

import dagster as dg

daily_schema_check = dg.ScheduleDefinition(
    name="daily_schema_check",
    description="Fetches the configured OCSF release every day and rebuilds what it changes.",
    target=dg.AssetSelection.assets("ocsf_schema", "class_chunks", "labelled_examples",
                                    "knowledge_base", "class_ranker", "analyst_views"),
    cron_schedule="17 4 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.STOPPED,
)  # fmt: skip
