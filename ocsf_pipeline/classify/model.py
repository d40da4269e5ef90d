"""The trained ranker: arrays only, from queries and hits to calibrated probabilities.

Belongs here: ranking, choosing activities, naming what carried an answer, bytes. Does not belong
here: training (`training`), searching (adapters), deciding by a threshold (`decide`).
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import csr_matrix

from ocsf_pipeline.arrays import write_arrays
from ocsf_pipeline.classify.combine import (
    Calibrator,
    Combiner,
    find_leaders,
    read_signs,
    spread_confidence,
)
from ocsf_pipeline.classify.hit_features import HIT_LEGS, score_hits
from ocsf_pipeline.classify.queries import LogQuery
from ocsf_pipeline.classify.text_leg import TextLeg
from ocsf_pipeline.classify.vectors import PartVocabulary, QueryVectorizer

RANKER_FORMAT = 7
"""Changes whenever bytes of an older ranker can no longer be read or mean something else."""

WHOLE: Mapping[str, float] = {
    "head": 1.5, "names": 1.0, "concepts": 1.0, "message": 1.0, "values": 0.5, "keys": 1.0,
    "kinds": 0.4, "source": 0.1, "stems": 1.0, "pieces": 1.0,
}  # fmt: skip
"""Part of the query -> weight in the kernel by which classes are told apart."""
SAID: Mapping[str, float] = {
    "head": 1.0, "names": 1.0, "concepts": 0.7, "message": 1.0, "values": 0.3,
}  # fmt: skip
"""The same for activities: it is what a log says that names the activity."""
_CAPTION_SHARE = 0.5
_UNREADABLE_PARTS = ("stems", "pieces")
"""They repeat what other parts say, in no words for people."""

Floats = npt.NDArray[np.float32]
VARIANTS = ("text", "hits", "dense", "hits+dense")
"""What there is to go by beside the text: each has its own combiner and calibrator."""


class RankerError(ValueError):
    """Bytes that are no ranker of this format, or examples that none can be trained on."""


@dataclass(frozen=True)
class Ranker:
    """A trained ranker."""

    schema_version: str
    class_uids: tuple[int, ...]
    """The classes that it may propose, ascending: the live ones that have examples."""
    vectorizer: QueryVectorizer
    text_leg: TextLeg
    dense_weights: Floats | None
    """[dimensions, classes] of the vectors' leg, where it was trained with vectors."""
    combiners: Mapping[str, Combiner]
    """By variant; `text` is always there."""
    calibrators: Mapping[str, Calibrator]
    threshold: float
    """Confidence from which answers on unseen products were right often enough in training."""
    pairs: tuple[tuple[int, int, int], ...]
    """(class_uid, activity_id, number of its caption) of all activities that have examples."""
    activity_weights: csr_matrix
    """[columns, pairs and then captions]; one in twenty is not 0."""

    @cached_property
    def version(self) -> str:
        """16 hex digits over everything that decides an answer."""
        return hashlib.sha256(self.to_bytes()).hexdigest()[:16]

    def rank_classes(
        self, queries: Sequence[LogQuery], hits: pl.DataFrame, embeddings: Floats | None = None
    ) -> Floats:
        """Return calibrated probabilities, float32 [len(queries), len(class_uids)].

        `hits` is `ClassIndex.search_chunks` of the queries' texts, possibly empty; `embeddings`
        float32 [len(queries), dimensions] of the same texts, or None. Rows sum to less than 1;
        what is missing is the chance that the log is of no class, or of none that is known.
        """
        if not queries:
            return np.zeros((0, len(self.class_uids)), dtype=np.float32)
        vectors = self.vectorizer.transform(queries)
        familiarity = self.vectorizer.measure_familiarity(queries)
        text = self.text_leg.score(vectors)
        dense = None
        if embeddings is not None and self.dense_weights is not None:
            dense = embeddings @ self.dense_weights
        near = None if hits.is_empty() else score_hits(hits, len(queries), self.class_uids)
        variant = self._choose_variant(has_hits=near is not None, has_dense=dense is not None)
        scores = stack_legs(text, near, dense, variant)
        probabilities = self.combiners[variant].combine(scores)
        signs = read_signs(probabilities, familiarity, scores)
        confidence = self.calibrators[variant].rate(signs, find_leaders(probabilities))
        return spread_confidence(probabilities, confidence)

    def choose_activities(
        self, queries: Sequence[LogQuery], class_uids: Sequence[int]
    ) -> list[int]:
        """Return the likeliest activity_id of each query, given its class; 0 when not evident."""
        vectors = self.vectorizer.transform(queries)
        captions = [len(self.pairs) + caption for _, _, caption in self.pairs]
        told = (vectors @ self.activity_weights).toarray()
        scores = told[:, : len(self.pairs)] + _CAPTION_SHARE * told[:, captions]
        owners = np.array([class_uid for class_uid, _, _ in self.pairs])
        chosen = []
        for row, class_uid in enumerate(class_uids):
            columns = np.flatnonzero(owners == class_uid)
            best = columns[np.argmax(scores[row, columns])] if len(columns) else None
            chosen.append(0 if best is None else self.pairs[best][1])
        return chosen

    def explain(
        self, queries: Sequence[LogQuery], class_uids: Sequence[int], count: int = 5
    ) -> list[list[tuple[str, str, float]]]:
        """Return, per query, the terms that spoke most for its class: (part, term, weight).

        Terms by themselves: what two of them say together is told by the nearest examples.
        """
        vectors: csr_matrix = self.vectorizer.transform(queries)
        weights = self.text_leg.term_weights
        terms, parts = self.vectorizer.column_terms, self.vectorizer.column_parts
        explained: list[list[tuple[str, str, float]]] = []
        for row, class_uid in enumerate(class_uids):
            if class_uid not in self.class_uids:
                explained.append([])
                continue
            start, end = vectors.indptr[row : row + 2]
            columns = vectors.indices[start:end]
            shares = vectors.data[start:end] * weights[columns, self.class_uids.index(class_uid)]
            shares[np.isin(parts[columns], _UNREADABLE_PARTS)] = 0
            best = np.argsort(-shares, kind="stable")[:count]
            explained.append(
                [
                    (str(parts[columns[at]]), terms[columns[at]], float(shares[at]))
                    for at in best
                    if shares[at] > 0
                ]
            )
        return explained

    def to_bytes(self) -> bytes:
        """Return the ranker as an npz archive; the same ranker gives the same bytes."""
        header = {
            "format": RANKER_FORMAT,
            "schema_version": self.schema_version,
            "class_uids": self.class_uids,
            "threshold": self.threshold,
            "pairs": self.pairs,
            "vocabularies": [
                {"part": item.part, "terms": item.terms} for item in self.vectorizer.vocabularies
            ],
            "variants": sorted(self.combiners),
        }
        arrays: dict[str, npt.NDArray[np.generic]] = {
            "header": np.frombuffer(json.dumps(header).encode(), dtype=np.uint8),
            "activity_values": self.activity_weights.data.astype(np.float16),
            "activity_columns": self.activity_weights.indices.astype(np.int16),
            "activity_starts": self.activity_weights.indptr.astype(np.int32),
            # Thousands of rows add up, and so would what is lost by halving their digits.
            "row_weights": self.text_leg.row_weights.astype(np.float32),
            "row_values": self.text_leg.rows.data.astype(np.float32),
            "row_columns": self.text_leg.rows.indices.astype(np.int32),
            "row_starts": self.text_leg.rows.indptr.astype(np.int32),
        }
        if self.dense_weights is not None:
            arrays["dense_weights"] = self.dense_weights.astype(np.float16)
        for item in self.vectorizer.vocabularies:
            arrays[f"rarity_{item.part}"] = item.rarity
        for name, combiner in self.combiners.items():
            arrays[f"{name}_legs"] = combiner.leg_weights
            arrays[f"{name}_classes"] = combiner.class_offsets
        for name, calibrator in self.calibrators.items():
            arrays[f"{name}_signs"] = np.stack(
                [calibrator.weights[:-1], calibrator.centre, calibrator.spread]
            )
            arrays[f"{name}_constant"] = calibrator.weights[-1:]
            arrays[f"{name}_leaders"] = calibrator.class_offsets
        return write_arrays(arrays)

    @classmethod
    def from_bytes(cls, body: bytes) -> Ranker:
        """Return the ranker that `to_bytes` wrote; raises RankerError for anything else."""
        try:
            with np.load(io.BytesIO(body), allow_pickle=False) as arrays:
                header = json.loads(arrays["header"].tobytes())
                if header["format"] != RANKER_FORMAT:
                    raise RankerError(
                        f"a ranker of format {header['format']}, this release reads "
                        f"{RANKER_FORMAT}; materialise `class_ranker` again"
                    )
                ranker = _read_ranker(cls, header, arrays)
            # What `version` would compute, without writing the bytes anew.
            ranker.__dict__["version"] = hashlib.sha256(body).hexdigest()[:16]
            return ranker
        except RankerError:
            raise
        except (KeyError, TypeError, ValueError, OSError, EOFError, BadZipFile) as error:
            raise RankerError(f"not a ranker: {error}; materialise `class_ranker` again") from error

    def _choose_variant(self, *, has_hits: bool, has_dense: bool) -> str:
        wanted = {
            (True, True): "hits+dense",
            (True, False): "hits",
            (False, True): "dense",
            (False, False): "text",
        }[has_hits, has_dense]
        if wanted in self.combiners:
            return wanted
        # Trained without one of them: use what it was trained with.
        return "hits" if has_hits and "hits" in self.combiners else "text"


