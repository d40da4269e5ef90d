"""Search hits -> scores per class: how near its chunks are to each query.

Belongs here: turning `ClassIndex.search_chunks` results into arrays. Does not belong here:
searching, weighing the scores (`combine`).

Ranks are used, and nearness between 0 and 1: the cosine, or a cross-encoder's score where a search
gives that in its place. BM25's and SPLADE's own scales are not. A ranker is trained on results of
the index that it will see.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

Floats = npt.NDArray[np.float32]

HIT_LEGS = ("nearest", "votes", "description")
_DAMPING = 5.0


def score_hits(hits: pl.DataFrame, query_count: int, class_uids: Sequence[int]) -> Floats:
    """Return [query_count, classes, len(HIT_LEGS)], 0 where a class has no hit.

    nearest: nearness of its nearest example; votes: its share of rank-weighted examples;
    description: nearness of the nearest chunk that the schema gave.
    """
    scores = np.zeros((query_count, len(class_uids), len(HIT_LEGS)), dtype=np.float32)
    columns = {uid: column for column, uid in enumerate(class_uids)}
    known = hits.filter(pl.col("class_uid").is_in(list(columns)))
    if known.is_empty():
        return scores
    known = known.sort("query_no", "rank").with_columns(
        is_example=pl.col("kind") == "example",
        # Ranks are counted anew: hits may have been left out.
        place=pl.col("rank").rank("ordinal").over("query_no", "kind") - 1,
        nearness=pl.coalesce("dense_score", "rerank_score").fill_null(0.0).clip(0.0, 1.0),
    )
    rows = known["query_no"].to_numpy().astype(np.intp)
    places = known["class_uid"].replace_strict(columns).to_numpy().astype(np.intp)
    is_example = known["is_example"].to_numpy()
    nearness = known["nearness"].to_numpy().astype(np.float32)
    weight = (1 / (_DAMPING + known["place"].to_numpy())).astype(np.float32)
    np.maximum.at(scores[:, :, 0], (rows[is_example], places[is_example]), nearness[is_example])
    np.add.at(scores[:, :, 1], (rows[is_example], places[is_example]), weight[is_example])
    np.maximum.at(scores[:, :, 2], (rows[~is_example], places[~is_example]), nearness[~is_example])
    totals = scores[:, :, 1].sum(axis=1, keepdims=True)
    scores[:, :, 1] /= np.where(totals > 0, totals, 1)
    return scores


def drop_hits(
    hits: pl.DataFrame, example_ids: Sequence[str], groups: Mapping[str, str]
) -> pl.DataFrame:
    """Leave out of each query's hits every example of its own group.

    `example_ids[i]` is the example of query i; `groups` has the group of every example by id, and
    one that it lacks is a group by itself.
    """
    own = pl.DataFrame(
        {
            "query_no": np.arange(len(example_ids), dtype=np.uint32),
            "own_group": [groups.get(name, name) for name in example_ids],
        },
        schema_overrides={"query_no": pl.UInt32, "own_group": pl.String},
    )
    is_own = pl.col("chunk_id").replace(dict(groups)) == pl.col("own_group")
    return hits.join(own, on="query_no", how="left").filter(~is_own).select(hits.columns)
