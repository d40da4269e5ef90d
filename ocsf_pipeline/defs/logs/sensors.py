"""Sensors of the stage `logs`: new, rewritten and late objects become runs of exactly their hours.

Belongs here: cursors, run requests, and what Dagster knows of earlier runs. Does not belong here:
deciding what is due (`steps.drops`).
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import dagster as dg

from ocsf_pipeline.defs.common import HOURS
from ocsf_pipeline.defs.jobs import hour_job, knowledge_job
from ocsf_pipeline.logs.layout import format_partition, parse_partition
from ocsf_pipeline.ports import ClassIndex, ObjectStore
from ocsf_pipeline.settings import Settings
from ocsf_pipeline.steps.drop_schedule import DropCursor
from ocsf_pipeline.steps.drops import Attempts, DropOptions, DropTick, DueHour, find_due_hours
from ocsf_pipeline.steps.rankers import has_ranker

_DIGEST_TAG = "ocsf_pipeline/listing"
_PARTITION_TAG = "dagster/partition"
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
    class_indexes: dg.ResourceParam[tuple[ClassIndex, ...]],
    settings: dg.ResourceParam[Settings],
) -> dg.SensorResult:
    """Compare the object store with what the tables hold and request the difference."""
    if not has_ranker(artefacts, class_indexes[0].name):
        # Also after an upgrade by which rankers are made anew. Once an hour until it is there: a
        # run that failed must not be the last.
        run_key = f"first-knowledge-{datetime.now(UTC):%Y-%m-%dT%H}"
        return dg.SensorResult(
            run_requests=[dg.RunRequest(run_key=run_key, job_name=knowledge_job.name)]
        )
    options = DropOptions(
        prefix=settings.objects_prefix, window_hours=settings.drop_window_hours,
        settle_seconds=settings.drop_settle_seconds,
        max_wait_seconds=settings.drop_max_wait_seconds, earliest=HOURS.start,
    )  # fmt: skip
    cursor, runs = DropCursor.from_text(context.cursor), InstanceRuns(context.instance)
    tick = find_due_hours(objects, artefacts, runs, cursor, datetime.now(UTC), options)
    for partition, problem in tick.failures.items():
        context.log.warning(f"{partition} could not be listed and is tried again: {problem}")
    requests = [
        _request_hour(item)
        for item in tick.due
        if HOURS.has_partition_key(format_partition(item.hour))
    ]
    return dg.SensorResult(
        run_requests=requests,
        cursor=tick.cursor.to_text(),
        skip_reason=None if requests else _describe(tick),
    )


class InstanceRuns:
    """What Dagster's instance knows of runs, as `steps.drops` asks for it: two queries a tick."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance

    def list_busy_hours(self) -> set[datetime]:
        """Return the hours that a run is queued or under way for."""
        runs = self._instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED))
        keys = (run.tags.get(_PARTITION_TAG, "") for run in runs)
        return {parse_partition(key) for key in keys if HOURS.has_partition_key(key)}

    def count_attempts(self, digests: Sequence[str]) -> Mapping[str, Attempts]:
        """Return the finished runs of each listing."""
        if not digests:
            return {}
        found: dict[str, Attempts] = {}
        for record in self._instance.get_run_records(
            dg.RunsFilter(tags={_DIGEST_TAG: list(digests)})
        ):
            digest = record.dagster_run.tags[_DIGEST_TAG]
            before = found.get(digest, Attempts())
            ended = datetime.fromtimestamp(record.end_time or 0.0, UTC)
            newest = max(before.last_ended or ended, ended)
            found[digest] = Attempts(before.count + 1, newest)
        return found


def _request_hour(item: DueHour) -> dg.RunRequest:
    partition = format_partition(item.hour)
    return dg.RunRequest(
        run_key=f"{partition}:{item.digest}:{item.attempt}",
        job_name=hour_job.name,
        partition_key=partition,
        tags={_DIGEST_TAG: item.digest},
    )


def _describe(tick: DropTick) -> str:
    waiting = len(tick.cursor.watched)
    text = f"looked at {tick.looked_count} hours ({tick.object_count} objects); {waiting} waiting"
    if tick.days_outside:
        shown = ", ".join(tick.days_outside[:3])
        text += f"; {len(tick.days_outside)} days are not covered (yet): {shown}"
    return text
