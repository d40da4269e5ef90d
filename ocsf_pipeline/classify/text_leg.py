"""What the terms of a query say of its class: each by itself, and every two of them together.

Belongs here: the text leg of a ranker, from vectors to scores. Does not belong here: the vectors
(`vectors`), fitting the leg (`training`), weighing it against other legs (`combine`).

Terms by themselves are weights; two together (`type: user` beside `action: create`) would be
billions of weights, and are instead the squared likeness to each row that was trained on.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

PAIR_SHARE = 0.1
"""Weight of terms in pairs, beside terms by themselves: see docs/decisions/0016."""
_BLOCK_QUERIES = 500

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class TextLeg:
    """A kernel ridge regression over terms, and over pairs of terms."""

    term_weights: Floats
    """[columns of the vectorizer, classes], of terms by themselves."""
    rows: csr_matrix
    """float32 [rows, columns]: products with vectors of queries are how alike they are."""
    row_weights: Floats
    """[rows, classes]"""

    @cached_property
    def _columns(self) -> csr_matrix:
        return csr_matrix(self.rows.T)

    def score(self, vectors: csr_matrix) -> Floats:
        """Return the scores of `vectors` [queries, columns], float32 [queries, classes]."""
        scores = np.asarray(vectors @ self.term_weights, dtype=np.float32)
        # By blocks: likenesses are as many as queries times rows.
        for start in range(0, len(scores), _BLOCK_QUERIES):
            asked = slice(start, start + _BLOCK_QUERIES)
            likeness = (vectors[asked] @ self._columns).toarray()
            scores[asked] += PAIR_SHARE * (likeness**2 @ self.row_weights)
        return scores