def stack_legs(
    text: Floats,
    near: Floats | None,
    dense: Floats | None,
    variant: str,
) -> Floats:
    """Return the scores that `variant` combines, [rows, classes, legs]."""
    legs = [text]
    if "hits" in variant and near is not None:
        legs.extend(near[:, :, leg] for leg in range(len(HIT_LEGS)))
    if "dense" in variant and dense is not None:
        legs.append(dense)
    return np.stack(legs, axis=2).astype(np.float32)


def _read_ranker(kind: type[Ranker], header: dict[str, Any], arrays: Any) -> Ranker:
    variants = header["variants"]
    vectorizer = QueryVectorizer(
        tuple(
            PartVocabulary(item["part"], tuple(item["terms"]), arrays[f"rarity_{item['part']}"])
            for item in header["vocabularies"]
        )
    )
    pairs = tuple((item[0], item[1], item[2]) for item in header["pairs"])
    dense = arrays.get("dense_weights")
    return kind(
        schema_version=header["schema_version"],
        class_uids=tuple(header["class_uids"]),
        vectorizer=vectorizer,
        text_leg=TextLeg(_read_sparse(arrays, "row", vectorizer.width), arrays["row_weights"]),
        dense_weights=None if dense is None else dense.astype(np.float32),
        combiners={
            name: Combiner(arrays[f"{name}_legs"], arrays[f"{name}_classes"]) for name in variants
        },
        calibrators={
            name: Calibrator(
                np.concatenate([arrays[f"{name}_signs"][0], arrays[f"{name}_constant"]]),
                arrays[f"{name}_signs"][1],
                arrays[f"{name}_signs"][2],
                arrays[f"{name}_leaders"],
            )
            for name in variants
        },
        threshold=header["threshold"],
        pairs=pairs,
        activity_weights=_read_sparse(
            arrays, "activity", len(pairs) + len({caption for _, _, caption in pairs})
        ),
    )


def _read_sparse(arrays: Any, name: str, width: int) -> csr_matrix:
    """Return a float32 matrix [stored rows, width]."""
    starts = arrays[f"{name}_starts"]
    columns = arrays[f"{name}_columns"].astype(np.int32)
    values = arrays[f"{name}_values"].astype(np.float32)
    return csr_matrix((values, columns, starts), shape=(len(starts) - 1, width))
