"""The optional export to Amazon Security Lake.

Belongs here: the asset, and the sensor that follows written hours. Does not belong here: what is
exported (`steps.security_lake`).
"""

import dagster as dg

from ocsf_pipeline.defs.common import (
    HOUR_BACKFILLS,
    HOURS,
    OWNERS,
    RETRIES,
    TABLES_POOL,
    retry_transient_only,
)
from ocsf_pipeline.logs.layout import parse_partition
from ocsf_pipeline.ports import EventTables, ObjectStore, PermanentPortError
from ocsf_pipeline.steps.reports import chart_counts
from ocsf_pipeline.steps.schema import load_schema
from ocsf_pipeline.steps.security_lake import Lake, export_hour


@dg.asset(
    group_name="tables", kinds={"parquet", "s3"}, owners=OWNERS, code_version="1",
    partitions_def=HOURS, backfill_policy=HOUR_BACKFILLS, retry_policy=RETRIES,
    deps=["classified_events"], pool=TABLES_POOL,
)  # fmt: skip
@retry_transient_only
def security_lake_export(
    context: dg.AssetExecutionContext,
    artefacts: dg.ResourceParam[ObjectStore],
    event_tables: dg.ResourceParam[EventTables],
    security_lake: dg.ResourceParam[Lake | None],
) -> dg.MaterializeResult[None]:
    """One hour as files of Amazon Security Lake: one class per file, in the order of time."""
    if security_lake is None:
        raise PermanentPortError("no lake is set: see OCSF_PIPELINE_SECURITY_LAKE_URL")
    hour = parse_partition(context.partition_key)
    done = export_hour(event_tables, artefacts, load_schema(artefacts), security_lake, hour)
    return dg.MaterializeResult(
        metadata={
            "dagster/partition_row_count": done.class_counts.total(),
            "files": len(done.files),
            "removed_files": len(done.removed),
            "size_bytes": done.size_bytes,
            "classes": dg.MetadataValue.md(chart_counts(done.class_counts, "class")),
        }
    )


security_lake_job = dg.define_asset_job(
    "security_lake_job",
    description="Exports one hour to Amazon Security Lake.",
    selection=dg.AssetSelection.assets("security_lake_export"),
    partitions_def=HOURS,
)


@dg.asset_sensor(
    asset_key=dg.AssetKey("classified_events"),
    job=security_lake_job,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Exports each hour to Amazon Security Lake once it is written. Start it if you "
    "want that; the settings OCSF_PIPELINE_SECURITY_LAKE_… say where to.",
)
def hours_to_export(
    context: dg.SensorEvaluationContext, asset_event: dg.EventLogEntry
) -> dg.RunRequest | dg.SkipReason:
    """Request the export of the hour that was written."""
    found = asset_event.asset_materialization
    if found is None or found.partition is None:
        return dg.SkipReason("no hour was written")
    return dg.RunRequest(
        run_key=f"{found.partition}-{asset_event.run_id}", partition_key=found.partition
    )
