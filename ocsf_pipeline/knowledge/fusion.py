"""Fusing two rankings of the same chunks into one.

Belongs here: reciprocal-rank fusion over score matrices, vectorised. Does not belong here: where
the scores come from (adapters), deciding a class (`classify`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float32]
Positions = npt.NDArray[np.intp]

RANK_DAMPING = 60.0
"""The constant of reciprocal-rank fusion; the usual value."""


def find_top(scores: Scores, count: int) -> Positions:
    """Return the columns of the `count` highest scores of each row, best first.

    Shape [rows, min(count, columns)]. Of equal scores the lower column comes first, except where
    the cut itself falls among equals.
    """
    columns = scores.shape[1]
    count = min(count, columns)
    if count < columns:
        found = np.argpartition(scores, columns - count, axis=1)[:, columns - count :]
        found.sort(axis=1)
    else:
        found = np.broadcast_to(np.arange(columns), scores.shape)
    order = np.argsort(-np.take_along_axis(scores, found, axis=1), axis=1, kind="stable")
    return np.take_along_axis(found, order, axis=1)


def fuse_ranks(
    dense: Scores, lexical: Scores, limit: int, *, depth: int = 200
) -> tuple[Positions, Scores]:
    """Fuse two score matrices [queries, chunks] by reciprocal rank.

    Each leg gives its best `depth` chunks; a lexical score of 0 is no rank. Returns positions and
    fused scores, both [queries, at most limit], best first; ties go to the higher dense score. A
    fused score of 0 means that neither leg named the chunk.
    """
    depth = max(depth, limit)
    fused = np.zeros_like(dense)
    tops = []
    for leg, is_ranked in ((dense, None), (lexical, lexical > 0)):
        top = find_top(leg, depth)
        gains = np.float32(1.0) / (RANK_DAMPING + 1.0 + np.arange(top.shape[1], dtype=np.float32))
        rows = np.broadcast_to(gains, top.shape)
        if is_ranked is not None:
            rows = rows * np.take_along_axis(is_ranked, top, axis=1)
        np.put_along_axis(fused, top, np.take_along_axis(fused, top, axis=1) + rows, axis=1)
        tops.append(top)
    # What neither leg named need not be looked at; what both named stands here twice.
    named = np.sort(np.concatenate(tops, axis=1), axis=1)
    # Neighbouring ranks differ by at least 1e-5 within the depth; the cosine only breaks ties.
    tie = np.take_along_axis(dense, named, axis=1) * np.float32(1e-7)
    scores = np.take_along_axis(fused, named, axis=1) + tie
    scores[:, 1:][named[:, 1:] == named[:, :-1]] = -np.inf
    positions = np.take_along_axis(named, find_top(scores, min(limit, dense.shape[1])), axis=1)
    return positions, np.take_along_axis(fused, positions, axis=1)
