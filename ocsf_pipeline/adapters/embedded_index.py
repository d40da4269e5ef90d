"""ClassIndex without a server: dense vectors and BM25 over a file artefact, searched exactly.

Belongs here: carrying out a plan, searching. Does not belong here: what the corpus is
(`knowledge`), how versions are stored (`embedded_artefact`).

The corpus is some thousand chunks, so one matrix product scores all of them for all queries;
an approximate index would be slower to build and less right.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from ocsf_pipeline.adapters.embedded_artefact import (
    RETAINED_VERSIONS,
    Artefact,
    ArtefactError,
    ArtefactStore,
    name_version,
    read_corpus_version,
)
from ocsf_pipeline.adapters.embedded_lexical import LexicalIndex
from ocsf_pipeline.knowledge.chunks import ClassChunk, corpus_version
from ocsf_pipeline.knowledge.fusion import fuse_ranks
from ocsf_pipeline.knowledge.hits import HIT_SCHEMA
from ocsf_pipeline.knowledge.plan import IndexPlan, IndexState
from ocsf_pipeline.ports import Embedder, ObjectStore, PermanentPortError, TransientPortError

_LOG = logging.getLogger(__name__)
_TEXTS_PER_SLAB = 512
"""Some seconds of a real model's work: how often progress is told."""
_QUERIES_PER_BLOCK = 32
"""Scored together: every chunk's scores for so many take some megabytes, which are used again."""
_MAX_QUERY_CHARS = 8_000
"""What follows is beyond any model's window; a log may be megabytes."""
_EMPTY = IndexState(corpus_version=None, chunk_hashes={})


@dataclass(frozen=True)
class IndexVersion:
    """One retained version."""

    version: str
    corpus_version: str
    is_current: bool


@dataclass(frozen=True)
class _Loaded:
    """A version ready for searching."""

    stamp: str
    artefact: Artefact
    hashes: Mapping[str, str]
    vectors: npt.NDArray[np.float32]
    lexical: LexicalIndex
    table: pl.DataFrame
    """One row per chunk, in the order of the vectors."""


