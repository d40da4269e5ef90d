"""One compiled pass over JSON texts: what objects that are about the event call it.

Belongs here: the pass. Does not belong here: which objects are about the event (`meanings`), and
any doubt about a text: keys that no survey met and texts in which several objects have a name are
left to the pattern of `shapes.extract_nested_names`. Both find the same, and a test compares them.

As the pattern, the pass asks the bytes only, and not whether they stand in a string.
"""

from __future__ import annotations

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
    byte_at,
    compile_loop,
    compile_step,
    first_byte,
    hash_bytes,
    load_part,
    load_u8,
    load_u64,
    mark_zero,
)
from ocsf_pipeline.logs.meanings import OPENS_NAME, MeaningTable
from ocsf_pipeline.logs.textplaces import cut_texts, find_places

_NONE, _UNSURE = -1, -2
_AT_SIGN, _LESS, _MORE, _DOT, _BEYOND_ASCII = 64, 60, 62, 46, 128
_KINDS_OF_NAME = 3
_NAMES = ("name", ".tag", "value", "title", "id", "code", "type", "action")
_KINDS = np.array([0, 0, 0, 0, 1, 1, 2, 2])
"""Keys that hold a name; one of a lower kind says more, and only that is taken."""
_LENGTHS = np.array([len(name) for name in _NAMES])
_WORDS = np.array([int.from_bytes(f"{name:8}".encode(), "little") for name in _NAMES], np.uint64)
_SPACES = np.uint64(0x2020202020202020)
"""What makes small letters of capitals, and of the nothing behind a name a space."""
_LONGEST_NAME = 6
_LONGEST_PARENT = 60
_MAX_RUNS, _LONGEST_RUN, _LONGEST_NUMBER = 4, 5, 6
"""Of digits: a name has so many runs, the last of them at its end, each so long; a number is so
long."""
_BRACES = np.uint64(0x7B7B7B7B7B7B7B7B)


@compile_step
def _find_brace(base: Any, at: Any, end: Any) -> Any:
    """Return the place of the first `{` from `at` on, or `end`."""
    while at < end:
        if at + 8 <= end:
            marks = mark_zero(load_u64(base + np.uint64(at)) ^ _BRACES)
            if marks != np.uint64(0):
                return at + np.int64(first_byte(marks))
            at += 8
        else:
            if load_u8(base + np.uint64(at)) == OPEN_OBJECT:
                return at
            at += 1
    return end


@compile_step
def _start_of_key(base: Any, start: Any, quote: Any) -> Any:
    """Return where the key begins that ends before a quote; _NONE where it is long or unquoted."""
    at = quote
    while at > start and quote - at <= _LONGEST_PARENT:
        byte = load_u8(base + np.uint64(at - 1))
        if byte == QUOTE:
            return at
        if byte >= _BEYOND_ASCII:  # letters that only look like others in capitals
            return _UNSURE
        at -= 1
    return _NONE


@compile_step
def _end_of_inner(base: Any, at: Any, end: Any, opening: Any, closing: Any) -> Any:
    """Return the place behind what opens at `at` and holds nothing of its kind, or _NONE."""
    at += 1
    while at < end:
        byte = load_u8(base + np.uint64(at))
        if byte == closing:
            return at + 1
        if byte == opening:
            return _NONE
        at += 1
    return _NONE


@compile_step
def _end_of_text(base: Any, at: Any, end: Any) -> Any:
    """Return the place behind a text that may be a name, whose inside begins at `at`; or _NONE."""
    runs = 0
    run = 0
    while at < end:
        byte = load_u8(base + np.uint64(at))
        if byte == QUOTE:
            return at + 1
        if 48 <= byte <= 57:
            run += 1
            runs += 1 if run == 1 else 0
            if run > _LONGEST_RUN or runs > _MAX_RUNS:
                return _NONE
        else:
            run = 0
            if runs == _MAX_RUNS or byte == BACKSLASH:
                return _NONE
            if byte == _AT_SIGN or byte == _LESS or byte == _MORE:
                return _NONE
        at += 1
    return _NONE


@compile_step
def _end_of_value(base: Any, at: Any, end: Any) -> Any:
    """Return the place behind a name, or a short number and what ends it; or _NONE."""
    if byte_at(base, at, end) == QUOTE:
        return _end_of_text(base, at + 1, end)
    first = at
    while at < end and 48 <= load_u8(base + np.uint64(at)) <= 57:
        at += 1
    if at == first or at > first + _LONGEST_NUMBER:
        return _NONE
    mark = byte_at(base, at, end)
    return at + 1 if mark == COMMA or mark == CLOSE_OBJECT else _NONE


@compile_step
def _end_of_pair(base: Any, at: Any, end: Any, wanted: Any) -> Any:
    """Return the place behind `"name":"…"` at `at`, of a key of this kind; or _NONE."""
    if byte_at(base, at, end) != QUOTE:
        return _NONE
    first = at + 1
    at = first
    while at < end and at <= first + _LONGEST_NAME and load_u8(base + np.uint64(at)) != QUOTE:
        at += 1
    if byte_at(base, at, end) != QUOTE or byte_at(base, at + 1, end) != COLON:
        return _NONE
    word = load_part(base, first, at - first, end) | _SPACES
    for number in range(_WORDS.size):
        if _KINDS[number] != wanted or word != _WORDS[number] or at - first != _LENGTHS[number]:
            continue
        is_dotted = _WORDS[number] & np.uint64(255) == _DOT
        if not is_dotted or load_u8(base + np.uint64(first)) == _DOT:
            return _end_of_value(base, at + 2, end)
    return _NONE


