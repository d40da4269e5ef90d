"""What is behind the Trieve stand-in: texts in one half, vectors in the other, a worker between.

Belongs here: how the real server stores, loses and finds chunks, its surprises included. Does not
belong here: HTTP (`trieve_server`), checking requests (`trieve_contract`).
"""

from __future__ import annotations

import html
import json
import re
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from ocsf_pipeline.ports import Embedder

Json = dict[str, Any]
Scores = npt.NDArray[np.float64]
Rerank = Callable[[str, Sequence[str]], Sequence[float]]

_WORD = re.compile(r"[a-z0-9]+")
_STAMP = "2026-11-23T00:00:00.123456"
_RERANKED_WORDS = 100
_RERANKED_WHOLE_FROM = 21
_K, _B, _MEAN_LENGTH = 0.75, 0.75, 256


@dataclass
class Row:
    """A chunk in the half that holds texts; what listings and searches return."""

    id: str
    tracking_id: str | None
    chunk_html: str
    metadata: Any
    tag_set: list[str]
    weight: float

    def describe(self, dataset_id: str, *, slim: bool = False) -> Json:
        described: Json = {
            "id": self.id,
            "link": None,
            "created_at": _STAMP,
            "updated_at": _STAMP,
            "chunk_html": self.chunk_html,
            "metadata": self.metadata,
            "tracking_id": self.tracking_id,
            "time_stamp": None,
            "dataset_id": dataset_id,
            "weight": self.weight,
            "location": None,
            "image_urls": [],
            "tag_set": self.tag_set,
            "num_value": None,
        }
        if slim:
            del described["chunk_html"]
        return described


@dataclass
class Point:
    """The same chunk in the half that holds vectors; what filters look at."""

    point_id: str
    row_id: str
    text: str
    tag_set: list[str]
    metadata: Any


@dataclass
class Message:
    """One accepted request, waiting for the worker."""

    payloads: list[Json]
    ids: list[str]
    ticks_left: int


