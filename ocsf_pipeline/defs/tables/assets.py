"""Assets of the stage `tables`."""

import dagster as dg

from ocsf_pipeline.defs.common import OWNERS, RETRIES, TABLES_POOL, retry_transient_only
from ocsf_pipeline.ports import EventTables, ObjectStore
from ocsf_pipeline.steps.events import prepare_tables
from ocsf_pipeline.steps.schema import load_schema


@dg.asset(
    group_name="tables", kinds={"clickhouse", "sql"}, owners=OWNERS, code_version="1",
    deps=["ocsf_schema"], pool=TABLES_POOL, retry_policy=RETRIES,
)  # fmt: skip
@retry_transient_only
def analyst_views(
    artefacts: dg.ResourceParam[ObjectStore], event_tables: dg.ResourceParam[EventTables]
) -> dg.MaterializeResult[None]:
    """Tables and views in ClickHouse: one view per OCSF class, and the review queue."""
    applied = prepare_tables(event_tables, load_schema(artefacts))
    return dg.MaterializeResult(
        metadata={"applied_ddl": dg.MetadataValue.json(applied), "newly_applied": len(applied)}
    )
