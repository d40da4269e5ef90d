"""Sensors of the stage `knowledge`: what drifted is repaired.

Belongs here: turning an observation into a run. Does not belong here: observing (`checks`).
"""

import dagster as dg

from ocsf_pipeline.defs.jobs import repair_job

_KNOWLEDGE_BASE = dg.AssetKey("knowledge_base")


@dg.sensor(
    job=repair_job, minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Repairs the knowledge base when the latest observation found it changed.",
)  # fmt: skip
def knowledge_drifted(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Request one repair per observation of drift."""
    records = context.instance.fetch_observations(_KNOWLEDGE_BASE, limit=1).records
    observation = records[0].asset_observation if records else None
    if observation is None:
        return dg.SkipReason("the knowledge base was not observed yet")
    drifted = observation.metadata.get("drifted")
    if drifted is None or not drifted.value:
        return dg.SkipReason("the latest observation found no drift")
    return dg.RunRequest(run_key=f"drift-{records[0].storage_id}")