@dataclass
class Dataset:
    """One dataset and its queue."""

    document: Json
    embedder: Embedder
    rows: dict[str, Row] = field(default_factory=dict)
    points: dict[str, Point] = field(default_factory=dict)
    """By the row's id."""
    queue: list[Message] = field(default_factory=list)
    deletions: list[Json] = field(default_factory=list)
    parked: list[Message] = field(default_factory=list)
    """Messages that failed; no request of the API tells of them."""
    is_lost: Callable[[Message], bool] = lambda message: False
    _arrays: _Arrays | None = None

    @property
    def id(self) -> str:
        return str(self.document["id"])

    # --- writing ---

    def enqueue(self, payloads: list[Json], delay: int) -> list[Json]:
        """Accept a batch; the ids given back are minted and may never be anyone's."""
        ids = [str(uuid.uuid4()) for _ in payloads]
        self.queue.append(Message(payloads, ids, delay))
        return [
            _make_row(payload, row_id).describe(self.id)
            for payload, row_id in zip(payloads, ids, strict=True)
        ]

    def tick(self) -> None:
        """Let the worker do what is due, in order, and the other worker its deletions."""
        while self.queue and self.queue[0].ticks_left <= 0:
            self._ingest(self.queue.pop(0))
        for message in self.queue[:1]:
            message.ticks_left -= 1
        while self.deletions:
            self._delete_matching(self.deletions.pop(0))

    def _ingest(self, message: Message) -> None:
        is_lost = self.is_lost(message)
        for payload, row_id in zip(message.payloads, message.ids, strict=True):
            if not html.unescape(payload.get("chunk_html") or "").strip():
                continue  # dropped without a word
            old = self.find_row(payload.get("tracking_id"))
            if old is not None and not payload.get("upsert_by_tracking_id"):
                continue  # ignored without a word
            if old is None and is_lost:
                continue  # reverted
            row = _make_row(payload, old.id if old else row_id)
            if old is not None:
                row.tag_set = sorted({*old.tag_set, *row.tag_set})
            self.rows[row.id] = row
            if not is_lost:  # else the text is new and the vector is the old one's
                self._put_point(row, payload.get("tag_set") or [])
        if is_lost:
            self.parked.append(message)

    def _put_point(self, row: Row, tag_set: list[str]) -> None:
        old = self.points.get(row.id)
        self.points[row.id] = Point(
            point_id=old.point_id if old else str(uuid.uuid4()),
            row_id=row.id,
            text=html.unescape(row.chunk_html),
            tag_set=tag_set,
            metadata=row.metadata,
        )
        self._arrays = None

    def delete_row(self, row: Row) -> None:
        del self.rows[row.id]
        self.points.pop(row.id, None)
        self._arrays = None

    def _delete_matching(self, condition: Json) -> None:
        for point in self.list_points(condition):
            self.delete_row(self.rows[point.row_id])

    # --- reading ---

    def find_row(self, tracking_id: str | None) -> Row | None:
        return next((row for row in self.rows.values() if row.tracking_id == tracking_id), None)

    def list_points(self, filters: Json | None) -> list[Point]:
        """Return the points that `filters` finds, by the vectors' side, by point id."""
        found = [point for point in self.points.values() if self._matches(point, filters or {})]
        return sorted(found, key=lambda point: point.point_id)

    def scroll(self, filters: Json | None, offset: str | None, page_size: int) -> list[Row] | None:
        """Return a page beginning with the chunk `offset`; None when that chunk is not there."""
        points = self.list_points(filters)
        start = 0
        if offset is not None:
            if offset not in self.points:
                return None
            first = self.points[offset].point_id
            start = sum(point.point_id < first for point in points)
        return [self.rows[point.row_id] for point in points[start : start + page_size]]

    def _matches(self, point: Point, filters: Json) -> bool:
        def holds(condition: Json) -> bool:
            if "field" not in condition:
                row = self.rows[point.row_id]
                wanted = [*(condition.get("ids") or ()), *(condition.get("tracking_ids") or ())]
                return row.id in wanted or row.tracking_id in wanted
            wanted = condition.get("match_any") or []
            if not wanted:
                return True  # an empty list is dropped from the filter
            return bool({*_read_field(point, condition["field"])} & {*wanted})

        should = filters.get("should") or []
        return (
            all(holds(item) for item in filters.get("must") or [])
            and (not should or any(holds(item) for item in should))
            and not any(holds(item) for item in filters.get("must_not") or [])
        )

    # --- searching ---

    def search(self, body: Json, rerank: Rerank) -> list[tuple[Row, float]]:
        """Return the hits of one page, best first, with the score of the mode."""
        if self._arrays is None:
            self._arrays = _Arrays.build(list(self.points.values()), self.embedder)
        arrays = self._arrays
        query, size = str(body["query"]), int(body.get("page_size") or 10)
        allowed = arrays.allow(body.get("filters"), self)
        if body["search_type"] == "hybrid":
            ranked = self._search_hybrid(arrays, query, size, allowed, rerank)
        else:
            scores = arrays.score(query, body["search_type"])
            ranked = _take_best(scores, allowed, size, body["search_type"] != "semantic")
        threshold = body.get("score_threshold") or 0.0
        return [
            (self.rows[arrays.points[place].row_id], score)
            for place, score in ranked
            if not threshold or score >= threshold
        ]

    def _search_hybrid(
        self, arrays: _Arrays, query: str, size: int, allowed: npt.NDArray[np.bool_], rerank: Rerank
    ) -> list[tuple[int, float]]:
        """Both legs' best, each once, ordered by the re-ranker alone."""
        legs = [
            *_take_best(arrays.score(query, "semantic"), allowed, size, False),
            *_take_best(arrays.score(query, "fulltext"), allowed, size, True),
        ]
        places = list(dict.fromkeys(place for place, _ in legs))
        texts = [arrays.points[place].text for place in places]
        if len(places) < _RERANKED_WHOLE_FROM:
            texts = [" ".join(text.split()[:_RERANKED_WORDS]) for text in texts]
        scored = zip(places, rerank(query, texts), strict=True)
        return sorted(scored, key=lambda item: -item[1])[:size]


