"""Schedules of the stage `logs`: every hour, the hour that ended.

For stores that cannot be watched; with the sensor running it finds its work done and skips it.
"""

import dagster as dg

from ocsf_pipeline.defs.jobs import hour_job

hourly_logs = dg.build_schedule_from_partitioned_job(
    hour_job,
    name="hourly_logs",
    description="Materialises the hour that ended, ten minutes after its end.",
    minute_of_hour=10,
)
