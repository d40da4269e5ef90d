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
from ocsf_pipeline.classify.queries import build_query
from ocsf_pipeline.classify.ranker import Ranker
from ocsf_pipeline.ports import Candidate, Embedder, Reranker
from ocsf_pipeline.schema.model import OcsfSchema

CANDIDATE_COUNT = 5
SEARCH_LIMIT = 60
"""Chunks that are asked of the index per query."""
_NEAREST_SHOWN = 3
_KEPT_COLUMNS = ("template_id", "format", "vendor", "product", "sample_fields", "sample_raw")
_PART_NAMES = {
    "head": "event name",
    "names": "named by",
    "concepts": "says",
    "message": "message",
    "values": "value",
    "keys": "field",
    "kinds": "kind of value",
    "source": "source",
}


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
    best_uids = [items[0].class_uid for items in ranked]
    activities = ranker.choose_activities(queries, best_uids)
    terms = ranker.explain(queries, best_uids)
    nearest = _gather_nearest(hits)
    rows = [
        {
            **row,
            **_describe_class(ranked[row_no][0], activities[row_no], schema),
            "status": "accepted" if ranked[row_no][0].score >= threshold else "review",
            "candidates": _dump_candidates(ranked[row_no]),
            "evidence": _explain(nearest.get(row_no, []), terms[row_no], schema, notes[row_no]),
            "schema_version": schema.version,
            "knowledge_version": knowledge_version,
            "ranker_version": ranker.version,
            "query": texts[row_no],
        }
        for row_no, row in enumerate(templates.select(_KEPT_COLUMNS).iter_rows(named=True))
    ]
    return pl.DataFrame(rows, schema=DECISION_SCHEMA)


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
    nearest: Sequence[dict[str, object]],
    terms: Sequence[tuple[str, str, float]],
    schema: OcsfSchema,
    note: str,
) -> str:
    """Return the evidence as JSON: what an analyst reads to see why."""
    evidence: list[dict[str, object]] = [
        {
            "kind": _PART_NAMES.get(part, part),
            "text": _spell_term(term),
            "weight": round(weight, 4),
        }
        for part, term, weight in terms
    ]
    evidence.extend(
        {
            "kind": "example",
            "text": f"{hit['product'] or 'override'}: {_name_class(hit['class_uid'], schema)}",
            "weight": round(float(str(hit["dense_score"])), 4),
        }
        for hit in nearest
    )
    if note:
        evidence.append({"kind": "reranker", "text": note, "weight": 0.0})
    return json.dumps(evidence)


def _spell_term(term: str) -> str:
    sign, colon, concept = term.partition(":")
    return concept if colon and sign in ("h", "n", "m", "k") else term.replace("=", " is ")


def _name_class(class_uid: object, schema: OcsfSchema) -> str:
    found = schema.find_class(int(str(class_uid)))
    return found.caption if found else str(class_uid)
