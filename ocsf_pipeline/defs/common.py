"""What all assets share: partitions, owners, retries, pools.

Belongs here: constants of the asset graph. Does not belong here: any asset or logic.
"""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import dagster as dg

from ocsf_pipeline.ports import TransientPortError

Given = ParamSpec("Given")
Result = TypeVar("Result")

OWNERS = ["team:security-data"]

# The hour of arrival. `end_offset=1`: the hour that is still filling can be materialised too.
HOURS = dg.HourlyPartitionsDefinition(start_date="2025-01-01-00:00", end_offset=1)

# Bounded: a long backfill becomes many runs, so that one bad hour fails alone.
HOUR_BACKFILLS = dg.BackfillPolicy.multi_run(max_partitions_per_run=1)

RETRIES = dg.RetryPolicy(
    max_retries=3, delay=5, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
)

# For what asks the knowledge base: a server that restarts is waited for, a quarter of an hour.
INDEX_RETRIES = dg.RetryPolicy(
    max_retries=6, delay=15, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
)

# One writer at a time: chDB opens a folder from one process, the index has one pointer.
TABLES_POOL = "event_tables"
KNOWLEDGE_POOL = "class_index"


def retry_transient_only(body: Callable[Given, Result]) -> Callable[Given, Result]:
    """Let Dagster retry what another try can help (TransientPortError), and nothing else."""

    @functools.wraps(body)
    def guarded(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        try:
            return body(*args, **kwargs)
        except TransientPortError:
            raise
        except Exception as error:
            summary = f"{type(error).__name__}: {error}"
            raise dg.Failure(description=summary, allow_retries=False) from error

    return guarded
