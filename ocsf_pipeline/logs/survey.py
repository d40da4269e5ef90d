r"""One compiled pass over JSON texts: is it plain compact JSON, and which structure does it have.

Belongs here: the pass, and what it finds. Does not belong here: what key names mean
(`meanings`), what their values say (`found`, `payloads`), what a structure is called (`shapes`).

The pass is strict in what it vouches for and leaves the rest to slower readers: spaces between
tokens, `\u` escapes, exponents, deep nesting. Two texts of equal structure have equal structured
shapes; the converse need not hold.
"""

from __future__ import annotations

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
    find_unplain,
    hash_bytes,
)
from ocsf_pipeline.logs.meanings import (
    HOLDS_HOST,
    NAMES,
    OUTER_SHIFT,
    SAYS,
    SORTS,
    WRAPS,
    MeaningTable,
)
from ocsf_pipeline.logs.shapes import MAX_TOKENS
from ocsf_pipeline.logs.textplaces import TextPlaces, find_places

PLAIN, PAYLOAD, UNKNOWN, CROWDED = 1, 2, 4, 8
"""Flags of a text: it is compact JSON, an object; it may be an envelope; a key was new; its telling
keys found no room."""
_MAX_DEPTH = 60
_MAX_UNKNOWN = 4_096
_ROUNDS = 4
_KEYS_PER_TEXT, _KEYS_OF_ALL = 12, 1_024
"""Room for telling keys: on average, and for few texts."""
_LONGEST_INTEGER, _LONGEST_DECIMAL = 18, 24


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
    names = means & NAMES != 0 and runs <= 4 and longest <= 5
    return names or (means & SORTS != 0 and runs <= 1 and longest <= 2 and not has_slash)


@compile_loop
def _survey_text(
    data: Any, at: int, end: int, seed: Any, slots: Any, meanings: Any, unknown: Any,
    unknown_count: Any, result: Any, row: int, keys: Any, places: Any, kinds: Any, cursor: Any,
) -> int:  # fmt: skip
    """Write the structure of one text and where its telling keys stand; return its flags."""
    base = np.uint64(data.ctypes.data)
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
        means = np.int64(0)
        after_key = False
        if not is_closing:
            if in_object:
                if byte != QUOTE:
                    return 0
                start = at + 1
                at = find_unplain(base, start, end, end)
                if at + 1 >= end or data[at] != QUOTE or data[at + 1] != COLON:
                    return 0
                key = hash_bytes(base, start, at, end, seed)
                mask = np.int64(slots.size - 1)
                place = np.int64(key & np.uint64(mask))
                while slots[place] != key and slots[place] != 0:
                    place = (place + 1) & mask
                if slots[place] == key:
                    means = np.int64(meanings[place])
                    if means & WRAPS != 0 and depth == 1:
                        flags |= PAYLOAD
                    outer = means >> OUTER_SHIFT if depth == 1 else 0
                    if outer != 0 or means & (SAYS | HOLDS_HOST) != 0:
                        count = cursor[0]
                        if count < keys.size:
                            keys[count] = key
                            places[count] = at + 2
                            kinds[count] = (outer << OUTER_SHIFT) | (means & 255)
                            cursor[0] = count + 1
                        else:
                            flags |= CROWDED
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
                at = find_unplain(base, start, end, end)
                while at + 1 < end and data[at] == BACKSLASH:
                    kind = data[at + 1]
                    if not (
                        kind == QUOTE or kind == BACKSLASH or kind == 110 or kind == 116
                        or kind == 114 or kind == 98 or kind == 102
                    ):  # fmt: skip
                        return 0
                    at = find_unplain(base, at + 2, end, end)
                if at >= end or data[at] != QUOTE:
                    return 0
                if after_key and means & 3 != 0 and _is_telling(data, start, at, means):
                    value = hash_bytes(base, start, at, end, seed)
                    structure = _mix(_mix(structure, np.uint64(QUOTE)), value)
                at += 1
            elif byte == 45 or 48 <= byte <= 57:
                at = _end_of_number(data, at, end)
                if at < 0:
                    return 0
                if after_key and means & 3 != 0 and at - start <= 7:
                    structure = _mix(structure, hash_bytes(base, start, at, end, seed))
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
    data: Any, starts: Any, stops: Any, rows: Any, seed: Any, slots: Any, meanings: Any,
    unknown: Any, unknown_count: Any, structures: Any, flags: Any, keys: Any, places: Any,
    kinds: Any, cursor: Any, firsts: Any, lasts: Any,
) -> None:  # fmt: skip
    for place in range(rows.size):
        row = rows[place]
        firsts[row] = cursor[0]
        flags[row] = _survey_text(
            data, starts[row], stops[row], seed, slots, meanings, unknown, unknown_count,
            structures, row, keys, places, kinds, cursor,
        )  # fmt: skip
        if flags[row] & (PLAIN | UNKNOWN | CROWDED) != PLAIN:
            cursor[0] = firsts[row]
        lasts[row] = cursor[0]


