"""Sensors of the stage `classify`: when knowledge changes, history follows.

Belongs here: turning materialisations into run requests. Does not belong here: finding out what
changed (`steps.classify`).
"""

import dagster as dg

from ocsf_pipeline.defs.jobs import reclassification_job, reclassified_hour_job

_RANKER = dg.AssetKey("class_ranker")
_PLAN = dg.AssetKey("reclassification_plan")
_HOURS_PER_TICK = 50


@dg.asset_sensor(
    asset_key=_RANKER,
    job=reclassification_job,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="When the knowledge base and ranker materialise, plans what they change.",
)
def knowledge_changed(
    context: dg.SensorEvaluationContext, asset_event: dg.EventLogEntry
) -> dg.RunRequest:
    """Request the plan once per materialisation of the ranker."""
    return dg.RunRequest(run_key=f"ranker-{asset_event.run_id}-{asset_event.timestamp}")


@dg.sensor(
    job=reclassified_hour_job,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Requests exactly the hours that the reclassification plan names, some per tick.",
)
def hours_to_reclassify(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Request the hours of the latest plan; the cursor says how far it got."""
    event = context.instance.get_latest_materialization_event(_PLAN)
    if event is None or event.asset_materialization is None:
        return dg.SensorResult(skip_reason="no reclassification was planned yet")
    metadata = event.asset_materialization.metadata
    version = str(metadata["decision_version"].value)
    hours = metadata["hours"].value
    planned = [str(hour) for hour in hours] if isinstance(hours, list) else []
    stamp = f"{version}@{event.timestamp}"
    done_stamp, _, done = (context.cursor or "").partition("|")
    start = int(done) if done_stamp == stamp and done else 0
    batch = planned[start : start + _HOURS_PER_TICK]
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(
                run_key=f"{stamp}:{hour}",
                job_name=reclassified_hour_job.name,
                partition_key=hour,
            )
            for hour in batch
        ],
        cursor=f"{stamp}|{start + len(batch)}",
        skip_reason=None if batch else "every planned hour is requested",
    )