class EmbeddedClassIndex:
    """An index under `prefix` of an object store; any number of processes may read it.

    One process at a time should write: with two, the last pointer wins, and both versions stay
    whole.
    """

    def __init__(
        self,
        store: ObjectStore,
        embedder: Embedder,
        *,
        prefix: str = "knowledge/index",
        retained_versions: int = RETAINED_VERSIONS,
    ) -> None:
        self._artefacts = ArtefactStore(store, prefix, retained_versions)
        self._embedder = embedder
        self._loaded: _Loaded | None = None
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """Says how the results come about: by reciprocal rank, and by which embedder."""
        return f"embedded {self._embedder.name}"

    def read_version(self) -> str | None:
        """Return the version of the corpus in force, by its pointer; None without one.

        Of damaged files it knows nothing: an hour without new templates needs no more than this.
        """
        try:
            pointer = self._artefacts.read_pointer()
        except ArtefactError:
            return None
        if pointer is None or not self._artefacts.has_version(pointer.version):
            return None
        corpus = read_corpus_version(pointer.version)
        is_ours = pointer.version == name_version(corpus, self._embedder.name)
        return corpus if is_ours else None

    def read_state(self) -> IndexState:
        """Return what the current version holds.

        Empty when there is none, when it is damaged, and when another embedder made it: in all
        three cases everything has to be embedded anew.
        """
        try:
            loaded = self._load_current()
        except ArtefactError:
            return _EMPTY
        if loaded is None or loaded.artefact.embedder != self._embedder.name:
            return _EMPTY
        return _describe_state(loaded)

    def apply_plan(self, plan: IndexPlan) -> IndexState:
        """Write the version that `plan` describes and put it in force; embed only its upserts.

        Raises TransientPortError when the index changed since the plan was made.
        """
        held = self._held()
        chunks = _merge_chunks(held, plan)
        found = corpus_version(chunks)
        if found != plan.corpus_version:
            raise TransientPortError(
                f"the index changed since the plan was made (it would become {found}, not "
                f"{plan.corpus_version}); read its state and plan again"
            )
        version = name_version(found, self._embedder.name)
        if held is None or held.version != version:
            if not self._is_sound(version):
                self._artefacts.write_version(self._build(chunks, held))
            self._artefacts.write_pointer(version)
        return self.read_state()

    def search_chunks(self, queries: Sequence[str], limit: int) -> pl.DataFrame:
        """Return the nearest chunks as `ports.ClassIndex` says, by reciprocal rank of both legs.

        Raises PermanentPortError when there is no usable index.
        """
        if limit < 1:
            raise ValueError(f"limit must be at least 1, not {limit}")
        loaded = self._require_loaded()
        if not queries:
            return HIT_SCHEMA.to_frame()
        cut = [query[:_MAX_QUERY_CHARS] for query in queries]
        vectors = self._embedder.encode(cut)
        found = []
        for start in range(0, len(cut), _QUERIES_PER_BLOCK):
            block = slice(start, start + _QUERIES_PER_BLOCK)
            found.append(_search_block(loaded, cut[block], vectors[block], limit, start))
        return pl.concat(found)

    def list_versions(self) -> list[IndexVersion]:
        """Return the retained versions, the one that came into force last at the end."""
        try:
            pointer = self._artefacts.read_pointer()
        except ArtefactError:
            return []
        if pointer is None:
            return []
        return [
            IndexVersion(
                version=name,
                corpus_version=read_corpus_version(name),
                is_current=name == pointer.version,
            )
            for name in pointer.retained
        ]

    def select_version(self, version: str) -> IndexState:
        """Put a retained version in force again, by its name or its corpus version.

        Raises PermanentPortError when it is not retained or cannot be used.
        """
        known = self.list_versions()
        matches = [item.version for item in known if version in (item.version, item.corpus_version)]
        if not matches:
            names = ", ".join(item.version for item in known) or "none"
            raise PermanentPortError(f"no retained index version {version!r}; there are: {names}")
        try:
            self._artefacts.read_version(matches[-1])
        except ArtefactError as error:
            raise PermanentPortError(f"{error}; select another version") from error
        self._artefacts.write_pointer(matches[-1])
        return self.read_state()

    # --- reading ---

    def _require_loaded(self) -> _Loaded:
        try:
            loaded = self._load_current()
        except ArtefactError as error:
            raise PermanentPortError(
                f"the embedded index cannot be used: {error}; materialise `knowledge_base` again, "
                "or select an earlier version"
            ) from error
        if loaded is None:
            raise PermanentPortError("there is no index yet; materialise `knowledge_base` first")
        if loaded.artefact.embedder != self._embedder.name:
            raise PermanentPortError(
                f"the index was embedded by {loaded.artefact.embedder}, the configured embedder is "
                f"{self._embedder.name}; materialise `knowledge_base` again"
            )
        return loaded

    def _load_current(self) -> _Loaded | None:
        """Return the current version, from memory unless the pointer was rewritten."""
        with self._lock:
            stamp = self._artefacts.read_stamp()
            if stamp is None:
                return None
            if self._loaded is None or self._loaded.stamp != stamp:
                self._loaded = self._read_current(stamp)
            return self._loaded

    def _read_current(self, stamp: str) -> _Loaded | None:
        try:
            return self._read_at(stamp)
        except ArtefactError:
            # A writer may have replaced the version and pruned it while it was being read.
            newer = self._artefacts.read_stamp()
            if newer is None or newer == stamp:
                raise
            return self._read_at(newer)

    def _read_at(self, stamp: str) -> _Loaded | None:
        """Load what the pointer names; a pointer newer than `stamp` is merely read again later."""
        pointer = self._artefacts.read_pointer()
        if pointer is None:
            return None
        if self._loaded is not None and self._loaded.artefact.version == pointer.version:
            return replace(self._loaded, stamp=stamp)
        return _prepare(stamp, self._artefacts.read_version(pointer.version))

    # --- writing ---

    def _held(self) -> Artefact | None:
        """Return the current artefact when its vectors can be kept."""
        try:
            loaded = self._load_current()
        except ArtefactError:
            return None
        if loaded is None or loaded.artefact.embedder != self._embedder.name:
            return None
        return loaded.artefact

    def _is_sound(self, version: str) -> bool:
        if not self._artefacts.has_version(version):
            return False
        try:
            self._artefacts.read_version(version)
        except ArtefactError:
            return False
        return True

    def _build(self, chunks: Sequence[ClassChunk], held: Artefact | None) -> Artefact:
        """Embed the texts that `held` does not have, and index all of them."""
        known = dict(zip(_texts(held.chunks), held.vectors, strict=True)) if held else {}
        texts = _texts(chunks)
        new = [text for text in dict.fromkeys(texts) if text not in known]
        for start in range(0, len(new), _TEXTS_PER_SLAB):
            slab = new[start : start + _TEXTS_PER_SLAB]
            known.update(zip(slab, self._embedder.encode(slab).astype(np.float16), strict=True))
            _LOG.info("embedded %d of %d new texts", start + len(slab), len(new))
        return Artefact(
            corpus_version=corpus_version(chunks),
            embedder=self._embedder.name,
            chunks=tuple(chunks),
            vectors=np.stack([known[text] for text in texts]),
            lexical=LexicalIndex.build(texts).dump(),
        )


