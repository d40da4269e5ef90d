"""Assets of the stage `schema`."""

import dagster as dg

from ocsf_pipeline.defs.common import OWNERS, RETRIES, retry_transient_only
from ocsf_pipeline.ports import ObjectStore, SchemaSource
from ocsf_pipeline.settings import Settings
from ocsf_pipeline.steps.knowledge import store_class_chunks
from ocsf_pipeline.steps.reports import describe_changes
from ocsf_pipeline.steps.schema import load_schema, store_schema


@dg.asset(
    group_name="schema", kinds={"ocsf", "json"}, owners=OWNERS, code_version="1",
    retry_policy=RETRIES,
)  # fmt: skip
@retry_transient_only
def ocsf_schema(
    schema_source: dg.ResourceParam[SchemaSource],
    artefacts: dg.ResourceParam[ObjectStore],
    settings: dg.ResourceParam[Settings],
) -> dg.MaterializeResult[None]:
    """The OCSF schema of the configured release: fetched, checked, put in force."""
    stored = store_schema(schema_source, artefacts, settings.schema_version)
    live = stored.schema.live_classes
    return dg.MaterializeResult(
        data_version=dg.DataVersion(stored.document.sha256[:16]),
        metadata={
            "version": stored.schema.version,
            "origin": stored.document.origin,
            "sha256": stored.document.sha256,
            "is_last_good_copy": stored.document.is_stale,
            "note": stored.document.note or "fresh",
            "live_classes": len(live),
            "deprecated_classes": len(stored.schema.classes) - len(live),
            "objects": len(stored.schema.objects),
            "has_changed": stored.is_changed,
            "changes": dg.MetadataValue.md(describe_changes(stored.changes)),
        },
    )


@dg.asset(
    group_name="schema", kinds={"ocsf", "parquet"}, owners=OWNERS, code_version="1",
    deps=[ocsf_schema],
)  # fmt: skip
@retry_transient_only
def class_chunks(artefacts: dg.ResourceParam[ObjectStore]) -> dg.MaterializeResult[None]:
    """Searchable texts of every live OCSF class: overview, activities, distinctive attributes."""
    stored = store_class_chunks(artefacts, load_schema(artefacts))
    return dg.MaterializeResult(
        data_version=dg.DataVersion(stored.version),
        metadata={
            "chunks": stored.count,
            "version": stored.version,
            "has_changed": stored.is_changed,
        },
    )
