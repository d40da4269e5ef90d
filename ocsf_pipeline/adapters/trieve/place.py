"""Which Trieve server, organisation and dataset, and how patiently they are asked.

Belongs here: plain values. Does not belong here: reading the environment (`opening`), requests.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Literal

SearchMode = Literal["hybrid", "semantic", "fulltext", "bm25"]


@dataclass(frozen=True)
class TrievePlace:
    """One dataset of one organisation on one server."""

    base_url: str
    """Without `/api`, e.g. `http://trieve.internal:8090`."""
    api_key: str = field(repr=False)
    organization_id: str
    dataset: str
    """A UUID (of a dataset that exists), or a tracking id (created where it lacks)."""
    search_mode: SearchMode = "semantic"
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 30.0
    attempts: int = 5
    """Per request; waits between them grow from half a second to ten, with jitter."""
    concurrency: int = 8
    """Requests in flight at once."""
    stall_s: float = 300.0
    """Ingestion that stores nothing new for so long is helped once, then given up."""

    @property
    def is_named_by_uuid(self) -> bool:
        """True when `dataset` is a UUID, which nobody but the server can choose."""
        try:
            uuid.UUID(self.dataset)
        except ValueError:
            return False
        return True