@dataclass(frozen=True)
class TellingKeys:
    """Where keys that say more than structure stand in texts: one entry per such key."""

    texts: TextPlaces
    keys: npt.NDArray[np.uint64]
    """The hash of each key."""
    places: npt.NDArray[np.int64]
    """Where the value of each begins in the texts' data."""
    kinds: npt.NDArray[np.uint16]
    """What each means; the number of an outer key only at the top of its text."""
    firsts: npt.NDArray[np.int64]
    lasts: npt.NDArray[np.int64]
    """Per text its entries, in their order; none where it is not plain, or they found no room."""


@dataclass(frozen=True)
class Survey:
    """What one pass found, per text."""

    is_plain: pl.Series
    """True for compact JSON objects; of others nothing is known."""
    may_wrap: pl.Series
    """True where a key is there that may hold the log of an envelope."""
    structure: pl.Series
    """64 bits of the structure, different in each process; null where it is not known."""
    has_keys: npt.NDArray[np.bool_]
    """True where `keys` holds all telling keys of a plain text."""
    keys: TellingKeys


@dataclass
class KeyMeanings:
    """What the keys met so far mean, shared by the threads that read."""

    table: MeaningTable = field(default_factory=MeaningTable)

    def survey(self, texts: pl.Series) -> Survey:
        """Survey texts; null counts as no JSON."""
        found = find_places(texts)
        flags = np.zeros(len(texts), dtype=np.uint8)
        structures = np.zeros(len(texts), dtype=np.uint64)
        firsts = np.zeros(len(texts), dtype=np.int64)
        lasts = np.zeros(len(texts), dtype=np.int64)
        room = len(texts) * _KEYS_PER_TEXT + _KEYS_OF_ALL
        keys = np.empty(room, dtype=np.uint64)
        places = np.empty(room, dtype=np.int64)
        kinds = np.empty(room, dtype=np.uint16)
        cursor = np.zeros(1, dtype=np.int64)
        rows: npt.NDArray[np.intp] = np.arange(len(texts))
        for _round in range(_ROUNDS):
            unknown = np.zeros((_MAX_UNKNOWN, 2), dtype=np.int64)
            count = np.zeros(1, dtype=np.int64)
            slots, meanings = self.table.arrays
            _survey_texts(
                found.data, found.starts, found.stops, rows, self.table.seed, slots, meanings,
                unknown, count, structures, flags, keys, places, kinds, cursor, firsts, lasts,
            )  # fmt: skip
            rows = np.flatnonzero(flags & UNKNOWN)
            if not len(rows) or self.table.is_full:
                break
            self.table.learn(
                {bytes(found.data[start:stop]).decode() for start, stop in unknown[: count[0]]}
            )
        is_known = (flags & (PLAIN | UNKNOWN)) == PLAIN
        structure = pl.Series("structure", structures)
        return Survey(
            pl.Series("is_plain", is_known),
            pl.Series("may_wrap", (flags & PAYLOAD) != 0),
            structure if is_known.all() else structure.set(pl.Series(~is_known), None),
            is_known & ((flags & CROWDED) == 0),
            TellingKeys(found, keys, places, kinds, firsts, lasts),
        )
