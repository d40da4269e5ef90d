"""Kernel ridge regression over sparse vectors: one inverse, any number of targets and left-outs.

Belongs here: solving, and predicting groups of rows by models that never saw them. Does not belong
here: what rows and targets are (`training`).

Among the linear models tried, ridge on one-hot targets was as good on unseen products as logistic
regression and takes seconds where that took minutes: see docs/decisions/0006-ranker.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import blas, lapack, solve
from scipy.sparse import csr_matrix

_KERNEL_BLOCK_ROWS = 500

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class KernelRidge:
    """A solved ridge regression."""

    inverse: Floats
    """[rows, rows], of the kernel with the damping on its diagonal; the lower triangle alone."""
    dual: Floats
    """[rows, targets]: predictions are `kernel(new, rows) @ dual`."""
    targets: Floats

    def predict_left_out(self, folds: Sequence[npt.NDArray[np.intp]]) -> Floats:
        """Return [rows, targets]: each row as a model trained without its fold would predict it.

        `folds` holds, per fold, the positions of its rows; rows of no fold get zeros. Exact, and
        no model is trained anew: what a fold's targets add is solved out of the inverse.
        """
        left_out = np.zeros_like(self.targets)
        for fold in folds:
            rows = np.sort(fold)
            # `scipy.linalg.solve` estimates conditions first, which takes longer than solving.
            block = self.inverse[np.ix_(rows, rows)]
            _, added, fault = lapack.sposv(block, self.dual[rows], lower=True)
            _require_definite(fault)
            left_out[rows] = self.targets[rows] - added
        return left_out


def build_kernel(vectors: csr_matrix, pair_share: float = 0.0) -> Floats:
    """Return how alike all rows are (`compare_rows`), [rows, rows].

    By blocks, in two threads: as one product it would be made by one thread, and three times as
    large on the way.
    """
    count = vectors.shape[0]
    columns = csr_matrix(vectors.T)
    kernel = np.empty((count, count), dtype=np.float32)

    def fill(start: int) -> None:
        rows = slice(start, start + _KERNEL_BLOCK_ROWS)
        kernel[rows] = compare_rows(vectors[rows], columns, pair_share)

    with ThreadPoolExecutor(2, thread_name_prefix="ocsf-kernel") as pool:
        list(pool.map(fill, range(0, count, _KERNEL_BLOCK_ROWS)))  # raises what a block raised
    return kernel


def compare_rows(vectors: csr_matrix, columns: csr_matrix, pair_share: float) -> Floats:
    """Return products of `vectors` and `columns`, and `pair_share` times their squares.

    Shapes: [rows, width], [width, others], [rows, others]. A squared product is the product of all
    pairs of columns.
    """
    products: Floats = (vectors @ columns).toarray()
    return products + np.float32(pair_share) * products**2 if pair_share else products


def solve_dual(gram: Floats, targets: Floats, row_weights: Floats, damping: float) -> Floats:
    """Return the dual weights alone, [rows, targets]: three times as fast as `solve_ridge`.

    `gram` is overwritten.
    """
    system = _damp(gram, row_weights, damping)
    dual = solve(system, targets, assume_a="pos", overwrite_a=True, check_finite=False)
    return np.asarray(dual, dtype=np.float32)


def solve_ridge(gram: Floats, targets: Floats, row_weights: Floats, damping: float) -> KernelRidge:
    """Solve for `targets` [rows, targets]; `gram` [rows, rows] is the kernel of the rows.

    A row of a higher weight is fitted more closely. `gram` is overwritten: it is as large as all
    else together.
    """
    system = _damp(gram, row_weights, damping)
    factor, fault = lapack.spotrf(system, lower=True, overwrite_a=True)
    _require_definite(fault)
    # LAPACK fills the lower half only, and that is enough: a copy of the other takes time and room.
    inverse, _ = lapack.spotri(factor, lower=True, overwrite_c=True)
    dual = blas.ssymm(1.0, inverse, targets, lower=True)
    return KernelRidge(inverse, np.asarray(dual, dtype=np.float32), targets)


def _require_definite(fault: int) -> None:
    if fault:
        raise ValueError(f"the kernel is not positive definite at row {fault}")


def _damp(gram: Floats, row_weights: Floats, damping: float) -> Floats:
    # Of a symmetric matrix the transpose is the same in the order that LAPACK wants.
    system = np.asarray(gram.T, dtype=np.float32, order="F")
    system[np.diag_indices_from(system)] += np.float32(damping) / row_weights
    return system
