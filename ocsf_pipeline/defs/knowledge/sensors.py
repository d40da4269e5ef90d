"""Sensors of the stage `knowledge`: what drifted is repaired, what analysts decide is learned.

Belongs here: turning an observation, or a note about overrides and pins, into a run. Does not
belong here: observing (`checks`), learning (`steps.knowledge`).
"""

from datetime import UTC, datetime, timedelta

import dagster as dg

from ocsf_pipeline.defs.jobs import learning_job, repair_job
from ocsf_pipeline.ports import ClassIndex, ObjectStore
from ocsf_pipeline.settings import Settings
from ocsf_pipeline.steps.overrides import read_latest_override
from ocsf_pipeline.steps.rankers import has_ranker
from ocsf_pipeline.steps.releases import name_pin

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


@dg.sensor(
    job=learning_job,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="When analysts have overridden something, or a release was pinned or unpinned: "
    "materialises examples, knowledge base and ranker. What that changes is then planned.",
)
def overrides_to_learn(
    context: dg.SensorEvaluationContext,
    artefacts: dg.ResourceParam[ObjectStore],
    class_indexes: dg.ResourceParam[tuple[ClassIndex, ...]],
    settings: dg.ResourceParam[Settings],
) -> dg.SensorResult:
    """Request learning once the analysts have paused; at once for a pin."""
    if not has_ranker(artefacts, class_indexes[0].name):
        return dg.SensorResult(skip_reason="nothing is known yet")
    seen_override, _, seen_pin = (context.cursor or "|").partition("|")
    pin = name_pin(artefacts)
    override_id = _find_due(artefacts, settings) or seen_override
    is_first_look = context.cursor is None
    changed = override_id != seen_override or (pin != seen_pin and not is_first_look)
    return dg.SensorResult(
        run_requests=[dg.RunRequest(run_key=f"{override_id}|{pin}")] if changed else [],
        cursor=f"{override_id}|{pin}",
        skip_reason=None if changed else "nothing new to learn",
    )


def _find_due(artefacts: ObjectStore, settings: Settings) -> str | None:
    """Return the id of the latest override once it is old enough, else None."""
    latest = read_latest_override(artefacts)
    if latest is None or not settings.learn_after_minutes:
        return None
    override_id, made_at = latest
    pause = timedelta(minutes=settings.learn_after_minutes)
    return override_id if datetime.now(UTC) - made_at >= pause else None
