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
        "dense_score": pl.Float32,  # cosine
        "lexical_score": pl.Float32,  # BM25
        "score": pl.Float32,  # fused; gives the rank
    }
)
