"""Assets of the stage `knowledge`."""

import dagster as dg

from ocsf_pipeline.defs.common import (
    KNOWLEDGE_POOL,
    OWNERS,
    RETRIES,
    TABLES_POOL,
    retry_transient_only,
)
from ocsf_pipeline.ports import ClassIndex, Embedder, EventTables, ObjectStore, PackSource
from ocsf_pipeline.steps.corrections import load_corrections
from ocsf_pipeline.steps.knowledge import store_examples, update_knowledge_base, update_ranker
from ocsf_pipeline.steps.reports import chart_counts, format_table
from ocsf_pipeline.steps.schema import load_schema


@dg.asset(
    group_name="knowledge", kinds={"yaml", "parquet"}, owners=OWNERS, code_version="2",
    deps=["ocsf_schema"], pool=TABLES_POOL, retry_policy=RETRIES,
)  # fmt: skip
@retry_transient_only
def labelled_examples(
    artefacts: dg.ResourceParam[ObjectStore],
    source_packs: dg.ResourceParam[PackSource],
    event_tables: dg.ResourceParam[EventTables],
) -> dg.MaterializeResult[None]:
    """Logs whose class is known: from source packs, and from what analysts decided."""
    packs = source_packs.read_packs()
    learned = load_corrections(event_tables)
    stored = store_examples(
        artefacts, load_schema(artefacts), packs, learned.examples, learned.queries
    )
    problems = [(problem.example.product, problem.reason) for problem in stored.problems]
    return dg.MaterializeResult(
        data_version=dg.DataVersion(stored.rows.version),
        metadata={
            "examples": stored.rows.count,
            "packs": len(packs),
            "from_overrides": len(learned.examples),
            "classes": len({example.class_uid for example in stored.examples}),
            "version": stored.rows.version,
            "left_out": len(problems),
            "left_out_reasons": dg.MetadataValue.md(format_table(("pack", "reason"), problems)),
        },
    )


@dg.asset(
    group_name="knowledge", kinds={"numpy"}, owners=OWNERS, code_version="1",
    deps=["class_chunks", labelled_examples], pool=KNOWLEDGE_POOL, retry_policy=RETRIES,
)  # fmt: skip
@retry_transient_only
def knowledge_base(
    artefacts: dg.ResourceParam[ObjectStore], class_index: dg.ResourceParam[ClassIndex]
) -> dg.MaterializeResult[None]:
    """The searchable index over class chunks and labelled examples; only changes are applied."""
    updated = update_knowledge_base(artefacts, class_index)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(updated.plan.corpus_version),
        metadata={
            "version": updated.plan.corpus_version,
            "chunks": len(updated.state.chunk_hashes),
            "added_or_changed": len(updated.plan.upserts),
            "removed": len(updated.plan.deletes),
            "unchanged": updated.plan.unchanged_count,
            "kinds": dg.MetadataValue.md(chart_counts(updated.kind_counts, "kind of chunk")),
        },
    )


@dg.asset(
    group_name="knowledge", kinds={"numpy", "scikitlearn"}, owners=OWNERS, code_version="1",
    deps=[knowledge_base], pool=KNOWLEDGE_POOL,
)  # fmt: skip
@retry_transient_only
def class_ranker(
    artefacts: dg.ResourceParam[ObjectStore],
    class_index: dg.ResourceParam[ClassIndex],
    embedder: dg.ResourceParam[Embedder],
) -> dg.MaterializeResult[None]:
    """The learned ranker: from retrieval and words to a class with a calibrated confidence."""
    updated = update_ranker(artefacts, load_schema(artefacts), class_index, embedder)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(updated.ranker.version),
        metadata={
            "version": updated.ranker.version,
            "examples": updated.example_count,
            "classes": len(updated.ranker.class_uids),
            "has_changed": updated.is_changed,
        },
    )
