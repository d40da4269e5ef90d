"""Assets of the stage `knowledge`."""

import dagster as dg

from ocsf_pipeline.defs.common import (
    INDEX_RETRIES,
    KNOWLEDGE_POOL,
    OWNERS,
    RETRIES,
    TABLES_POOL,
    retry_transient_only,
)
from ocsf_pipeline.ports import ClassIndex, Embedder, EventTables, ObjectStore, PackSource
from ocsf_pipeline.steps.corrections import load_corrections
from ocsf_pipeline.steps.knowledge import UpdatedIndex, store_examples, update_knowledge_bases
from ocsf_pipeline.steps.mappings import store_hints
from ocsf_pipeline.steps.rankers import update_rankers
from ocsf_pipeline.steps.releases import Release, read_pin
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
    hints_version, mapped_count = store_hints(artefacts, packs)
    problems = [(problem.example.product, problem.reason) for problem in stored.problems]
    return dg.MaterializeResult(
        data_version=dg.DataVersion(stored.rows.version),
        metadata={
            "examples": stored.rows.count,
            "packs": len(packs),
            "from_overrides": len(learned.examples),
            "classes": len({example.class_uid for example in stored.examples}),
            "version": stored.rows.version,
            "packs_with_mapping_hints": mapped_count,
            "mapping_hints_version": hints_version,
            "left_out": len(problems),
            "left_out_reasons": dg.MetadataValue.md(format_table(("pack", "reason"), problems)),
        },
    )


@dg.asset(
    group_name="knowledge", kinds={"numpy"}, owners=OWNERS, code_version="1",
    deps=["class_chunks", labelled_examples], pool=KNOWLEDGE_POOL, retry_policy=INDEX_RETRIES,
)  # fmt: skip
@retry_transient_only
def knowledge_base(
    artefacts: dg.ResourceParam[ObjectStore],
    class_indexes: dg.ResourceParam[tuple[ClassIndex, ...]],
) -> dg.MaterializeResult[None]:
    """What is searched, class chunks and labelled examples: the embedded index or a Trieve dataset.

    Only differences are applied, so a run after a crash, or after somebody else's hand, repairs it.
    """
    updates = update_knowledge_bases(artefacts, class_indexes)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(updates[0].plan.corpus_version),
        metadata=_describe_updates(updates, read_pin(artefacts)),
    )


def _describe_updates(
    updates: list[UpdatedIndex], pinned: Release | None
) -> dict[str, dg.MetadataValue]:
    """Describe the first, which is searched, and every copy in a line."""
    first = updates[0]
    copies = [
        (
            item.index_name, item.state.corpus_version, len(item.state.chunk_hashes),
            len(item.plan.upserts), len(item.plan.deletes), item.plan.unchanged_count,
            f"{item.seconds:.1f}",
        )
        for item in updates
    ]  # fmt: skip
    head = ("index", "version", "chunks", "stored", "removed", "unchanged", "seconds")
    changes = format_table(("done", "kind of chunk", "chunks"), first.list_changes())
    return {
        "index": dg.MetadataValue.text(first.index_name),
        "version": dg.MetadataValue.text(first.plan.corpus_version),
        "pinned_release": dg.MetadataValue.text(pinned.version if pinned else "none"),
        "chunks": dg.MetadataValue.int(len(first.state.chunk_hashes)),
        "added_or_changed": dg.MetadataValue.int(len(first.plan.upserts)),
        "removed": dg.MetadataValue.int(len(first.plan.deletes)),
        "unchanged": dg.MetadataValue.int(first.plan.unchanged_count),
        "seconds": dg.MetadataValue.float(round(first.seconds, 3)),
        "changes": dg.MetadataValue.md(changes),
        "kinds": dg.MetadataValue.md(chart_counts(first.kind_counts, "kind of chunk")),
        "copies": dg.MetadataValue.md(format_table(head, copies)),
    }


@dg.asset(
    group_name="knowledge", kinds={"numpy", "scikitlearn"}, owners=OWNERS, code_version="1",
    deps=[knowledge_base], pool=KNOWLEDGE_POOL, retry_policy=INDEX_RETRIES,
)  # fmt: skip
@retry_transient_only
def class_ranker(
    artefacts: dg.ResourceParam[ObjectStore],
    class_indexes: dg.ResourceParam[tuple[ClassIndex, ...]],
    embedder: dg.ResourceParam[Embedder],
) -> dg.MaterializeResult[None]:
    """The learned ranker: from retrieval and words to a class with a calibrated confidence.

    Each copy of the knowledge base has one, trained on what that copy finds.
    """
    updated = update_rankers(artefacts, load_schema(artefacts), class_indexes, embedder)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(updated.ranker.version),
        metadata={
            "version": updated.ranker.version,
            "examples": updated.example_count,
            "classes": len(updated.ranker.class_uids),
            "has_changed": updated.is_changed,
        },
    )
