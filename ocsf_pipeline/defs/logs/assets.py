"""Assets of the stage `logs`."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from ocsf_pipeline.defs.common import HOUR_BACKFILLS, HOURS, OWNERS, RETRIES, retry_transient_only
from ocsf_pipeline.logs.layout import parse_partition
from ocsf_pipeline.ports import ObjectStore
from ocsf_pipeline.settings import Settings
from ocsf_pipeline.steps.batches import HourBatches
from ocsf_pipeline.steps.logs import normalize_hour
from ocsf_pipeline.steps.reports import format_table


@dg.asset(
    group_name="logs", kinds={"polars", "parquet"}, owners=OWNERS, code_version="1",
    partitions_def=HOURS, backfill_policy=HOUR_BACKFILLS, retry_policy=RETRIES,
    check_specs=[
        dg.AssetCheckSpec(
            "everything_accounted_for", asset="normalized_logs", blocking=True,
            description="Per object: read = normalised + quarantined.",
        ),
        dg.AssetCheckSpec(
            "hour_has_logs", asset="normalized_logs",
            description="An hour without any log may mean that a source went silent.",
        ),
    ],
)  # fmt: skip
@retry_transient_only
def normalized_logs(
    context: dg.AssetExecutionContext,
    objects: dg.ResourceParam[ObjectStore],
    artefacts: dg.ResourceParam[ObjectStore],
    settings: dg.ResourceParam[Settings],
) -> dg.MaterializeResult:  # type: ignore[type-arg]  # a parameter hides the checks
    """The logs that arrived in one hour, of any format, as normalised records with templates."""
    hour = parse_partition(context.partition_key)
    is_old = datetime.now(UTC) - hour > timedelta(hours=settings.drop_window_hours)
    batches = normalize_hour(
        objects, artefacts, hour, keeps_deleted=is_old,
        prefix=settings.objects_prefix, limits=settings.read_limits, progress=context.log.info,
        workers=settings.workers,
    )  # fmt: skip
    return dg.MaterializeResult(
        data_version=dg.DataVersion(batches.version),
        metadata=_describe(batches),
        check_results=[_check_accounts(batches), _check_presence(batches)],
    )


def _describe(batches: HourBatches) -> dict[str, dg.MetadataValue]:
    rows = [
        (item.key, item.size_bytes, item.read_count, item.record_count, item.quarantined_count)
        for item in batches.objects
    ]
    head = ("object", "bytes", "read", "normalised", "quarantined")
    return {
        "objects": dg.MetadataValue.int(len(batches.objects)),
        "objects_read_in_this_run": dg.MetadataValue.int(batches.read_objects),
        "dagster/partition_row_count": dg.MetadataValue.int(batches.record_count),
        "quarantined": dg.MetadataValue.int(batches.quarantined_count),
        "by_object": dg.MetadataValue.md(format_table(head, rows[:200])),
    }


def _check_accounts(batches: HourBatches) -> dg.AssetCheckResult:
    odd = [
        item.key
        for item in batches.objects
        if item.read_count != item.record_count + item.quarantined_count
    ]
    return dg.AssetCheckResult(
        check_name="everything_accounted_for",
        passed=not odd,
        metadata={"objects_that_do_not_add_up": dg.MetadataValue.json(odd[:50])},
    )


def _check_presence(batches: HourBatches) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name="hour_has_logs",
        passed=batches.record_count > 0,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"records": batches.record_count},
    )
