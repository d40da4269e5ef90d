"""What the names of keys mean to the compiled pass over JSON, remembered as a table of hashes.

Belongs here: the meanings, and the memory of the names met so far. Does not belong here: the pass
(`survey`), what a role is (`keys`).
"""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ocsf_pipeline.logs.compiled import hash_bytes
from ocsf_pipeline.logs.keys import describe_key
from ocsf_pipeline.logs.shapes import NAMING_KEYS, NAMING_OBJECTS, SORTING_KEYS

NAMES, SORTS, WRAPS, SAYS, HOLDS_HOST, OPENS_NAME = 1, 2, 4, 8, 16, 32
"""What a key means: its value names the event, or sorts it; it may hold the log of an envelope; its
value may be the log's time, host, severity, message or words; an object in it may hold the host, or
may be about the event."""
PAYLOAD_KEYS = ("message", "log", "line", "raw", "_raw", "event", "body")
OUTER_KEYS = (
    *PAYLOAD_KEYS, "timestamp", "time", "@timestamp", "date", "host", "hostname", "source_type",
    "stream", "kubernetes", "agent", "ecs", "@version", "sourcetype", "index", "attributes",
    "severity_text", "severityText",
)  # fmt: skip
"""What is looked for at the top of envelopes."""
OUTER_SHIFT = 8
"""From this bit on a meaning holds the number of an outer key, from 1 on; 0 for others."""
MAX_KEYS = 100_000

_PREFIX = r"(?:[a-z0-9_@\-]+\.)*"
_NAMING = re.compile(rf"{_PREFIX}(?:{NAMING_KEYS})", re.IGNORECASE)
_SORTING = re.compile(rf"{_PREFIX}(?:{SORTING_KEYS})", re.IGNORECASE)
_NAMING_OBJECT = re.compile(NAMING_OBJECTS, re.IGNORECASE)
_HOST_OBJECT = re.compile(r"host|device|computer|agent|endpoint", re.IGNORECASE)


def _classify_key(name: str) -> int:
    role = describe_key(name)
    ranks = (role.time, role.host, role.severity, role.message, role.words)
    means = NAMES if _NAMING.fullmatch(name) else 0
    means |= SORTS if _SORTING.fullmatch(name) else 0
    means |= WRAPS if name in PAYLOAD_KEYS else 0
    means |= SAYS if any(rank is not None for rank in ranks) else 0
    means |= HOLDS_HOST if _HOST_OBJECT.fullmatch(name) else 0
    means |= OPENS_NAME if _NAMING_OBJECT.fullmatch(name) else 0
    outer = OUTER_KEYS.index(name) + 1 if name in OUTER_KEYS else 0
    return means | outer << OUTER_SHIFT


@dataclass
class MeaningTable:
    """The names met so far, shared by the threads that read: hashes of a seed of this process."""

    seed: np.uint64 = field(default_factory=lambda: np.uint64(secrets.randbits(63) | 1))
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _known: dict[int, int] = field(default_factory=dict)
    arrays: tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint16]] = field(
        default_factory=lambda: (np.zeros(8, np.uint64), np.zeros(8, np.uint16))
    )
    """An open table of hashes, and what each means; its size is a power of two, 0 is free."""

    @property
    def is_full(self) -> bool:
        """Whether no more names should be learned."""
        return len(self._known) > MAX_KEYS

    def hash_name(self, name: str) -> int:
        """Return the 64 bits that stand for a name in this process."""
        text = name.encode()
        codes = np.frombuffer(text, np.uint8)
        base = np.uint64(codes.ctypes.data)
        return int(hash_bytes(base, 0, len(text), len(text), self.seed))

    def learn(self, names: Iterable[str]) -> None:
        """Add names to the table."""
        with self._guard:
            for name in names:
                self._known[self.hash_name(name)] = _classify_key(name)
            size = 8
            while size < 3 * len(self._known):
                size *= 2
            slots = np.zeros(size, dtype=np.uint64)
            meanings = np.zeros(size, dtype=np.uint16)
            for key, means in self._known.items():
                place = key & (size - 1)
                while slots[place]:
                    place = (place + 1) & (size - 1)
                slots[place], meanings[place] = key, means
            self.arrays = slots, meanings
