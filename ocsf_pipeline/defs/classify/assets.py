"""Assets of the stage `classify`."""

from datetime import UTC, datetime

import dagster as dg

from ocsf_pipeline.defs.common import (
    HOUR_BACKFILLS,
    HOURS,
    INDEX_RETRIES,
    OWNERS,
    retry_transient_only,
)
from ocsf_pipeline.logs.layout import format_partition, parse_partition
from ocsf_pipeline.ports import ClassIndex, Embedder, ObjectStore, Reranker
from ocsf_pipeline.settings import Settings
from ocsf_pipeline.steps.classify import (
    decide_hour,
    load_decider,
    summarize_reranking,
)
from ocsf_pipeline.steps.mappings import load_compiler
from ocsf_pipeline.steps.reclassify import (
    Reclassification,
    list_changed_logs,
    plan_reclassification,
    summarize_changes,
)
from ocsf_pipeline.steps.reports import chart_counts, format_table


@dg.asset(
    group_name="classify", kinds={"scikitlearn", "parquet"}, owners=OWNERS, code_version="1",
    partitions_def=HOURS, backfill_policy=HOUR_BACKFILLS, retry_policy=INDEX_RETRIES,
    deps=["normalized_logs", "class_ranker"],
)  # fmt: skip
@retry_transient_only
def template_decisions(
    context: dg.AssetExecutionContext,
    artefacts: dg.ResourceParam[ObjectStore],
    class_index: dg.ResourceParam[ClassIndex],
    embedder: dg.ResourceParam[Embedder],
    reranker: dg.ResourceParam[Reranker | None],
    settings: dg.ResourceParam[Settings],
) -> dg.MaterializeResult[None]:
    """The OCSF class of every template of one hour; only templates never seen are decided."""
    decider = load_decider(artefacts, class_index, embedder, settings.accept_threshold, reranker)
    decided = decide_hour(artefacts, decider, parse_partition(context.partition_key))
    review = int((decided.decisions["status"] == "review").sum())
    counts = dict(decided.decisions["class_name"].value_counts().rows())
    rows = decided.decisions.sort("confidence").head(20).select(
        "class_name", "confidence", "status", "product", "sample_raw"
    )  # fmt: skip
    return dg.MaterializeResult(
        data_version=dg.DataVersion(decided.version),
        metadata={
            "templates": len(decided.decisions),
            "decided_in_this_run": decided.new_count,
            "for_review": review,
            "decision_version": decided.version,
            "reranker": dg.MetadataValue.json(summarize_reranking(decided.decisions, reranker)),
            "index": decider.index.name,
            "classes": dg.MetadataValue.md(chart_counts(counts, "class")),
            "least_certain": dg.MetadataValue.md(format_table(rows.columns, rows.rows())),
        },
    )


class PlanConfig(dg.Config):
    """How the plan is made; set it in the launchpad."""

    dry_run: bool = False
    """Only show what would change: no hour is written again because of it."""


@dg.asset(
    group_name="classify", kinds={"parquet"}, owners=OWNERS, code_version="2",
    deps=["class_ranker"], retry_policy=INDEX_RETRIES,
)  # fmt: skip
@retry_transient_only
def reclassification_plan(
    config: PlanConfig,
    artefacts: dg.ResourceParam[ObjectStore],
    class_index: dg.ResourceParam[ClassIndex],
    embedder: dg.ResourceParam[Embedder],
    reranker: dg.ResourceParam[Reranker | None],
    settings: dg.ResourceParam[Settings],
) -> dg.MaterializeResult[None]:
    """What the current knowledge changes in hours that are classified already: before and after.

    A sensor requests exactly these hours again, unless it was a dry run.
    """
    decider = load_decider(artefacts, class_index, embedder, settings.accept_threshold, reranker)
    compiler = load_compiler(artefacts, decider.schema, settings.datetime_profile)
    plan = plan_reclassification(
        artefacts, decider, compiler.version, is_dry_run=config.dry_run,
        oldest=settings.find_oldest_hour(datetime.now(UTC)),
    )  # fmt: skip
    return dg.MaterializeResult(metadata=_describe_plan(artefacts, plan, config.dry_run))


def _describe_plan(
    artefacts: ObjectStore, plan: Reclassification, is_dry_run: bool
) -> dict[str, dg.MetadataValue]:
    head = ("class before", "status", "class after", "status", "templates", "events")
    return {
        "is_dry_run": dg.MetadataValue.bool(is_dry_run),
        "decision_version": dg.MetadataValue.text(plan.version),
        "templates_decided_again": dg.MetadataValue.int(plan.template_count),
        "templates_changed": dg.MetadataValue.int(len(plan.changes)),
        "events_changed": dg.MetadataValue.int(plan.event_count),
        "hours_of_other_mappings": dg.MetadataValue.int(plan.remapped_count),
        "hours": dg.MetadataValue.json([format_partition(hour) for hour in plan.hours]),
        "changes": dg.MetadataValue.md(format_table(head, summarize_changes(plan.changes))),
        "examples": dg.MetadataValue.md(
            format_table(("before", "after", "events", "log"), list_changed_logs(artefacts, plan))
        ),
    }