def _search_block(
    loaded: _Loaded,
    queries: Sequence[str],
    vectors: npt.NDArray[np.float32],
    limit: int,
    first_query_no: int,
) -> pl.DataFrame:
    dense = vectors @ loaded.vectors.T
    lexical = loaded.lexical.score(queries, len(loaded.artefact.chunks))
    positions, scores = fuse_ranks(dense, lexical, limit)
    rows, ranks = np.indices(positions.shape)
    flat = positions.ravel()
    hits = loaded.table[flat].with_columns(
        query_no=pl.Series((rows.ravel() + first_query_no).astype(np.uint32)),
        rank=pl.Series(ranks.ravel().astype(np.uint32)),
        dense_score=pl.Series(np.take_along_axis(dense, positions, axis=1).ravel()),
        lexical_score=pl.Series(np.take_along_axis(lexical, positions, axis=1).ravel()),
        rerank_score=pl.lit(None),
        score=pl.Series(scores.ravel()),
    )
    return hits.filter(pl.col("score") > 0).select(HIT_SCHEMA.names()).cast(HIT_SCHEMA)


def _texts(chunks: Sequence[ClassChunk]) -> list[str]:
    return [chunk.text for chunk in chunks]


def _merge_chunks(held: Artefact | None, plan: IndexPlan) -> list[ClassChunk]:
    """Return what the index holds once the plan is carried out, by id."""
    chunks = {chunk.chunk_id: chunk for chunk in held.chunks} if held else {}
    for chunk_id in plan.deletes:
        chunks.pop(chunk_id, None)
    chunks.update((chunk.chunk_id, chunk) for chunk in plan.upserts)
    return [chunks[chunk_id] for chunk_id in sorted(chunks)]


def _describe_state(loaded: _Loaded) -> IndexState:
    return IndexState(
        corpus_version=loaded.artefact.corpus_version, chunk_hashes=dict(loaded.hashes)
    )


def _prepare(stamp: str, artefact: Artefact) -> _Loaded:
    chunks = artefact.chunks
    return _Loaded(
        stamp=stamp,
        artefact=artefact,
        hashes={chunk.chunk_id: chunk.content_hash for chunk in chunks},
        vectors=artefact.vectors.astype(np.float32),
        lexical=LexicalIndex.load(artefact.lexical),
        table=pl.DataFrame(
            {
                "chunk_id": [chunk.chunk_id for chunk in chunks],
                "class_uid": [chunk.class_uid for chunk in chunks],
                "kind": [chunk.kind for chunk in chunks],
                "activity_id": [chunk.activity_id for chunk in chunks],
                "product": [chunk.product for chunk in chunks],
            },
            schema_overrides={"activity_id": pl.Int64, "product": pl.String},
        ),
    )
