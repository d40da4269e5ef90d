"""Assets of the stage `events`."""

import dagster as dg

from ocsf_pipeline.defs.common import (
    HOUR_BACKFILLS,
    HOURS,
    INDEX_RETRIES,
    OWNERS,
    TABLES_POOL,
    retry_transient_only,
)
from ocsf_pipeline.logs.layout import parse_partition
from ocsf_pipeline.ports import ClassIndex, Embedder, EventTables, ObjectStore, Reranker
from ocsf_pipeline.settings import Settings
from ocsf_pipeline.steps.classify import decide_hour, load_decider
from ocsf_pipeline.steps.events import HourEvents, classify_hour
from ocsf_pipeline.steps.reports import chart_counts, chart_histogram, format_table

_MAX_REVIEW_SHARE = 0.5
_CHECKS = {
    "read_equals_written": (True, "read = classified + review + quarantined, for every object."),
    "events_are_valid": (False, "Every event keeps the rules of the schema."),
    "review_share": (False, f"At most {_MAX_REVIEW_SHARE:.0%} of the hour waits for review."),
}


@dg.asset(
    group_name="events", kinds={"clickhouse", "ocsf"}, owners=OWNERS, code_version="1",
    partitions_def=HOURS, backfill_policy=HOUR_BACKFILLS, retry_policy=INDEX_RETRIES,
    deps=["normalized_logs", "template_decisions", "analyst_views"], pool=TABLES_POOL,
    check_specs=[
        dg.AssetCheckSpec(name, asset="classified_events", blocking=blocking, description=text)
        for name, (blocking, text) in _CHECKS.items()
    ],
)  # fmt: skip
@retry_transient_only
def classified_events(
    context: dg.AssetExecutionContext,
    artefacts: dg.ResourceParam[ObjectStore],
    class_index: dg.ResourceParam[ClassIndex],
    embedder: dg.ResourceParam[Embedder],
    reranker: dg.ResourceParam[Reranker | None],
    event_tables: dg.ResourceParam[EventTables],
    settings: dg.ResourceParam[Settings],
) -> dg.MaterializeResult:  # type: ignore[type-arg]  # a parameter hides the checks
    """The events of one hour in ClickHouse: whole, valid OCSF, replaced atomically."""
    hour = parse_partition(context.partition_key)
    decider = load_decider(artefacts, class_index, embedder, settings.accept_threshold, reranker)
    decided = decide_hour(artefacts, decider, hour)
    result = classify_hour(
        artefacts, event_tables, decider.schema, decided, hour, context.run.run_id,
        progress=context.log.info, workers=settings.workers,
        with_datetime=settings.datetime_profile,
    )  # fmt: skip
    return dg.MaterializeResult(metadata=_describe(result), check_results=_check(result))


def _describe(result: HourEvents) -> dict[str, dg.MetadataValue]:
    unfit = dict(result.unmapped_counts.most_common(20))
    head = list(result.samples[0]) if result.samples else ["no event"]
    samples = [list(sample.values()) for sample in result.samples]
    return {
        "dagster/partition_row_count": dg.MetadataValue.int(
            result.classified_count + result.review_count
        ),
        "read": dg.MetadataValue.int(result.read_count),
        "classified": dg.MetadataValue.int(result.classified_count),
        "review": dg.MetadataValue.int(result.review_count),
        "quarantined": dg.MetadataValue.int(result.quarantined_count),
        "was_up_to_date": dg.MetadataValue.bool(result.is_skipped),
        "classes": dg.MetadataValue.md(chart_counts(result.class_counts, "class")),
        "confidence": dg.MetadataValue.md(chart_histogram(result.confidence_bins)),
        "quarantine_reasons": dg.MetadataValue.md(chart_counts(result.reasons, "reason")),
        "values_moved_to_unmapped": dg.MetadataValue.md(chart_counts(unfit, "attribute")),
        "samples": dg.MetadataValue.md(format_table(head, samples)),
    }


def _check(result: HourEvents) -> list[dg.AssetCheckResult]:
    rows = result.classified_count + result.review_count
    share = result.review_count / rows if rows else 0.0
    counts = {
        "read": result.read_count, "classified": result.classified_count,
        "review": result.review_count, "quarantined": result.quarantined_count,
    }  # fmt: skip
    return [
        dg.AssetCheckResult(
            check_name="read_equals_written", passed=result.is_conserved, metadata=counts
        ),
        dg.AssetCheckResult(
            check_name="events_are_valid",
            passed=result.invalid_count == 0,
            metadata={"invalid": result.invalid_count},
        ),
        dg.AssetCheckResult(
            check_name="review_share",
            passed=share <= _MAX_REVIEW_SHARE,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"share": share},
        ),
    ]
