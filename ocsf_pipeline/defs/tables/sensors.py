"""Sensors of the stage `tables`: people are told of failed runs and of what is unusual.

Belongs here: cursors, and what Dagster knows of failed runs. Does not belong here: judging and
wording (`steps.health`). Both do nothing until OCSF_PIPELINE_NOTIFY_URLS names a messenger.
"""

from datetime import UTC, datetime

import dagster as dg

from ocsf_pipeline.ports import EventTables, Notifier
from ocsf_pipeline.steps.health import FailedRun, HealthCursor, watch_health, write_failures

_OFF = "nobody is to be told: OCSF_PIPELINE_NOTIFY_URLS is empty"
_EVENTS = dg.AssetKey("classified_events")
_MAX_RUNS = 200


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells people of failed runs, in one message a minute at most; off by default.",
)
def failed_runs(
    context: dg.SensorEvaluationContext, notifier: dg.ResourceParam[Notifier | None]
) -> dg.SkipReason:
    """Send one message about the runs that failed since the last one."""
    if notifier is None:
        return dg.SkipReason(_OFF)
    since = float(context.cursor or datetime.now(UTC).timestamp())
    # Oldest first: where there are more than one message takes, the next tick goes on.
    records = context.instance.get_run_records(
        dg.RunsFilter(
            statuses=[dg.DagsterRunStatus.FAILURE], updated_after=datetime.fromtimestamp(since, UTC)
        ),
        limit=_MAX_RUNS, order_by="update_timestamp", ascending=True,
    )  # fmt: skip
    if records:
        failed = [_describe_run(context.instance, record.dagster_run) for record in records]
        notifier.send_message(*write_failures(failed))
        since = max(record.update_timestamp.replace(tzinfo=UTC).timestamp() for record in records)
    context.update_cursor(repr(since))
    return dg.SkipReason(f"{len(records)} failed runs were told" if records else "no run failed")


@dg.sensor(
    minimum_interval_seconds=600,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells people of a class at unusual volume, a source gone silent, a standstill.",
)
def health(
    context: dg.SensorEvaluationContext,
    event_tables: dg.ResourceParam[EventTables],
    notifier: dg.ResourceParam[Notifier | None],
) -> dg.SkipReason:
    """Judge the newest whole hour and tell what is new."""
    if notifier is None:
        return dg.SkipReason(_OFF)
    if context.instance.get_latest_materialization_event(_EVENTS) is None:
        return dg.SkipReason("no hour was written yet")
    before = HealthCursor.from_text(context.cursor)
    new, after = watch_health(event_tables, notifier, before, datetime.now(UTC))
    context.update_cursor(after.to_text())
    return dg.SkipReason(f"{len(new)} new alerts, {len(after.told)} in force")


def _describe_run(instance: dg.DagsterInstance, run: dg.DagsterRun) -> FailedRun:
    events = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    errors = [
        f"{event.step_key}: {event.dagster_event.step_failure_data.error_display_string}"
        for event in events
        if event.dagster_event is not None
    ]
    partition = run.tags.get("dagster/partition", "")
    return FailedRun(run.run_id, run.job_name, partition, errors[0] if errors else "no step failed")
