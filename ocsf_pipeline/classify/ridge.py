"""Kernel ridge regression over sparse vectors: one closed-form solve, any number of targets.

Belongs here: solving, and predicting groups of rows by models that never saw them. Does not belong
here: what rows and targets are (`training`).

Among the linear models tried, ridge on one-hot targets was as good on unseen products as logistic
regression and takes seconds where that took minutes: see docs/decisions/0006-ranker.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.linalg import solve

Floats = npt.NDArray[np.float32]


def solve_ridge(gram: Floats, targets: Floats, row_weights: Floats, damping: float) -> Floats:
    """Return dual weights [rows, targets]: predictions are `kernel(new, rows) @ dual`.

    `gram` [rows, rows] is the kernel of the rows with themselves. A row of a higher weight is
    fitted more closely.
    """
    system = gram.copy()
    system[np.diag_indices_from(system)] += np.float32(damping) / row_weights
    dual = solve(system, targets, assume_a="pos", overwrite_a=True, check_finite=False)
    return np.asarray(dual, dtype=np.float32)


def predict_left_out(
    gram: Floats,
    targets: Floats,
    row_weights: Floats,
    damping: float,
    folds: Sequence[npt.NDArray[np.intp]],
) -> Floats:
    """Return [rows, targets]: each row predicted by a model trained without its fold.

    `folds` holds, per fold, the positions of its rows; rows of no fold are in every training set
    and get zeros.
    """
    left_out = np.zeros_like(targets)
    for rows in folds:
        kept = np.setdiff1d(np.arange(len(targets)), rows)
        dual = solve_ridge(gram[np.ix_(kept, kept)], targets[kept], row_weights[kept], damping)
        left_out[rows] = gram[np.ix_(rows, kept)] @ dual
    return left_out
