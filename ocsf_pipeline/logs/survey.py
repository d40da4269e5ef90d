r"""One compiled pass over JSON texts: is it plain compact JSON, and which structure does it have.

Belongs here: the pass, and the memory of what key names mean to it. Does not belong here: what a
structure is called (`shapes`, `templates`).

The pass is strict in what it vouches for and leaves the rest to slower readers: spaces between
tokens, `\u` escapes, exponents, deep nesting. Two texts of equal structure have equal structured
shapes; the converse need not hold.
"""

from __future__ import annotations

import re
import secrets
import threading
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from ocsf_pipeline.logs.compiled import (
    BACKSLASH,
    CLOSE_ARRAY,
    CLOSE_OBJECT,
    COLON,
    COMMA,
    OPEN_ARRAY,
    OPEN_OBJECT,
    QUOTE,
    compile_loop,
    hash_bytes,
    open_texts,
)
from ocsf_pipeline.logs.shapes import MAX_TOKENS, NAMING_KEYS, SORTING_KEYS

PLAIN, PAYLOAD, UNKNOWN = 1, 2, 4
"""Flags of a text: it is compact JSON, an object; it may be an envelope; a key was new."""
_NAMES, _SORTS, _WRAPS = 1, 2, 4
"""What a key means: its value names the event, or sorts it; it may hold the log of an envelope."""
PAYLOAD_KEYS = ("message", "log", "line", "raw", "_raw", "event", "body")
_MAX_DEPTH = 60
_MAX_UNKNOWN = 4_096
_MAX_KEYS = 100_000
_ROUNDS = 4
_LONGEST_INTEGER, _LONGEST_DECIMAL = 18, 24

_PREFIX = r"(?:[a-z0-9_@\-]+\.)*"
_NAMING = re.compile(rf"{_PREFIX}(?:{NAMING_KEYS})", re.IGNORECASE)
_SORTING = re.compile(rf"{_PREFIX}(?:{SORTING_KEYS})", re.IGNORECASE)


def _classify_key(name: str) -> int:
    means = _NAMES if _NAMING.fullmatch(name) else 0
    means |= _SORTS if _SORTING.fullmatch(name) else 0
    return means | (_WRAPS if name in PAYLOAD_KEYS else 0)


@compile_loop
def _mix(value: Any, other: Any) -> Any:
    value = (value ^ other) * np.uint64(0x9E3779B97F4A7C15)
    return value ^ (value >> np.uint64(29))


@compile_loop
def _end_of_number(data: Any, at: int, end: int) -> int:
    """Return the place behind a number without exponent and of a common length, or -1."""
    start = at
    if at < end and data[at] == 45:
        at += 1
    first = at
    while at < end and 48 <= data[at] <= 57:
        at += 1
    if at == first or (data[first] == 48 and at - first > 1):
        return -1
    if at < end and data[at] == 46:
        at += 1
        first = at
        while at < end and 48 <= data[at] <= 57:
            at += 1
        if at == first:
            return -1
        return at if at - start <= _LONGEST_DECIMAL else -1
    return at if at - start <= _LONGEST_INTEGER else -1


@compile_loop
def _end_of_word(data: Any, at: int, end: int) -> int:
    """Return the place behind `true`, `false` or `null` at `at`, or -1."""
    if at + 4 > end:
        return -1
    a, b, c, d = data[at], data[at + 1], data[at + 2], data[at + 3]
    if a == 116 and b == 114 and c == 117 and d == 101:
        return at + 4
    if a == 110 and b == 117 and c == 108 and d == 108:
        return at + 4
    if a == 102 and b == 97 and c == 108 and d == 115 and at + 5 <= end and data[at + 4] == 101:
        return at + 5
    return -1


