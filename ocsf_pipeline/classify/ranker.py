"""The learned ranker: queries and their nearest chunks -> calibrated probabilities of classes.

Belongs here: the ranker's arrays, training, ranking, bytes. Does not belong here: searching
(adapters), thresholds and evidence (`decide`), measuring (`evaluate`).
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from ocsf_pipeline.classify.queries import LogQuery
from ocsf_pipeline.classify.vectors import PartVocabulary, QueryVectorizer, fit_vectorizer
from ocsf_pipeline.knowledge.examples import LabelledExample
from ocsf_pipeline.schema.model import OcsfSchema

RANKER_FORMAT = 1
"""Changes whenever bytes of an older ranker can no longer be read or mean something else."""

Floats = npt.NDArray[np.float32]


class RankerError(ValueError):
    """Bytes that are no ranker of this format, or examples that none can be trained on."""


@dataclass(frozen=True)
class Ranker:
    """A trained ranker: arrays only."""

    schema_version: str
    class_uids: tuple[int, ...]
    """The classes that it may propose, ascending: the live ones that have examples."""
    vectorizer: QueryVectorizer
    weights: Floats
    """[columns of the vectorizer, classes]"""
    sharpness: float
    pairs: tuple[tuple[int, int], ...]
    """(class_uid, activity_id) pairs that have examples."""
    pair_weights: Floats

    @cached_property
    def version(self) -> str:
        """16 hex digits over everything that decides an answer."""
        return hashlib.sha256(self.to_bytes()).hexdigest()[:16]

    def rank_classes(
        self,
        queries: Sequence[LogQuery],
        hits: pl.DataFrame,
        embeddings: Floats | None = None,
    ) -> Floats:
        """Return calibrated probabilities, float32 [len(queries), len(class_uids)].

        `hits` is `ClassIndex.search_chunks` of the queries' texts; `embeddings` float32
        [len(queries), dimensions] of the same texts, or None. Rows sum to at most 1.
        """
        scores = self.sharpness * (self.vectorizer.transform(queries) @ self.weights)
        return _softmax(scores)

    def choose_activities(
        self, queries: Sequence[LogQuery], class_uids: Sequence[int]
    ) -> list[int]:
        """Return the likeliest activity_id of each query, given its class; 0 when not evident."""
        scores = self.vectorizer.transform(queries) @ self.pair_weights
        owners = np.array([pair[0] for pair in self.pairs])
        chosen = []
        for row, class_uid in enumerate(class_uids):
            columns = np.flatnonzero(owners == class_uid)
            if len(columns) == 0:
                chosen.append(0)
                continue
            best = columns[np.argmax(scores[row, columns])]
            chosen.append(self.pairs[best][1])
        return chosen

    def to_bytes(self) -> bytes:
        """Return the ranker as an npz archive; the same ranker gives the same bytes."""
        header = {
            "format": RANKER_FORMAT,
            "schema_version": self.schema_version,
            "class_uids": self.class_uids,
            "sharpness": self.sharpness,
            "pairs": self.pairs,
            "vocabularies": [
                {"part": item.part, "terms": item.terms} for item in self.vectorizer.vocabularies
            ],
        }
        buffer = io.BytesIO()
        arrays: dict[str, npt.NDArray[np.generic]] = {
            "header": np.frombuffer(json.dumps(header).encode(), dtype=np.uint8),
            "weights": self.weights.astype(np.float16),
            "pair_weights": self.pair_weights.astype(np.float16),
            **{f"idf_{item.part}": item.idf for item in self.vectorizer.vocabularies},
        }
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, body: bytes) -> Ranker:
        """Return the ranker that `to_bytes` wrote; raises RankerError for anything else."""
        try:
            with np.load(io.BytesIO(body), allow_pickle=False) as arrays:
                header = json.loads(arrays["header"].tobytes())
                if header["format"] != RANKER_FORMAT:
                    raise RankerError(
                        f"ranker of format {header['format']}, this release reads {RANKER_FORMAT}; "
                        "materialise `class_ranker` again"
                    )
                return cls(
                    schema_version=header["schema_version"],
                    class_uids=tuple(header["class_uids"]),
                    vectorizer=QueryVectorizer(
                        tuple(
                            PartVocabulary(
                                item["part"], tuple(item["terms"]), arrays[f"idf_{item['part']}"]
                            )
                            for item in header["vocabularies"]
                        )
                    ),
                    weights=arrays["weights"].astype(np.float32),
                    sharpness=header["sharpness"],
                    pairs=tuple((pair[0], pair[1]) for pair in header["pairs"]),
                    pair_weights=arrays["pair_weights"].astype(np.float32),
                )
        except (KeyError, ValueError, OSError, EOFError) as error:
            if isinstance(error, RankerError):
                raise
            raise RankerError(f"not a ranker: {error}; materialise `class_ranker` again") from error


def train_ranker(
    schema: OcsfSchema,
    examples: Sequence[LabelledExample],
    queries: Sequence[LogQuery],
    hits: pl.DataFrame,
    embeddings: Floats | None = None,
    seed: int = 0,
) -> Ranker:
    """Train on labelled examples; the same input gives the same ranker.

    `queries[i]` is the query of `examples[i]`, and `hits` the search result of their texts.
    Raises RankerError when the examples are fewer than two classes.
    """
    live = {item.uid for item in schema.live_classes}
    kept = [row for row, example in enumerate(examples) if example.class_uid in live]
    class_uids = tuple(sorted({examples[row].class_uid for row in kept}))
    if len(class_uids) < 2:
        raise RankerError(
            f"examples of {len(class_uids)} live classes cannot train a ranker; add source packs"
        )
    kept_queries = [queries[row] for row in kept]
    vectorizer = fit_vectorizer(kept_queries)
    vectors = vectorizer.transform(kept_queries)
    pairs = tuple(sorted({(examples[row].class_uid, examples[row].activity_id) for row in kept}))
    targets = np.zeros((len(kept), len(class_uids) + len(pairs)), dtype=np.float32)
    for position, row in enumerate(kept):
        example = examples[row]
        targets[position, class_uids.index(example.class_uid)] = 1
        targets[
            position, len(class_uids) + pairs.index((example.class_uid, example.activity_id))
        ] = 1
    gram = np.asarray((vectors @ vectors.T).toarray(), dtype=np.float32)
    gram[np.diag_indices_from(gram)] += np.float32(0.3)
    weights = np.asarray(vectors.T @ np.linalg.solve(gram, targets), dtype=np.float32)
    weights = weights.astype(np.float16).astype(np.float32)
    return Ranker(
        schema_version=schema.version,
        class_uids=class_uids,
        vectorizer=vectorizer,
        weights=weights[:, : len(class_uids)],
        sharpness=8.0,
        pairs=pairs,
        pair_weights=weights[:, len(class_uids) :],
    )


def _softmax(scores: Floats) -> Floats:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    # A hair below 1, so that sums stay there in whatever order they are taken.
    return np.asarray(powers / powers.sum(axis=1, keepdims=True) * (1 - 1e-6), dtype=np.float32)
