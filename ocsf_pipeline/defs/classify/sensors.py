"""Sensors of the stage `classify`: when knowledge changes, history follows.

Belongs here: turning materialisations into run requests. Does not belong here: finding out what
changed (`steps.classify`).
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from ocsf_pipeline.defs.jobs import reclassification_job, reclassified_hour_job
from ocsf_pipeline.settings import Settings

_RANKER = dg.AssetKey("class_ranker")
_PLAN = dg.AssetKey("reclassification_plan")
_HOURS_PER_TICK = 50
_PLANS_LOOKED_AT = 50


@dg.asset_sensor(
    asset_key=_RANKER,
    job=reclassification_job,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="When the knowledge base and ranker materialise, plans what they change.",
)
def knowledge_changed(
    context: dg.SensorEvaluationContext,
    asset_event: dg.EventLogEntry,
    settings: dg.ResourceParam[Settings],
) -> dg.RunRequest:
    """Request the plan once per materialisation of the ranker; dry where a person decides."""
    config = {"dry_run": settings.reclassify == "ask"}
    return dg.RunRequest(
        run_key=f"ranker-{asset_event.run_id}-{asset_event.timestamp}",
        run_config={"ops": {_PLAN.to_user_string(): {"config": config}}},
    )


@dg.sensor(
    job=reclassified_hour_job,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Requests exactly the hours that the reclassification plan names, some per tick.",
)
def hours_to_reclassify(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Request the hours of the latest plan that is no dry run; the cursor says how far it got."""
    plan = _find_plan(context.instance)
    if plan is None:
        return dg.SensorResult(skip_reason="no reclassification was planned yet")
    metadata, timestamp = plan
    version = str(metadata["decision_version"].value)
    hours = metadata["hours"].value
    planned = [str(hour) for hour in hours] if isinstance(hours, list) else []
    stamp = f"{version}@{timestamp}"
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


def _find_plan(
    instance: dg.DagsterInstance,
) -> tuple[Mapping[str, dg.MetadataValue[Any]], float] | None:
    """Return metadata and time of the latest plan that hours are to be written by."""
    records = instance.fetch_materializations(_PLAN, limit=_PLANS_LOOKED_AT).records
    for record in records:
        found = record.asset_materialization
        if found is None:
            continue
        is_dry_run = found.metadata.get("is_dry_run")
        if is_dry_run is None or not is_dry_run.value:
            return found.metadata, record.timestamp
    return None
