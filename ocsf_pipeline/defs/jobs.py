"""Jobs: which assets are materialised together.

Belongs here: selections. Does not belong here: when they run (schedules and sensors).
"""

import dagster as dg

from ocsf_pipeline.defs.common import HOURS

_KNOWLEDGE_BASE = dg.AssetKey("knowledge_base")

hour_job = dg.define_asset_job(
    "hour_job",
    description="One hour of logs: normalise, decide its templates, write its events.",
    selection=dg.AssetSelection.assets(
        "normalized_logs", "template_decisions", "classified_events"
    ),
    partitions_def=HOURS,
)

knowledge_job = dg.define_asset_job(
    "knowledge_job",
    description="Everything that hours need, measured: schema, knowledge base, ranker, tables.",
    selection=dg.AssetSelection.assets(
        "ocsf_schema", "class_chunks", "labelled_examples", "knowledge_base", "class_ranker",
        "classification_benchmark", "analyst_views",
    ),
)  # fmt: skip

learning_job = dg.define_asset_job(
    "learning_job",
    description="Learns what analysts decided since, or goes to the release that is pinned.",
    selection=dg.AssetSelection.assets("labelled_examples", "knowledge_base", "class_ranker"),
)

reclassification_job = dg.define_asset_job(
    "reclassification_job",
    description="Finds what the current knowledge changes in hours that are classified already.",
    selection=dg.AssetSelection.assets("reclassification_plan"),
)

reclassified_hour_job = dg.define_asset_job(
    "reclassified_hour_job",
    description="Writes one hour again by the current decisions; its logs are not read again.",
    selection=dg.AssetSelection.assets("template_decisions", "classified_events"),
    partitions_def=HOURS,
)

drift_job = dg.define_asset_job(
    "drift_job",
    description="Looks whether the knowledge base still holds what was put into it.",
    selection=dg.AssetSelection.checks(dg.AssetCheckKey(_KNOWLEDGE_BASE, "holds_the_corpus")),
)

repair_job = dg.define_asset_job(
    "repair_job",
    description="Applies to the knowledge base whatever differs from the corpus.",
    selection=dg.AssetSelection.assets("knowledge_base", "class_ranker"),
)
