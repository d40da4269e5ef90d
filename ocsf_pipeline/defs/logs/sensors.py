"""Sensors of the stage `logs`: new, rewritten and late objects become runs of exactly their hours.

Belongs here: cursors and run requests. Does not belong here: deciding what is due (`steps.drops`).
"""

from datetime import UTC, datetime

import dagster as dg

from ocsf_pipeline.defs.common import HOURS
from ocsf_pipeline.defs.jobs import hour_job, knowledge_job
from ocsf_pipeline.logs.layout import format_partition
from ocsf_pipeline.ports import ObjectStore
from ocsf_pipeline.settings import Settings
from ocsf_pipeline.steps.drops import DropCursor, DueHour, find_due_hours
from ocsf_pipeline.steps.knowledge import has_ranker

_MAX_REQUESTS = 50
_MAX_ATTEMPTS = 3
_DIGEST_TAG = "ocsf_pipeline/listing"
_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING,
]  # fmt: skip


@dg.sensor(
    jobs=[hour_job, knowledge_job],
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Requests the hours whose objects are new, rewritten or late, and only those.",
)
def new_drops(
    context: dg.SensorEvaluationContext,
    objects: dg.ResourceParam[ObjectStore],
    artefacts: dg.ResourceParam[ObjectStore],
    settings: dg.ResourceParam[Settings],
) -> dg.SensorResult:
    """Compare the object store with what is normalised and request the difference."""
    if not has_ranker(artefacts):
        return dg.SensorResult(
            run_requests=[dg.RunRequest(run_key="first-knowledge", job_name=knowledge_job.name)]
        )
    due, cursor = find_due_hours(
        objects, artefacts, DropCursor.from_text(context.cursor), datetime.now(UTC),
        prefix=settings.objects_prefix, window_hours=settings.drop_window_hours,
    )  # fmt: skip
    requests = [
        request
        for item in due
        if HOURS.has_partition_key(format_partition(item.hour))
        if (request := _request_hour(context.instance, item)) is not None
    ]
    return dg.SensorResult(
        run_requests=requests[:_MAX_REQUESTS],
        cursor=cursor.to_text(),
        skip_reason=None if requests else f"nothing new; {len(cursor.unsettled)} hours filling",
    )


def _request_hour(instance: dg.DagsterInstance, item: DueHour) -> dg.RunRequest | None:
    """Return a request, unless a run of the same listing is under way or failed too often."""
    partition = format_partition(item.hour)
    tags = {_DIGEST_TAG: item.digest, "dagster/partition": partition}
    if instance.get_runs_count(dg.RunsFilter(tags=tags, statuses=_UNFINISHED)):
        return None
    attempt = instance.get_runs_count(dg.RunsFilter(tags=tags))
    if attempt >= _MAX_ATTEMPTS:
        return None
    return dg.RunRequest(
        run_key=f"{partition}:{item.digest}:{attempt}",
        job_name=hour_job.name,
        partition_key=partition,
        tags={_DIGEST_TAG: item.digest},
    )
