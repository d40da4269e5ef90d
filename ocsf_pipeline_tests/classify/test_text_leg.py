"""The text leg: what it says is what kernel ridge over terms and pairs of terms says."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy.sparse import csr_matrix

from ocsf_pipeline.classify import text_leg
from ocsf_pipeline.classify.ridge import build_kernel, solve_ridge
from ocsf_pipeline.classify.text_leg import PAIR_SHARE, TextLeg

Floats = npt.NDArray[np.float32]
# Which class it is takes both terms: each alone is of either class as often.
BOTH_MATTER = np.array([[1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 0, 1], [0, 1, 1, 0]], np.float32)
CLASSES = np.eye(2, dtype=np.float32)[[0, 0, 1, 1]]


def fit_leg(rows: Floats, targets: Floats) -> TextLeg:
    vectors = csr_matrix(rows)
    kernel = build_kernel(vectors, PAIR_SHARE)
    solved = solve_ridge(kernel, targets, np.ones(len(rows), np.float32), 0.01)
    return TextLeg(vectors, solved.dual)


def test_tells_apart_what_only_two_terms_together_tell() -> None:
    leg = fit_leg(BOTH_MATTER, CLASSES)
    scores = leg.score(csr_matrix(BOTH_MATTER))
    assert scores.argmax(axis=1).tolist() == [0, 0, 1, 1]
    by_themselves = BOTH_MATTER @ leg.term_weights
    assert np.ptp(by_themselves, axis=1).max() < 0.01


def test_scores_by_blocks_what_the_kernel_says(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(1)
    rows = random.random((30, 12), np.float32)
    targets = np.eye(3, dtype=np.float32)[random.integers(0, 3, 30)]
    leg = fit_leg(rows, targets)
    asked = random.random((7, 12), np.float32)
    likeness = asked @ rows.T
    expected = (likeness + PAIR_SHARE * likeness**2) @ leg.row_weights
    monkeypatch.setattr(text_leg, "_BLOCK_QUERIES", 3)
    np.testing.assert_allclose(leg.score(csr_matrix(asked)), expected, rtol=1e-3, atol=1e-3)


def test_asking_nothing_gives_nothing() -> None:
    assert fit_leg(BOTH_MATTER, CLASSES).score(csr_matrix((0, 4), dtype=np.float32)).shape == (0, 2)
