"""Templates -> decisions: class, activity, confidence, candidates, evidence, status.

Belongs here: putting retrieval, ranking and explanation together for a batch of templates. Does
not belong here: where templates come from, where decisions are stored.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from ocsf_pipeline.classify.decisions import DECISION_SCHEMA
from ocsf_pipeline.classify.queries import LogQuery, build_query
from ocsf_pipeline.classify.ranker import Ranker
from ocsf_pipeline.ports import Candidate, Embedder, Reranker
from ocsf_pipeline.schema.model import OcsfSchema

CANDIDATE_COUNT = 5
SEARCH_LIMIT = 60
"""Chunks that are asked of the index per query."""
_NEAREST_SHOWN = 3


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
) -> pl.DataFrame:
    """Decide each template (template_id, format, vendor, product, sample_fields, sample_raw).

    Returns one row per template in the same order, shaped as DECISION_SCHEMA. Confidence at or
    above `threshold` is accepted, below it is for review. `reranker`, when given, sees only what
    is below. Raises what the ports raise.
    """
    if templates.is_empty():
        return DECISION_SCHEMA.to_frame()
    queries = [
        build_query(
            row["sample_fields"], row["sample_raw"], row["format"], row["vendor"], row["product"]
        )
        for row in templates.iter_rows(named=True)
    ]
    texts = [query.text for query in queries]
    hits = index.search_chunks(texts, SEARCH_LIMIT)
    embeddings = embedder.encode(texts) if embedder is not None else None
    probabilities = ranker.rank_classes(queries, hits, embeddings)
    ranked = [_list_candidates(row, ranker.class_uids, schema) for row in probabilities]
    notes = [""] * len(ranked)
    if reranker is not None:
        _apply_reranker(reranker, texts, ranked, notes, threshold)
    activities = ranker.choose_activities(queries, [item[0].class_uid for item in ranked])
    nearest = _gather_nearest(hits)
    rows = []
    for row_no, row in enumerate(templates.iter_rows(named=True)):
        best = ranked[row_no][0]
        event_class = schema.get_class(best.class_uid)
        activity = activities[row_no]
        evidence = _explain(queries[row_no], nearest.get(row_no, []), notes[row_no])
        rows.append(
            {
                "template_id": row["template_id"],
                "class_uid": best.class_uid,
                "class_name": event_class.caption,
                "category_uid": event_class.category_uid,
                "activity_id": activity,
                "type_uid": best.class_uid * 100 + activity,
                "confidence": float(best.score),
                "status": "accepted" if best.score >= threshold else "review",
                "candidates": json.dumps(
                    [
                        {
                            "class_uid": item.class_uid,
                            "class_name": item.class_name,
                            "score": round(item.score, 4),
                        }
                        for item in ranked[row_no]
                    ]
                ),
                "evidence": json.dumps(evidence),
                "schema_version": schema.version,
                "knowledge_version": knowledge_version,
                "ranker_version": ranker.version,
                "query": texts[row_no],
                "format": row["format"],
                "vendor": row["vendor"],
                "product": row["product"],
                "sample_fields": row["sample_fields"],
                "sample_raw": row["sample_raw"],
            }
        )
    return pl.DataFrame(rows, schema=DECISION_SCHEMA)


def _list_candidates(
    row: npt.NDArray[np.float32], class_uids: Sequence[int], schema: OcsfSchema
) -> list[Candidate]:
    order = np.argsort(-row, kind="stable")[:CANDIDATE_COUNT]
    return [
        Candidate(class_uids[at], schema.get_class(class_uids[at]).caption, float(row[at]))
        for at in order
    ]


def _apply_reranker(
    reranker: Reranker,
    texts: Sequence[str],
    ranked: list[list[Candidate]],
    notes: list[str],
    threshold: float,
) -> None:
    unsure = [row for row, items in enumerate(ranked) if items[0].score < threshold]
    if not unsure:
        return
    answers = reranker.rerank_candidates(
        [texts[row] for row in unsure], [tuple(ranked[row]) for row in unsure]
    )
    for row, answer in zip(unsure, answers, strict=True):
        if answer.candidates:
            ranked[row] = list(answer.candidates)[:CANDIDATE_COUNT]
        notes[row] = answer.note


def _gather_nearest(hits: pl.DataFrame) -> dict[int, list[dict[str, object]]]:
    examples = hits.filter((pl.col("kind") == "example") & pl.col("dense_score").is_not_null())
    nearest: dict[int, list[dict[str, object]]] = {}
    for hit in examples.sort("query_no", "rank").iter_rows(named=True):
        shown = nearest.setdefault(hit["query_no"], [])
        if len(shown) < _NEAREST_SHOWN:
            shown.append(hit)
    return nearest


def _explain(
    query: LogQuery, nearest: Sequence[dict[str, object]], note: str
) -> list[dict[str, object]]:
    evidence: list[dict[str, object]] = [
        {
            "kind": "example",
            "text": f"{hit['product']}: class {hit['class_uid']} ({hit['chunk_id']})",
            "weight": round(float(str(hit["dense_score"])), 4),
        }
        for hit in nearest
    ]
    if query.names:
        evidence.append({"kind": "names", "text": query.names[:200], "weight": 1.0})
    if note:
        evidence.append({"kind": "reranker", "text": note, "weight": 0.0})
    return evidence
