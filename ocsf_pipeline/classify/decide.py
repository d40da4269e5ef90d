"""Templates -> decisions: class, activity, confidence, candidates, evidence, status.

Belongs here: putting retrieval, ranking, re-ranking and explanation together for a batch of
templates. Does not belong here: where templates come from, where decisions are stored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from ocsf_pipeline.classify.decisions import DECISION_SCHEMA
from ocsf_pipeline.classify.explain import TERM_COUNT, Explained, gather_nearest, write_evidence
from ocsf_pipeline.classify.leaves import read_leaves
from ocsf_pipeline.classify.queries import describe_leaves
from ocsf_pipeline.classify.ranker import Ranker
from ocsf_pipeline.classify.rerank import RERANK_COUNT, rerank_unsure, spell_version
from ocsf_pipeline.ports import Candidate, Embedder, Reranker
from ocsf_pipeline.schema.model import OcsfSchema

CANDIDATE_COUNT = 5
SEARCH_LIMIT = 60
"""Chunks that are asked of the index per query."""
_KEPT_COLUMNS = ("template_id", "format", "vendor", "product", "sample_fields", "sample_raw")


class ChunkSearcher(Protocol):
    """The half of `ports.ClassIndex` that deciding needs."""

    def search_chunks(self, queries: Sequence[str], limit: int) -> pl.DataFrame:
        """See `ports.ClassIndex.search_chunks`."""
        ...


def decide_templates(
    templates: pl.DataFrame,
    schema: OcsfSchema,
    ranker: Ranker,
    index: ChunkSearcher,
    embedder: Embedder | None,
    threshold: float,
    knowledge_version: str,
    reranker: Reranker | None = None,
    example_names: Mapping[str, str] | None = None,
) -> pl.DataFrame:
    """Decide each template (template_id, format, vendor, product, sample_fields, sample_raw).

    Returns one row per template in the same order, shaped as DECISION_SCHEMA. Confidence at or
    above `threshold` is accepted, below it is for review. `reranker`, when given, sees only what
    is below; its failure leaves the ranker's answer. `example_names` gives the event's name by
    example id, for the evidence. Raises what the index and the embedder raise.
    """
    if templates.is_empty():
        return DECISION_SCHEMA.to_frame()
    rows = templates.select(_KEPT_COLUMNS).to_dicts()
    leaves = [read_leaves(row["sample_fields"], row["sample_raw"]) for row in rows]
    queries = [
        describe_leaves(found, row["format"], row["vendor"], row["product"])
        for found, row in zip(leaves, rows, strict=True)
    ]
    texts = [query.text for query in queries]
    hits = index.search_chunks(texts, SEARCH_LIMIT)
    embeddings = embedder.encode(texts) if embedder is not None else None
    probabilities = ranker.rank_classes(queries, hits, embeddings)
    count = RERANK_COUNT if reranker is not None else CANDIDATE_COUNT
    ranked = [_list_candidates(row, ranker.class_uids, schema, count) for row in probabilities]
    samples = templates["sample_raw"].to_list()
    rated = rerank_unsure(reranker, texts, samples, ranked, schema, threshold)
    candidates = [item.candidates[:CANDIDATE_COUNT] for item in rated]
    best_uids = [items[0].class_uid for items in candidates]
    activities = ranker.choose_activities(queries, best_uids)
    terms = ranker.explain(queries, best_uids, TERM_COUNT)
    instead = ranker.explain(queries, [items[min(1, len(items) - 1)].class_uid
                                       for items in candidates])  # fmt: skip
    nearest = gather_nearest(hits)
    decisions = []
    for number, row in enumerate(rows):
        best = candidates[number][0]
        known = Explained(
            candidates[number], terms[number], instead[number], nearest.get(number, []),
            rated[number].note,
        )  # fmt: skip
        decisions.append(
            {
                **row,
                **_describe_class(best, activities[number], schema),
                "status": "accepted" if best.score >= threshold else "review",
                "candidates": _dump_candidates(candidates[number]),
                "evidence": write_evidence(known, leaves[number], schema, example_names or {}),
                "schema_version": schema.version,
                "knowledge_version": knowledge_version,
                "ranker_version": spell_version(ranker.version, reranker, rated[number].outcome),
                "query": texts[number],
            }
        )
    return pl.DataFrame(decisions, schema=DECISION_SCHEMA)


def _describe_class(best: Candidate, activity_id: int, schema: OcsfSchema) -> dict[str, object]:
    event_class = schema.get_class(best.class_uid)
    return {
        "class_uid": best.class_uid,
        "class_name": event_class.caption,
        "category_uid": event_class.category_uid,
        "activity_id": activity_id,
        "type_uid": best.class_uid * 100 + activity_id,
        "confidence": float(best.score),
    }


def _dump_candidates(candidates: Sequence[Candidate]) -> str:
    return json.dumps(
        [
            {
                "class_uid": item.class_uid,
                "class_name": item.class_name,
                "score": round(item.score, 4),
            }
            for item in candidates
        ]
    )


def _list_candidates(
    row: npt.NDArray[np.float32], class_uids: Sequence[int], schema: OcsfSchema, count: int
) -> list[Candidate]:
    order = np.argsort(-row, kind="stable")[:count]
    return [
        Candidate(class_uids[at], schema.get_class(class_uids[at]).caption, float(row[at]))
        for at in order
    ]
