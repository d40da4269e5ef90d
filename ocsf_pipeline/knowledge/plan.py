"""The difference between what an index holds and what it should hold.

Belongs here: states, plans and the function between them. Does not belong here: carrying a plan
out (adapters).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ocsf_pipeline.knowledge.chunks import ClassChunk, corpus_version


class PlanError(ValueError):
    """A corpus that no index should be made to hold; the message says why."""


@dataclass(frozen=True)
class IndexState:
    """What an index holds now."""

    corpus_version: str | None
    """Version of the corpus last applied as a whole; None when empty or half-applied."""
    chunk_hashes: Mapping[str, str]
    """Content hash by chunk id."""


@dataclass(frozen=True)
class IndexPlan:
    """What to change so that an index holds a corpus: nothing more than the difference."""

    corpus_version: str
    upserts: tuple[ClassChunk, ...]
    deletes: tuple[str, ...]
    unchanged_count: int

    @property
    def is_empty(self) -> bool:
        """True when the index already holds the corpus."""
        return not self.upserts and not self.deletes


def plan_index(state: IndexState, chunks: Iterable[ClassChunk]) -> IndexPlan:
    """Return the upserts and deletes that turn `state` into an index of exactly `chunks`.

    Both are sorted by id. Raises PlanError for an empty corpus, which would erase the index, and
    for one that uses an id twice.
    """
    wanted = sorted(chunks, key=lambda chunk: chunk.chunk_id)
    if not wanted:
        raise PlanError(
            "refusing to plan an empty corpus, which would erase the index; check that the schema "
            "was parsed and that it has live classes"
        )
    uses = Counter(chunk.chunk_id for chunk in wanted)
    twice = [chunk_id for chunk_id, count in uses.items() if count > 1]
    if twice:
        raise PlanError(f"chunk id {twice[0]!r} is used twice; ids must tell chunks apart")
    upserts = tuple(
        chunk for chunk in wanted if state.chunk_hashes.get(chunk.chunk_id) != chunk.content_hash
    )
    return IndexPlan(
        corpus_version=corpus_version(wanted),
        upserts=upserts,
        deletes=tuple(sorted(set(state.chunk_hashes) - set(uses))),
        unchanged_count=len(wanted) - len(upserts),
    )
