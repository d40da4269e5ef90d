"""What all assets share: partitions, owners, retries, pools.

Belongs here: constants of the asset graph. Does not belong here: any asset or logic.
"""

import dagster as dg

OWNERS = ["team:security-data"]

# The hour of arrival. `end_offset=1`: the hour that is still filling can be materialised too.
HOURS = dg.HourlyPartitionsDefinition(start_date="2025-01-01-00:00", end_offset=1)

# Bounded: a long backfill becomes many runs, so that one bad hour fails alone.
HOUR_BACKFILLS = dg.BackfillPolicy.multi_run(max_partitions_per_run=1)

RETRIES = dg.RetryPolicy(
    max_retries=3, delay=5, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
)

# One writer at a time: chDB opens a folder from one process, the index has one pointer.
TABLES_POOL = "event_tables"
KNOWLEDGE_POOL = "class_index"
