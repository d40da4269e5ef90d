"""The ClassIndex port over a Trieve dataset.

Belongs here: state, carrying out plans so that a crash at any point is repaired by the next run,
searching. Does not belong here: requests (`dataset`), waiting for the server (`ingestion`).

One chunk of the dataset is a marker: it names the corpus that the dataset holds as a whole. It is
removed before the first change and written after the last, so whoever finds none knows that the
dataset is empty or half changed; searches look at it before and after, and so never mix corpora.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Sequence

import polars as pl

from ocsf_pipeline.adapters.trieve.chunks import (
    MARKER_ID,
    StoredChunk,
    clean_text,
    make_marker,
    name_tracking_id,
)
from ocsf_pipeline.adapters.trieve.dataset import TrieveDataset
from ocsf_pipeline.adapters.trieve.errors import TrieveDatasetMissingError, TrieveNotReadyError
from ocsf_pipeline.adapters.trieve.hits import make_search, read_hits
from ocsf_pipeline.adapters.trieve.ingestion import Ingestion
from ocsf_pipeline.adapters.trieve.place import TrievePlace
from ocsf_pipeline.adapters.trieve.transport import Sender, TrieveTransport
from ocsf_pipeline.knowledge.chunks import hash_corpus
from ocsf_pipeline.knowledge.hits import HIT_SCHEMA
from ocsf_pipeline.knowledge.plan import IndexPlan, IndexState

_LOG = logging.getLogger(__name__)
_MAX_QUERY_CHARS = 8_000
_QUERIES_PER_BLOCK = 512
"""Answers are long; so many are held before they become rows."""
_EMPTY = IndexState(corpus_version=None, chunk_hashes={})


class TrieveClassIndex:
    """An index in the dataset of `place`; any number of processes may search it.

    One process at a time should write. With two, one of them finds at its end that the dataset is
    not what it made, and fails; the next run repairs it.
    """

    def __init__(
        self,
        place: TrievePlace,
        *,
        sender: Sender | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """What follows `place` is there for tests."""
        self._place = place
        transport = TrieveTransport(place, sender=sender, sleep=sleep, jitter=jitter)
        self._dataset = TrieveDataset(transport, place)
        self._ingestion = Ingestion(
            self._dataset, place.stall_s, sleep=sleep, clock=clock, jitter=jitter
        )

    @property
    def name(self) -> str:
        """Says how the results come about: by which search and by which model of the dataset."""
        found = self._dataset.find() or {}
        configuration = found.get("server_configuration")
        model = (
            configuration.get("EMBEDDING_MODEL_NAME") if isinstance(configuration, dict) else None
        )
        return f"trieve {self._place.search_mode} {model or 'unknown model'}"

    def read_version(self) -> str | None:
        """Return the version of the corpus that the dataset holds as a whole: one request."""
        marker = self._dataset.read_marker()
        return str(marker["corpus_version"]) if marker and "corpus_version" in marker else None

    def read_state(self) -> IndexState:
        """Return what is really stored: every text and vector is looked at.

        A chunk that somebody edited, or whose vectors belong to an earlier text, has an empty hash,
        so that the next plan stores it again. The version is None unless all agrees with it.
        """
        if self._dataset.find(anew=True) is None:
            return _EMPTY
        return _describe(self._dataset.list_chunks(), self.read_version())

    def apply_plan(self, plan: IndexPlan) -> IndexState:
        """Create the dataset where it lacks, store what is new, then remove what is stale.

        Returns when the server has stored everything. Raises TrieveNotReadyError when the dataset
        is not the one that the plan was made for.
        """
        self._dataset.create()
        held = self._dataset.list_chunks()
        _require_fit(plan, held)
        hashes = {chunk.chunk_id: chunk.content_hash for chunk in held}
        new = [chunk for chunk in plan.upserts if hashes.get(chunk.chunk_id) != chunk.content_hash]
        deletes = set(plan.deletes)
        stale = {chunk.tracking_id for chunk in held if chunk.chunk_id in deletes}
        # A chunk that lost its metadata has lost its name too, and is stored again in its place.
        stale -= {name_tracking_id(chunk.chunk_id) for chunk in plan.upserts}
        if not new and not stale and self.read_version() == plan.corpus_version:
            return _describe(held, plan.corpus_version)
        self._dataset.delete_chunks([MARKER_ID])
        self._ingestion.store_chunks(new)
        self._dataset.delete_chunks(stale)
        state = _describe(self._dataset.list_chunks(), plan.corpus_version)
        if state.corpus_version != plan.corpus_version:
            raise TrieveNotReadyError(
                f"somebody else changed the dataset {self._place.dataset!r} meanwhile; plan again "
                "by materialising `knowledge_base`"
            )
        self._write_marker(plan.corpus_version, len(state.chunk_hashes))
        return state

    def search_chunks(self, queries: Sequence[str], limit: int) -> pl.DataFrame:
        """Return the nearest chunks as `ports.ClassIndex` says, by the mode of the place.

        A query without any text has none. Raises TrieveDatasetMissingError when nothing was loaded
        yet, TrieveNotReadyError while the dataset is being changed.
        """
        if limit < 1:
            raise ValueError(f"limit must be at least 1, not {limit}")
        before = self._require_version()
        cleaned = [clean_text(query, _MAX_QUERY_CHARS).strip() for query in queries]
        asked = [number for number, query in enumerate(cleaned) if query]
        mode = self._place.search_mode
        frames = [HIT_SCHEMA.to_frame()]
        for start in range(0, len(asked), _QUERIES_PER_BLOCK):
            block = asked[start : start + _QUERIES_PER_BLOCK]
            answers = self._dataset.run_many(
                lambda number: self._dataset.search(make_search(cleaned[number], mode, limit)),
                block,
            )
            frames.append(read_hits(zip(block, answers, strict=True), mode))
        if self._require_version() != before:
            raise TrieveNotReadyError(
                "the knowledge base changed while it was searched; search again"
            )
        return pl.concat(frames)

    def _require_version(self) -> str:
        version = self.read_version()
        if version is not None:
            return version
        if self._dataset.find() is not None and self._dataset.has_chunks():
            raise TrieveNotReadyError(
                f"the dataset {self._place.dataset!r} is being changed, or a change was cut off; "
                "wait for `knowledge_base`, or materialise it again"
            )
        raise TrieveDatasetMissingError(
            f"the dataset {self._place.dataset!r} is empty; materialise `knowledge_base` first"
        )

    def _write_marker(self, corpus_version: str, chunk_count: int) -> None:
        self._dataset.post_chunks([make_marker(corpus_version, chunk_count)])
        self._ingestion.await_chunk(lambda: self.read_version() == corpus_version, MARKER_ID)


def _describe(chunks: Sequence[StoredChunk], version: str | None) -> IndexState:
    """Return the state; the version counts only when the chunks are exactly its corpus."""
    hashes = {chunk.chunk_id: chunk.content_hash for chunk in chunks}
    is_whole = version is not None and hash_corpus(hashes.items()) == version
    return IndexState(corpus_version=version if is_whole else None, chunk_hashes=hashes)


def _require_fit(plan: IndexPlan, held: Sequence[StoredChunk]) -> None:
    after = {chunk.chunk_id: chunk.content_hash for chunk in held}
    for chunk_id in plan.deletes:
        after.pop(chunk_id, None)
    after.update((chunk.chunk_id, chunk.content_hash) for chunk in plan.upserts)
    found = hash_corpus(after.items())
    if found != plan.corpus_version:
        raise TrieveNotReadyError(
            f"the dataset changed since the plan was made (it would become {found}, not "
            f"{plan.corpus_version}); read its state and plan again"
        )
