"""Checks of the stage `knowledge`: whether the knowledge base holds what it should.

Belongs here: reporting what was observed. Does not belong here: comparing (`steps.indexes`), when
to look (`schedules`), repairing (`sensors`).
"""

import dagster as dg

from ocsf_pipeline.defs.common import INDEX_RETRIES, KNOWLEDGE_POOL, retry_transient_only
from ocsf_pipeline.ports import ClassIndex, ObjectStore
from ocsf_pipeline.steps.indexes import Drift, observe_drift
from ocsf_pipeline.steps.knowledge import load_corpus
from ocsf_pipeline.steps.reports import format_table

_NAMED_IDS = 20


@dg.asset_check(
    asset="knowledge_base", pool=KNOWLEDGE_POOL, retry_policy=INDEX_RETRIES,
    description="Every chunk is stored as it was sent, and none besides: nobody else changed it.",
)  # fmt: skip
@retry_transient_only
def holds_the_corpus(
    context: dg.AssetCheckExecutionContext,
    artefacts: dg.ResourceParam[ObjectStore],
    class_indexes: dg.ResourceParam[tuple[ClassIndex, ...]],
) -> dg.AssetCheckResult:
    """Look at every stored chunk; leave an observation that the repairing sensor reads."""
    drift = observe_drift(class_indexes[0], load_corpus(artefacts))
    metadata = _describe_drift(drift)
    context.op_execution_context.log_event(dg.AssetObservation("knowledge_base", metadata=metadata))
    return dg.AssetCheckResult(passed=drift.count == 0, metadata=metadata)


def _describe_drift(drift: Drift) -> dict[str, dg.MetadataValue]:
    rows = [
        (what, len(ids), ", ".join(ids[:_NAMED_IDS]))
        for what, ids in (
            ("missing", drift.missing), ("changed", drift.changed), ("unwanted", drift.unwanted),
        )
    ]  # fmt: skip
    return {
        "drifted": dg.MetadataValue.int(drift.count),
        "chunks": dg.MetadataValue.int(drift.chunk_count),
        "expected_version": dg.MetadataValue.text(drift.expected_version),
        "held_version": dg.MetadataValue.text(drift.held_version or "none whole"),
        "differences": dg.MetadataValue.md(format_table(("what", "chunks", "first"), rows)),
    }
