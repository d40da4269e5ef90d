"""What the terms of a query say of its class: each by itself, and every two of them together.

Belongs here: the text leg of a ranker, from vectors to scores. Does not belong here: the vectors
(`vectors`), fitting the leg (`training`), weighing it against other legs (`combine`).

Weights of two terms together (`type: user` beside `action: create`) would be billions, so the leg
keeps the rows that it was trained on, and how much each of them tells.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from ocsf_pipeline.classify.ridge import compare_rows

PAIR_SHARE = 0.1
"""Weight of terms in pairs, beside terms by themselves: see docs/decisions/0016."""
_BLOCK_QUERIES = 500

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class TextLeg:
    """A kernel ridge regression over terms, and over pairs of terms."""

    rows: csr_matrix
    """float32 [rows, columns of the vectorizer], to be multiplied by vectors of queries."""
    row_weights: Floats
    """[rows, classes]"""

    @cached_property
    def _columns(self) -> csr_matrix:
        return csr_matrix(self.rows.T)

    @cached_property
    def term_weights(self) -> Floats:
        """What terms by themselves tell, [columns of the vectorizer, classes]."""
        return np.asarray(self._columns @ self.row_weights, dtype=np.float32)

    def score(self, vectors: csr_matrix) -> Floats:
        """Return the scores of `vectors` [queries, columns], float32 [queries, classes]."""
        count = vectors.shape[0]
        scores = np.empty((count, self.row_weights.shape[1]), dtype=np.float32)
        # By blocks: comparisons are as many as queries times rows.
        for start in range(0, count, _BLOCK_QUERIES):
            asked = slice(start, start + _BLOCK_QUERIES)
            alike = compare_rows(vectors[asked], self._columns, PAIR_SHARE)
            scores[asked] = alike @ self.row_weights
        return scores
