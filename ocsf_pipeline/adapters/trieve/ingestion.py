"""Storing chunks for certain: batches out, then waiting until each is really there.

Belongs here: batches, polling, helping once, giving up. Does not belong here: requests (`dataset`),
what is stored (`index`).

The server accepts a batch at once, works on it later, and tells nobody when that fails.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Sequence

from ocsf_pipeline.adapters.trieve.chunks import (
    cut_batches,
    make_payload,
    name_build,
    name_tracking_id,
)
from ocsf_pipeline.adapters.trieve.dataset import BATCH_SIZE, TrieveDataset
from ocsf_pipeline.adapters.trieve.errors import TrieveIngestionStalledError
from ocsf_pipeline.knowledge.chunks import ClassChunk

_LOG = logging.getLogger(__name__)
_SHORTEST_WAIT_S = 0.25
_LONGEST_WAIT_S = 10.0
_NAMED_IDS = 20


class Ingestion:
    """Stores chunks in a dataset; `sleep`, `clock` and `jitter` are there for tests."""

    def __init__(
        self,
        dataset: TrieveDataset,
        stall_s: float,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._dataset = dataset
        self._stall_s = stall_s
        self._sleep = sleep
        self._clock = clock
        self._jitter = jitter

    def store_chunks(self, chunks: Sequence[ClassChunk]) -> None:
        """Return when the vectors of every chunk are stored.

        Raises TrieveIngestionStalledError when nothing new was stored for `stall_s`, and again for
        as long after what lacks was sent once more.
        """
        batches = {name_build(batch): batch for batch in cut_batches(chunks, BATCH_SIZE)}
        for number, (build_id, batch) in enumerate(batches.items(), start=1):
            self._dataset.post_chunks([make_payload(chunk, build_id) for chunk in batch])
            _LOG.info("sent batch %d of %d to Trieve", number, len(batches))
        stored = 0
        for build_id, batch in batches.items():
            self._await_batch(build_id, batch)
            stored += len(batch)
            _LOG.info("Trieve has stored %d of %d chunks", stored, len(chunks))

    def await_chunk(self, is_there: Callable[[], bool], what: str) -> None:
        """Return when `is_there`. Raises TrieveIngestionStalledError after `stall_s`."""
        started, wait = self._clock(), _SHORTEST_WAIT_S
        while not is_there():
            if self._clock() - started > self._stall_s:
                raise TrieveIngestionStalledError(_describe_stall(self._stall_s, [what]))
            wait = self._pause(wait)

    def _await_batch(self, build_id: str, batch: Sequence[ClassChunk]) -> None:
        """Poll for one batch; the server takes them in the order of their sending."""
        expected = {name_tracking_id(chunk.chunk_id): chunk for chunk in batch}
        missing = set(expected)
        moved, wait, is_helped = self._clock(), _SHORTEST_WAIT_S, False
        while True:
            left = set(expected) - self._dataset.list_build(build_id)
            if not left:
                return
            if left != missing:
                missing, moved, wait = left, self._clock(), _SHORTEST_WAIT_S
            elif self._clock() - moved > self._stall_s:
                if is_helped:
                    names = sorted(expected[item].chunk_id for item in missing)
                    raise TrieveIngestionStalledError(_describe_stall(self._stall_s, names))
                again = [make_payload(expected[item], build_id) for item in sorted(missing)]
                _LOG.warning("Trieve lost %d chunks on the way; sending them again", len(again))
                self._dataset.post_chunks(again)
                moved, wait, is_helped = self._clock(), _SHORTEST_WAIT_S, True
            wait = self._pause(wait)

    def _pause(self, wait: float) -> float:
        self._sleep(self._jitter(wait / 2, wait))
        return min(_LONGEST_WAIT_S, wait * 1.5)


def _describe_stall(stall_s: float, names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMED_IDS])
    more = f" and {len(names) - _NAMED_IDS} more" if len(names) > _NAMED_IDS else ""
    return (
        f"Trieve accepted {len(names)} chunks and has not stored them, and for {stall_s:.0f} s "
        f"nothing moved: {shown}{more}. Check that its ingestion worker and its embedding servers "
        "run, then materialise `knowledge_base` again; slow models need a larger "
        "TRIEVE_STALL_SECONDS"
    )