@compile_step
def _find_in_object(base: Any, first: Any, end: Any, wanted: Any) -> Any:
    """Return the place behind the name in an object whose inside begins at `first`; or _NONE.

    The pattern asks what stands behind a comma before it asks what the object begins with.
    """
    at = first
    while at < end:
        byte = load_u8(base + np.uint64(at))
        if byte == COMMA:
            stop = _end_of_pair(base, at + 1, end, wanted)
            if stop >= 0:
                return stop
            at += 1
        elif byte == OPEN_ARRAY:
            at = _end_of_inner(base, at, end, OPEN_ARRAY, CLOSE_ARRAY)
        elif byte == OPEN_OBJECT:
            at = _end_of_inner(base, at, end, OPEN_OBJECT, CLOSE_OBJECT)
        else:
            at += 1
        if at < 0 or byte == CLOSE_ARRAY or byte == CLOSE_OBJECT:
            break
    return _end_of_pair(base, first, end, wanted)


@compile_step
def _find_key(base: Any, start: Any, brace: Any) -> Any:
    """Return where the key begins and ends whose object, or list of such, opens at a brace.

    Where it begins is _NONE where none does, or _UNSURE.
    """
    at = brace - 1
    if at > start and load_u8(base + np.uint64(at)) == OPEN_ARRAY:
        at -= 1
    if at - 1 <= start or load_u8(base + np.uint64(at)) != COLON:
        return _NONE, at
    if load_u8(base + np.uint64(at - 1)) != QUOTE:
        return _NONE, at
    return _start_of_key(base, start, at - 1), at - 1


@compile_loop
def _ask_table(key: Any, slots: Any, meanings: Any) -> Any:
    """Return whether an object in a key is about the event: 0, 1, or _UNSURE for a new key."""
    mask = np.int64(slots.size - 1)
    place = np.int64(key & np.uint64(mask))
    while slots[place] != key and slots[place] != 0:
        place = (place + 1) & mask
    if slots[place] != key:
        return _UNSURE
    return 1 if np.int64(meanings[place]) & OPENS_NAME != 0 else 0


@compile_loop
def _find_names(
    data: Any, start: int, end: int, seed: Any, slots: Any, meanings: Any, counts: Any, found: Any
) -> bool:
    """Write per kind how many names there are, and the first; return whether all keys are known."""
    base = np.uint64(data.ctypes.data)
    counts[:] = 0
    brace = _find_brace(base, start, end)
    while brace < end:
        key, quote = _find_key(base, start, brace)
        opens = key
        if key >= 0:
            opens = _ask_table(hash_bytes(base, key, quote, end, seed), slots, meanings)
        if opens == _UNSURE:
            return False
        kind = 0
        while opens == 1 and kind < _KINDS_OF_NAME:
            # Matches do not overlap: what begins in the last one is no further one.
            if counts[kind] == 0 or key > found[kind, 2]:
                stop = _find_in_object(base, brace + 1, end, kind)
                if stop >= 0:
                    counts[kind] += 1
                    found[kind, 0], found[kind, 1], found[kind, 2] = key, quote, stop
            kind = _KINDS_OF_NAME if counts[kind] > 0 else kind + 1
        brace = _find_brace(base, brace + 1, end)
    return True


@compile_loop
def _choose_kind(counts: Any) -> int:
    """Return the lowest kind of which there is one name; _NONE for no name, or _UNSURE."""
    for kind in range(_KINDS_OF_NAME):
        if counts[kind] > 0:
            return kind if counts[kind] == 1 else _UNSURE
    return _NONE


@compile_step
def _start_of_value(base: Any, stop: Any) -> Any:
    """Return where the value begins that ends before `stop`: behind the last quote or colon."""
    while True:
        byte = load_u8(base + np.uint64(stop - 1))
        if byte == QUOTE or byte == COLON:
            return stop
        stop -= 1


@compile_loop
def _find_rows(
    data: Any, starts: Any, stops: Any, where: Any, seed: Any, slots: Any, meanings: Any,
    parents: Any, values: Any,
) -> None:  # fmt: skip
    base = np.uint64(data.ctypes.data)
    counts = np.zeros(_KINDS_OF_NAME, dtype=np.int64)
    found = np.zeros((_KINDS_OF_NAME, 3), dtype=np.int64)
    for row in range(starts.size):
        if not where[row]:
            continue
        is_known = _find_names(data, starts[row], stops[row], seed, slots, meanings, counts, found)
        kind = _choose_kind(counts) if is_known else _UNSURE
        if kind < 0:
            parents[0, row] = kind
            continue
        parents[0, row], parents[1, row] = found[kind, 0], found[kind, 1]
        last = found[kind, 2] - 1
        values[0, row], values[1, row] = _start_of_value(base, last), last


def find_nested_names(
    fields: pl.Series, where: npt.NDArray[np.bool_], table: MeaningTable
) -> tuple[pl.Series, npt.NDArray[np.intp]]:
    """Return what objects call the event, as `rule=5710`, and the rows left unread.

    Null where none does, in rows that are not asked (`where`), and in those left.
    """
    texts = find_places(fields)
    parents = np.full((2, len(fields)), _NONE, dtype=np.int64)
    values = np.full((2, len(fields)), _NONE, dtype=np.int64)
    slots, meanings = table.arrays
    _find_rows(
        texts.data, texts.starts, texts.stops, where, table.seed, slots, meanings, parents, values
    )
    rows = np.arange(len(fields))
    parent = cut_texts(texts, rows, parents[0], parents[1], "parent")
    value = cut_texts(texts, rows, values[0], values[1], "value")
    names = pl.select(pl.concat_str(parent, pl.lit("="), value).alias("name")).to_series()
    return names, np.flatnonzero(parents[0] == _UNSURE)
