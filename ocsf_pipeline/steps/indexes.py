"""Which copy of the knowledge base is searched, and whether a copy is what it should be.

Belongs here: choosing among indexes, comparing one with the corpus. Does not belong here: what an
index is (adapters), repairing it (`steps.knowledge`).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from ocsf_pipeline.knowledge.chunks import ClassChunk
from ocsf_pipeline.knowledge.plan import plan_index
from ocsf_pipeline.ports import ClassIndex, TransientPortError

_LOG = logging.getLogger(__name__)


def choose_index(indexes: Sequence[ClassIndex]) -> ClassIndex:
    """Return the first index that can be searched now; the first of all when none can.

    An index that does not answer, is empty or is being changed is passed over, and said. A refusal
    (a wrong key) is raised: waiting does not cure it, and hiding it would make the stand-by last.
    """
    for index in indexes[:-1]:
        try:
            if index.read_version() is not None:
                return index
            _LOG.warning("%s holds no whole corpus now; the stand-by is searched", index.name)
        except TransientPortError as error:
            _LOG.warning("the stand-by is searched: %s", error)
    last = indexes[-1]
    return last if len(indexes) > 1 and last.read_version() is not None else indexes[0]


@dataclass(frozen=True)
class Drift:
    """How what an index holds differs from what it should hold."""

    expected_version: str
    held_version: str | None
    chunk_count: int
    missing: tuple[str, ...]
    """Chunk ids, sorted; so below."""
    changed: tuple[str, ...]
    """Stored with another content, or with vectors of another content."""
    unwanted: tuple[str, ...]

    @property
    def count(self) -> int:
        """Chunks that differ; one when all agree and only the mark of a finished change lacks."""
        differing = len(self.missing) + len(self.changed) + len(self.unwanted)
        return differing or int(self.held_version != self.expected_version)


def observe_drift(index: ClassIndex, corpus: Sequence[ClassChunk]) -> Drift:
    """Compare every stored chunk with the corpus; changes nothing."""
    state = index.read_state()
    plan = plan_index(state, corpus)
    ids = [chunk.chunk_id for chunk in plan.upserts]
    return Drift(
        expected_version=plan.corpus_version,
        held_version=state.corpus_version,
        chunk_count=len(state.chunk_hashes),
        missing=tuple(item for item in ids if item not in state.chunk_hashes),
        changed=tuple(item for item in ids if item in state.chunk_hashes),
        unwanted=plan.deletes,
    )
