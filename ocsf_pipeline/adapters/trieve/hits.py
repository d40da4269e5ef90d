"""One search of Trieve and its hits, as every ClassIndex gives them.

Belongs here: the request's body, the scores by their kind. Does not belong here: sending it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from ocsf_pipeline.adapters.trieve.chunks import OURS
from ocsf_pipeline.adapters.trieve.place import SearchMode
from ocsf_pipeline.knowledge.hits import HIT_SCHEMA

Json = dict[str, Any]

_SCORE_COLUMNS: dict[SearchMode, str] = {
    "semantic": "dense_score",
    "fulltext": "lexical_score",
    "bm25": "lexical_score",
    "hybrid": "rerank_score",
}
"""What the server's one score is in each mode."""
_ROW_SCHEMA = {
    name: HIT_SCHEMA[name]
    for name in (
        "query_no", "rank", "chunk_id", "class_uid", "kind", "activity_id", "product", "score",
    )
}  # fmt: skip


def make_search(query: str, mode: SearchMode, limit: int) -> Json:
    """Return the body of a search for the `limit` nearest chunks of ours.

    No `sort_options`: with them weights would count. No highlights: they rewrite the text.
    """
    return {
        "query": query,
        "search_type": mode,
        "page_size": limit,
        "filters": OURS,
        "slim_chunks": True,
    }


def read_hits(answers: Iterable[tuple[int, Sequence[Json]]], mode: SearchMode) -> pl.DataFrame:
    """Return the hits of (query_no, answer) pairs as HIT_SCHEMA, in the order given.

    Hits that carry no metadata of ours are left out.
    """
    rows = []
    for query_no, answer in answers:
        ours = [row for item in answer if (row := _read_hit(item)) is not None]
        rows += [(query_no, rank, *row) for rank, row in enumerate(ours)]
    frame = pl.DataFrame(rows, schema=_ROW_SCHEMA, orient="row")
    scores = {name: pl.lit(None) for name in HIT_SCHEMA.names() if name not in _ROW_SCHEMA}
    scores[_SCORE_COLUMNS[mode]] = pl.col("score")
    return frame.with_columns(**scores).select(HIT_SCHEMA.names()).cast(HIT_SCHEMA)


def _read_hit(item: Json) -> tuple[object, ...] | None:
    metadata = item["chunk"].get("metadata")
    if not isinstance(metadata, dict):
        return None
    class_uid, kind = metadata.get("class_uid"), metadata.get("kind")
    if not isinstance(class_uid, int) or not isinstance(kind, str):
        return None
    activity_id, product = metadata.get("activity_id"), metadata.get("product")
    return (
        str(metadata.get("chunk_id") or ""),
        class_uid,
        kind,
        activity_id if isinstance(activity_id, int) else None,
        product if isinstance(product, str) else None,
        float(item["score"]),
    )