@compile_loop
def _is_telling(data: Any, start: int, stop: int, means: int) -> bool:
    """Whether the text of a naming or sorting key is taken into shapes: see `shapes`."""
    runs = 0
    run = 0
    longest = 0
    has_slash = False
    for at in range(start, stop):
        byte = data[at]
        if byte == BACKSLASH or byte == 64 or byte == 60 or byte == 62:
            return False
        if byte == 47:
            has_slash = True
        if 48 <= byte <= 57:
            run += 1
            if run == 1:
                runs += 1
            longest = max(longest, run)
        else:
            run = 0
    names = means & _NAMES != 0 and runs <= 4 and longest <= 5
    return names or (means & _SORTS != 0 and runs <= 1 and longest <= 2 and not has_slash)


@compile_loop
def _survey_text(
    data: Any, at: int, end: int, seed: Any, slots: Any, meanings: Any, unknown: Any,
    unknown_count: Any, result: Any, row: int,
) -> int:  # fmt: skip
    """Write the structure of one text; return its flags."""
    flags = PLAIN
    structure = seed
    tokens = 0
    if at >= end or data[at] != OPEN_OBJECT:
        return 0
    at += 1
    depth = 1
    objects = np.uint64(2)  # a bit per level: whether it is an object
    is_opened = True
    while True:
        # At the beginning of a member or an element.
        if at >= end:
            return 0
        in_object = (objects >> np.uint64(depth)) & np.uint64(1) != 0
        byte = data[at]
        is_closing = is_opened and byte == (CLOSE_OBJECT if in_object else CLOSE_ARRAY)
        means = 0
        after_key = False
        if not is_closing:
            if in_object:
                if byte != QUOTE:
                    return 0
                start = at + 1
                at = start
                while at < end and data[at] != QUOTE:
                    if data[at] == BACKSLASH or data[at] < 32:
                        return 0
                    at += 1
                key = hash_bytes(data, start, at, seed)
                if at + 1 >= end or data[at + 1] != COLON:
                    return 0
                mask = np.int64(slots.size - 1)
                place = np.int64(key & np.uint64(mask))
                while slots[place] != key and slots[place] != 0:
                    place = (place + 1) & mask
                if slots[place] == key:
                    means = meanings[place]
                    if means & _WRAPS != 0 and depth == 1:
                        flags |= PAYLOAD
                else:
                    flags |= UNKNOWN
                    count = unknown_count[0]
                    if count < unknown.shape[0]:
                        unknown[count, 0] = start
                        unknown[count, 1] = at
                        unknown_count[0] = count + 1
                at += 2
                tokens += 1
                if tokens <= MAX_TOKENS:
                    structure = _mix(structure, key)
                    after_key = True
            # The value, and the brackets before it.
            is_opened = False
            while at < end and (data[at] == OPEN_OBJECT or data[at] == OPEN_ARRAY):
                if after_key:
                    structure = _mix(structure, np.uint64(data[at]))
                depth += 1
                if depth > _MAX_DEPTH:
                    return 0
                bit = np.uint64(1) << np.uint64(depth)
                is_opened = True
                if data[at] == OPEN_OBJECT:
                    objects |= bit
                    at += 1
                    break
                objects &= ~bit
                at += 1
            if is_opened:
                continue
            if at >= end:
                return 0
            byte = data[at]
            start = at
            if byte == QUOTE:
                at += 1
                start = at
                while at < end and data[at] != QUOTE:
                    if data[at] < 32:
                        return 0
                    if data[at] == BACKSLASH:
                        at += 1
                        if at >= end:
                            return 0
                        kind = data[at]
                        if not (
                            kind == QUOTE or kind == BACKSLASH or kind == 110 or kind == 116
                            or kind == 114 or kind == 98 or kind == 102
                        ):  # fmt: skip
                            return 0
                    at += 1
                if at >= end:
                    return 0
                if after_key and means & 3 != 0 and _is_telling(data, start, at, means):
                    value = hash_bytes(data, start, at, seed)
                    structure = _mix(_mix(structure, np.uint64(QUOTE)), value)
                at += 1
            elif byte == 45 or 48 <= byte <= 57:
                at = _end_of_number(data, at, end)
                if at < 0:
                    return 0
                if after_key and means & 3 != 0 and at - start <= 7:
                    structure = _mix(structure, hash_bytes(data, start, at, seed))
            else:
                at = _end_of_word(data, at, end)
                if at < 0:
                    return 0
        # Behind a value, or at the end of what holds nothing.
        is_opened = False
        while at < end and data[at] != COMMA:
            wanted = (
                CLOSE_OBJECT if (objects >> np.uint64(depth)) & np.uint64(1) != 0 else CLOSE_ARRAY
            )
            if data[at] != wanted:
                return 0
            depth -= 1
            at += 1
            if depth == 0:
                result[row] = structure
                return flags if at == end else 0
        at += 1


