"""Queries -> sparse TF-IDF vectors, one block per part of the query.

Belongs here: vocabularies, weights of terms. Does not belong here: which terms a query has
(`terms`), what is learned over the vectors (`training`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, diags, hstack

from ocsf_pipeline.classify.queries import LogQuery
from ocsf_pipeline.classify.terms import PARTS, list_terms

_MAX_TERMS = 30_000
_MIN_USES = 2

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class PartVocabulary:
    """The terms of one part, and how telling each is."""

    part: str
    terms: tuple[str, ...]
    rarity: Floats

    @cached_property
    def columns(self) -> dict[str, int]:
        """Column of each term within the part's block."""
        return {term: column for column, term in enumerate(self.terms)}


@dataclass(frozen=True)
class QueryVectorizer:
    """Turns queries into vectors; knows only the terms that it was fitted on."""

    vocabularies: tuple[PartVocabulary, ...]
    _latest: dict[tuple[LogQuery, ...], csr_matrix] = field(
        default_factory=dict, compare=False, repr=False
    )
    """What was asked last: classes, activities and reasons are asked of the same queries."""

    @property
    def width(self) -> int:
        """Number of columns."""
        return sum(len(item.terms) for item in self.vocabularies)

    @cached_property
    def column_parts(self) -> npt.NDArray[np.str_]:
        """The part that each column belongs to."""
        return np.repeat(
            [item.part for item in self.vocabularies],
            [len(item.terms) for item in self.vocabularies],
        )

    @cached_property
    def column_terms(self) -> tuple[str, ...]:
        """The term of each column."""
        return tuple(term for item in self.vocabularies for term in item.terms)

    def transform(self, queries: Sequence[LogQuery]) -> csr_matrix:
        """Return float32 [len(queries), width]; the block of each part has length 1, or 0."""
        asked = tuple(queries)
        found = self._latest.get(asked)
        if found is None:
            blocks = [_build_block(item, queries) for item in self.vocabularies]
            found = hstack(blocks, format="csr", dtype=np.float32)
            self._latest.clear()
            self._latest[asked] = found
        return found

    def measure_familiarity(self, queries: Sequence[LogQuery]) -> Floats:
        """Return [len(queries), 2]: share of known words in what is said, and in the keys."""
        known = {item.part: item.columns for item in self.vocabularies}
        shares = np.zeros((len(queries), 2), dtype=np.float32)
        for row, query in enumerate(queries):
            for column, parts in enumerate((("names", "message"), ("keys",))):
                terms = [
                    (part, term)
                    for part in parts
                    for term in list_terms(query, part)
                    if " " not in term and "=" not in term
                ]
                hits = sum(term in known.get(part, {}) for part, term in terms)
                # One more unknown word than there are: little text is little to go by.
                shares[row, column] = hits / (len(terms) + 1)
        return shares


def fit_vectorizer(queries: Sequence[LogQuery], owners: Sequence[str]) -> QueryVectorizer:
    """Learn the terms of every part that at least two of `queries` use.

    `owners[i]` is the product of `queries[i]`: a term is the rarer the fewer products use it.
    """
    owner_count = len(set(owners))
    vocabularies = []
    for part in PARTS:
        uses: Counter[str] = Counter()
        users: dict[str, set[str]] = {}
        for query, owner in zip(queries, owners, strict=True):
            for term in set(list_terms(query, part)):
                uses[term] += 1
                users.setdefault(term, set()).add(owner)
        common = sorted(
            (term for term, count in uses.items() if count >= _MIN_USES),
            key=lambda term: (-uses[term], term),
        )[:_MAX_TERMS]
        terms = tuple(sorted(common))
        spread = np.array([len(users[term]) for term in terms], dtype=np.float32)
        rarity = np.log((1 + owner_count) / (1 + spread)) + 1
        vocabularies.append(PartVocabulary(part, terms, rarity.astype(np.float32)))
    return QueryVectorizer(tuple(vocabularies))


def _build_block(vocabulary: PartVocabulary, queries: Sequence[LogQuery]) -> csr_matrix:
    columns = vocabulary.columns
    indices: list[int] = []
    values: list[float] = []
    starts = [0]
    for query in queries:
        counts = Counter(
            columns[term] for term in list_terms(query, vocabulary.part) if term in columns
        )
        indices.extend(counts)
        values.extend(counts.values())
        starts.append(len(indices))
    weights = (1 + np.log(np.array(values, dtype=np.float32))) * vocabulary.rarity[indices]
    block = csr_matrix(
        (weights.astype(np.float32), indices, starts), shape=(len(queries), len(columns))
    )
    lengths = np.sqrt(np.asarray(block.multiply(block).sum(axis=1)).ravel())
    scale = np.where(lengths > 0, 1 / np.maximum(lengths, 1e-9), 0).astype(np.float32)
    return csr_matrix(diags(scale) @ block)
