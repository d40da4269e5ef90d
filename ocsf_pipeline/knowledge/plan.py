"""The difference between what an index holds and what it should hold.

Belongs here: states, plans and the function between them. Does not belong here: carrying a plan
out (adapters).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ocsf_pipeline.knowledge.chunks import ClassChunk


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