@dataclass
class _Arrays:
    """What searching needs, built when points changed."""

    points: list[Point]
    embedder: Embedder
    vectors: npt.NDArray[np.float32]
    words: dict[str, int]
    sparse: csr_matrix
    bm25: csr_matrix
    idf: Scores
    masks: dict[str, npt.NDArray[np.bool_]] = field(default_factory=dict)

    @staticmethod
    def build(points: list[Point], embedder: Embedder) -> _Arrays:
        texts = [point.text for point in points]
        tokens = [_WORD.findall(text.lower()) for text in texts]
        words = {word: at for at, word in enumerate(sorted({w for item in tokens for w in item}))}
        counts = _count_words(tokens, words)
        seen = np.asarray((counts > 0).sum(axis=0)).ravel()
        weighted = counts.tocsr(copy=True)
        lengths = np.repeat([len(item) for item in tokens], np.diff(weighted.indptr))
        weighted.data = _weigh(weighted.data, lengths)
        return _Arrays(
            points, embedder, embedder.encode(texts), words, counts.log1p(), weighted,
            np.log((len(texts) - seen + 0.5) / (seen + 0.5) + 1),
        )  # fmt: skip

    def allow(self, filters: Json | None, dataset: Dataset) -> npt.NDArray[np.bool_]:
        key = json.dumps(filters, sort_keys=True)
        if key not in self.masks:
            self.masks[key] = np.array(
                [dataset._matches(point, filters or {}) for point in self.points], dtype=bool
            )
        return self.masks[key]

    def score(self, query: str, mode: str) -> Scores:
        if mode == "semantic":
            return np.asarray(self.vectors @ self.embedder.encode([query])[0], dtype=np.float64)
        tokens = _WORD.findall(query.lower())
        row = _count_words([tokens], self.words)
        if mode == "bm25":
            row.data = _weigh(row.data, np.full(len(row.data), len(tokens))) * self.idf[row.indices]
            return np.asarray((self.bm25 @ row.T).todense(), dtype=np.float64).ravel()
        # A sparse model's weights grow slowly with repetition and know no idf.
        return np.asarray((self.sparse @ row.log1p().T).todense(), dtype=np.float64).ravel()


def _count_words(tokens: Sequence[Sequence[str]], words: dict[str, int]) -> csr_matrix:
    data, columns, starts = [], [], [0]
    for item in tokens:
        for word, count in Counter(item).items():
            if word in words:
                columns.append(words[word])
                data.append(float(count))
        starts.append(len(data))
    return csr_matrix((data, columns, starts), shape=(len(tokens), len(words)))


def _weigh(counts: Any, lengths: Any) -> Any:
    return counts * (_K + 1) / (counts + _K * (1 - _B + _B * lengths / _MEAN_LENGTH))


def _take_best(
    scores: Scores, allowed: npt.NDArray[np.bool_], size: int, needs_words: bool
) -> list[tuple[int, float]]:
    usable = np.flatnonzero(allowed & (scores > 0) if needs_words else allowed)
    best = usable[np.argsort(-scores[usable], kind="stable")[:size]]
    return [(int(place), float(scores[place])) for place in best]


def overlap(query: str, texts: Sequence[str]) -> list[float]:
    """Stand in for a cross-encoder: the share of words in common, between 0 and 1."""
    wanted = {*_WORD.findall(query.lower())}
    scores = []
    for text in texts:
        words = {*_WORD.findall(text.lower())}
        scores.append(len(wanted & words) / ((len(wanted) * len(words)) ** 0.5 or 1.0))
    return scores


def _make_row(payload: Json, row_id: str) -> Row:
    return Row(
        id=row_id,
        tracking_id=payload.get("tracking_id"),
        chunk_html=payload.get("chunk_html") or "",
        metadata=payload.get("metadata"),
        tag_set=list(payload.get("tag_set") or []),
        weight=float(payload.get("weight") or 0.0),
    )


def _read_field(point: Point, name: str) -> list[Any]:
    if name == "tag_set":
        return point.tag_set
    value = point.metadata
    for part in name.removeprefix("metadata.").split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value if isinstance(value, list) else [value]
