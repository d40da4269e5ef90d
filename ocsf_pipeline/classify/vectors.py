"""Queries -> sparse TF-IDF vectors, one block per part of the query.

Belongs here: tokens, vocabularies, weights of the parts. Does not belong here: what a query is
(`queries`), what is learned over the vectors (`ranker`).
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, diags, hstack

from ocsf_pipeline.classify.queries import LogQuery

PARTS: Mapping[str, float] = {
    "names": 1.0,
    "message": 1.0,
    "keys": 0.8,
    "kinds": 0.3,
    "source": 0.3,
}
"""Part of the query -> weight of its block; each block is scaled to that length."""
_BIGRAM_PARTS = frozenset({"names", "message", "keys"})
_MAX_TERMS = 40_000
_MIN_USES = 2


@dataclass(frozen=True)
class PartVocabulary:
    """The terms of one part, and how telling each is."""

    part: str
    terms: tuple[str, ...]
    idf: npt.NDArray[np.float32]


@dataclass(frozen=True)
class QueryVectorizer:
    """Turns queries into vectors; knows only the terms that it was fitted on."""

    vocabularies: tuple[PartVocabulary, ...]

    @property
    def width(self) -> int:
        """Number of columns."""
        return sum(len(item.terms) for item in self.vocabularies)

    @property
    def column_terms(self) -> list[tuple[str, str]]:
        """(part, term) of each column."""
        return [(item.part, term) for item in self.vocabularies for term in item.terms]

    def transform(self, queries: Sequence[LogQuery]) -> csr_matrix:
        """Return float32 [len(queries), width]; a query without a known term is a row of zeros."""
        blocks = [_build_block(item, queries) for item in self.vocabularies]
        return hstack(blocks, format="csr", dtype=np.float32)


def fit_vectorizer(queries: Sequence[LogQuery]) -> QueryVectorizer:
    """Learn the terms of every part that at least two of `queries` use."""
    vocabularies = []
    for part in PARTS:
        uses = Counter(
            term for query in queries for term in set(_list_terms(part, getattr(query, part)))
        )
        common = sorted(
            (term for term, count in uses.items() if count >= _MIN_USES),
            key=lambda term: (-uses[term], term),
        )[:_MAX_TERMS]
        terms = tuple(sorted(common))
        counts = np.array([uses[term] for term in terms], dtype=np.float32)
        idf = np.log((1 + len(queries)) / (1 + counts)).astype(np.float32) + np.float32(1)
        vocabularies.append(PartVocabulary(part, terms, idf))
    return QueryVectorizer(tuple(vocabularies))


def _list_terms(part: str, text: str) -> Iterator[str]:
    words = [word for word in text.lower().split() if any(map(str.isalnum, word))]
    yield from words
    if part in _BIGRAM_PARTS:
        yield from (f"{left} {right}" for left, right in itertools.pairwise(words))


def _build_block(vocabulary: PartVocabulary, queries: Sequence[LogQuery]) -> csr_matrix:
    columns = {term: column for column, term in enumerate(vocabulary.terms)}
    indices: list[int] = []
    values: list[float] = []
    starts = [0]
    for query in queries:
        counts = Counter(
            columns[term]
            for term in _list_terms(vocabulary.part, getattr(query, vocabulary.part))
            if term in columns
        )
        indices.extend(counts)
        values.extend(counts.values())
        starts.append(len(indices))
    weights = (1 + np.log(np.array(values, dtype=np.float32))) * vocabulary.idf[indices]
    block = csr_matrix(
        (weights.astype(np.float32), indices, starts), shape=(len(queries), len(columns))
    )
    lengths = np.sqrt(np.asarray(block.multiply(block).sum(axis=1)).ravel())
    scale = np.where(lengths > 0, PARTS[vocabulary.part] / np.maximum(lengths, 1e-9), 0)
    return csr_matrix(diags(scale.astype(np.float32)) @ block)
