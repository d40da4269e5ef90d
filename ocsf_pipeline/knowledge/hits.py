"""The shape of a search result: which chunks are near a query.

Belongs here: column names and types, which every ClassIndex shares. Does not belong here:
searching (adapters), making candidates of hits (`classify`).
"""

from __future__ import annotations

import polars as pl

HIT_SCHEMA = pl.Schema(
    {
        "query_no": pl.UInt32,  # position in the queries
        "rank": pl.UInt32,  # from 0, per query
        "chunk_id": pl.String,
        "class_uid": pl.Int64,
        "kind": pl.String,
        "activity_id": pl.Int64,
        "product": pl.String,
        "dense_score": pl.Float32,  # cosine; null where the search gave none
        "lexical_score": pl.Float32,  # BM25 or SPLADE, on its own scale; null as above
        "rerank_score": pl.Float32,  # a cross-encoder's, 0 to 1; null as above
        "score": pl.Float32,  # whichever gave the rank, or what they were fused to
    }
)
