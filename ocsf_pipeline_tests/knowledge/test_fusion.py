from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ocsf_pipeline.knowledge.fusion import RANK_DAMPING, find_top, fuse_ranks

_SHAPES = st.tuples(st.integers(1, 4), st.integers(1, 30))
_SCORES = st.floats(-1, 1, width=32)


@given(hnp.arrays(np.float32, _SHAPES, elements=_SCORES), st.integers(1, 35))
def test_top_is_the_head_of_a_full_sort(scores: np.ndarray, count: int) -> None:
    found = np.take_along_axis(scores, find_top(scores, count), axis=1)
    assert np.array_equal(found, -np.sort(-scores, axis=1)[:, :count])


@given(_SHAPES.flatmap(lambda shape: hnp.arrays(np.float32, (2, *shape), elements=_SCORES)))
def test_fusion_equals_its_definition(both: np.ndarray) -> None:
    # Distinct scores: among equals the cut is free to choose.
    noise = np.random.default_rng(0).permutation(both[0].size).reshape(both[0].shape)
    dense = (both[0] + noise).astype(np.float32)
    lexical = np.maximum(both[1] + noise[:, ::-1] - both[0].size / 2, 0).astype(np.float32)
    positions, scores = fuse_ranks(dense, lexical, 5)
    for row in range(len(dense)):
        expected = np.zeros(dense.shape[1])
        for rank, column in enumerate(np.argsort(-dense[row], kind="stable")):
            expected[column] += 1 / (RANK_DAMPING + 1 + rank)
        for rank, column in enumerate(np.argsort(-lexical[row], kind="stable")):
            if lexical[row, column] > 0:
                expected[column] += 1 / (RANK_DAMPING + 1 + rank)
        assert np.allclose(scores[row], -np.sort(-expected)[: scores.shape[1]], atol=1e-6)
        assert np.allclose(expected[positions[row]], scores[row], atol=1e-6)


def test_a_chunk_that_both_legs_name_comes_first() -> None:
    dense = np.array([[0.9, 0.8, 0.1]], dtype=np.float32)
    lexical = np.array([[0.0, 5.0, 0.0]], dtype=np.float32)
    positions, _ = fuse_ranks(dense, lexical, 3)
    assert positions.tolist() == [[1, 0, 2]]


def test_ties_go_to_the_higher_cosine() -> None:
    dense = np.array([[0.5, 0.9, 0.1, 0.2]], dtype=np.float32)
    lexical = np.array([[9.0, 1.0, 0.0, 0.0]], dtype=np.float32)
    positions, scores = fuse_ranks(dense, lexical, 2)
    assert scores[0, 0] == scores[0, 1]
    assert positions.tolist() == [[1, 0]]


def test_the_same_scores_give_the_same_order() -> None:
    scores = np.zeros((2, 50), dtype=np.float32)
    first, _ = fuse_ranks(scores, scores, 10)
    again, _ = fuse_ranks(scores.copy(), scores.copy(), 10)
    assert np.array_equal(first, again)