@compile_loop
def _survey_texts(
    data: Any, offsets: Any, rows: Any, seed: Any, slots: Any, meanings: Any, unknown: Any,
    unknown_count: Any, structures: Any, flags: Any,
) -> None:  # fmt: skip
    for place in range(rows.size):
        row = rows[place]
        flags[row] = _survey_text(
            data, offsets[row], offsets[row + 1], seed, slots, meanings, unknown, unknown_count,
            structures, row,
        )  # fmt: skip


@dataclass(frozen=True)
class Survey:
    """What one pass found, per text."""

    is_plain: pl.Series
    """True for compact JSON objects; of others nothing is known."""
    may_wrap: pl.Series
    """True where a key is there that may hold the log of an envelope."""
    structure: pl.Series
    """64 bits of the structure, different in each process; null where it is not known."""


@dataclass
class KeyMeanings:
    """What the keys met so far mean, shared by the threads that read."""

    _seed: np.uint64 = field(default_factory=lambda: np.uint64(secrets.randbits(63) | 1))
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _known: dict[int, int] = field(default_factory=dict)
    _tables: tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint8]] = field(
        default_factory=lambda: (np.zeros(8, np.uint64), np.zeros(8, np.uint8))
    )

    def survey(self, texts: pl.Series) -> Survey:
        """Survey texts; null counts as no JSON."""
        data, offsets, _buffer = open_texts(texts)
        flags = np.zeros(len(texts), dtype=np.uint8)
        structures = np.zeros(len(texts), dtype=np.uint64)
        rows: npt.NDArray[np.intp] = np.arange(len(texts))
        for _round in range(_ROUNDS):
            unknown = np.zeros((_MAX_UNKNOWN, 2), dtype=np.int64)
            count = np.zeros(1, dtype=np.int64)
            slots, meanings = self._tables
            _survey_texts(
                data, offsets, rows, self._seed, slots, meanings, unknown, count, structures, flags
            )
            rows = np.flatnonzero(flags & UNKNOWN)
            if not len(rows) or len(self._known) > _MAX_KEYS:
                break
            self._learn({bytes(data[start:stop]) for start, stop in unknown[: count[0]]})
        is_known = (flags & (PLAIN | UNKNOWN)) == PLAIN
        structure = pl.Series("structure", structures)
        return Survey(
            pl.Series("is_plain", is_known),
            pl.Series("may_wrap", (flags & PAYLOAD) != 0),
            structure.set(pl.Series(~is_known), None),
        )

    def _learn(self, names: set[bytes]) -> None:
        with self._guard:
            for name in names:
                key = hash_bytes(np.frombuffer(name, np.uint8), 0, len(name), self._seed)
                self._known[int(key)] = _classify_key(name.decode())
            size = 8
            while size < 3 * len(self._known):
                size *= 2
            slots = np.zeros(size, dtype=np.uint64)
            meanings = np.zeros(size, dtype=np.uint8)
            for key, means in self._known.items():
                place = key & (size - 1)
                while slots[place]:
                    place = (place + 1) & (size - 1)
                slots[place], meanings[place] = key, means
            self._tables = slots, meanings
