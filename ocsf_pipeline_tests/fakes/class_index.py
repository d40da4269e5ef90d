"""A class index in memory that honours `ports.ClassIndex`: word overlap in place of models."""

from __future__ import annotations

import re
from collections.abc import Sequence

import polars as pl

from ocsf_pipeline.knowledge.chunks import ClassChunk, corpus_version
from ocsf_pipeline.knowledge.hits import HIT_SCHEMA
from ocsf_pipeline.knowledge.plan import IndexPlan, IndexState
from ocsf_pipeline.ports import PermanentPortError, TransientPortError

_WORD = re.compile(r"[a-z0-9]+")


class FakeClassIndex:
    """Holds chunks in a dict. `plans` and `searches` record the calls."""

    def __init__(self, chunks: Sequence[ClassChunk] = ()) -> None:
        self._chunks = {chunk.chunk_id: chunk for chunk in chunks}
        self.plans: list[IndexPlan] = []
        self.searches: list[tuple[str, ...]] = []

    @property
    def name(self) -> str:
        return "fake"

    def read_version(self) -> str | None:
        return self.read_state().corpus_version

    def read_state(self) -> IndexState:
        chunks = self._chunks.values()
        return IndexState(
            corpus_version=corpus_version(chunks) if chunks else None,
            chunk_hashes={chunk.chunk_id: chunk.content_hash for chunk in chunks},
        )

    def apply_plan(self, plan: IndexPlan) -> IndexState:
        after = {key: chunk for key, chunk in self._chunks.items() if key not in plan.deletes}
        after.update((chunk.chunk_id, chunk) for chunk in plan.upserts)
        if corpus_version(after.values()) != plan.corpus_version:
            raise TransientPortError("the index changed since the plan was made; plan again")
        self._chunks = after
        self.plans.append(plan)
        return self.read_state()

    def search_chunks(self, queries: Sequence[str], limit: int) -> pl.DataFrame:
        if limit < 1:
            raise ValueError(f"limit must be at least 1, not {limit}")
        if not self._chunks:
            raise PermanentPortError("there is no index yet; materialise `knowledge_base` first")
        self.searches.append(tuple(queries))
        rows = [
            (query_no, rank, *hit)
            for query_no, query in enumerate(queries)
            for rank, hit in enumerate(self._rank(query)[:limit])
        ]
        return pl.DataFrame(rows, schema=HIT_SCHEMA, orient="row")

    def _rank(self, query: str) -> list[tuple[object, ...]]:
        wanted = _words(query)
        hits = []
        for chunk in self._chunks.values():
            words = _words(chunk.text)
            shared = len(wanted & words)
            cosine = shared / ((len(wanted) * len(words)) ** 0.5 or 1.0)
            hits.append((cosine, float(shared), chunk))
        hits.sort(key=lambda hit: (-hit[0], hit[2].chunk_id))
        return [
            (
                chunk.chunk_id,
                chunk.class_uid,
                chunk.kind,
                chunk.activity_id,
                chunk.product,
                cosine,
                shared,
                None,
                1.0 / (61 + rank),
            )
            for rank, (cosine, shared, chunk) in enumerate(hits)
        ]


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))
