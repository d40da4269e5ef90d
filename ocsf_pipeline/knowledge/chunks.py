"""Class chunks: the texts that the knowledge base is made of, one idea each, all about one class.

Belongs here: the chunk record, and building chunks from the schema and from labelled examples.
Does not belong here: storing or searching them (adapters), reading pack files (`packs`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ChunkKind = Literal["overview", "activity", "attributes", "example"]


@dataclass(frozen=True)
class ClassChunk:
    """One text about one OCSF class."""

    chunk_id: str
    """Stable over rebuilds: derived from what the chunk is about, never from its position."""
    class_uid: int
    kind: ChunkKind
    text: str
    content_hash: str
    """SHA-256 over everything above and below; two chunks are the same when it is the same."""
    activity_id: int | None = None
    product: str | None = None
    """The source pack that an example came from."""
