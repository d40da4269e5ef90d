"""One pass over JSON object texts that finds the places of known fields, compiled by Numba.

Belongs here: the compiled function and the table of known names that it walks. Does not belong
here: what the fields mean, Polars types (`decode`). Why compiled, and what it saves:
docs/decisions/0009-compiled-scans.md.

The texts were written by attackers: every index is compared with the end of its text, and whatever
is not plain JSON is flagged and left to the slower, strict reader.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

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
    compile_step,
    find_special,
    hash_bytes,
    is_same,
    load_u8,
)
from ocsf_pipeline.logs.textplaces import LONGEST_INLINE, first_words

TEXT, OBJECT, ARRAY = 0, 1, 2
"""Kinds of known fields: a scalar, an object whose names are known, an array taken as it stands."""
ODD, PARTIAL = 1, 2
"""Flags of a row: it contradicts the names' kinds or is no JSON; it has fields nobody knows."""
MAX_DEPTH = 16
_NONE = -1
_SEED = np.uint64(14695981039346656037)
_NULL_START = 110
_SLACK = bytes(8)
"""Behind the names, so that the last of them can be read eight bytes at a time."""


class NameTable(NamedTuple):
    """The names that a scan knows, as arrays; a field is known by its parent and its name."""

    text: npt.NDArray[np.uint8]
    """All names, one after the other, in UTF-8; eight bytes more."""
    starts: npt.NDArray[np.int64]
    """Field -> where its name begins in `text`; one more than there are fields."""
    parents: npt.NDArray[np.int32]
    kinds: npt.NDArray[np.int32]
    leaves: npt.NDArray[np.int32]
    """Field -> its number among the leaves; -1 for objects."""
    first_child: npt.NDArray[np.int32]
    next_sibling: npt.NDArray[np.int32]
    slots: npt.NDArray[np.int32]
    """Open hash table of fields; its size is a power of two, -1 is free."""


def build_name_table(fields: Sequence[tuple[int, str, int, int]]) -> NameTable:
    """Return the table of `fields`: (parent's number, name, kind, leaf number or -1) of each.

    Field 0 is the root; parents come before their children.
    """
    names = [name.encode() for _parent, name, _kind, _leaf in fields]
    starts = np.zeros(len(fields) + 1, dtype=np.int64)
    np.cumsum([len(name) for name in names], out=starts[1:])
    text = np.frombuffer(b"".join(names) + _SLACK, dtype=np.uint8)
    first = np.full(len(fields), _NONE, dtype=np.int32)
    following = np.full(len(fields), _NONE, dtype=np.int32)
    last: dict[int, int] = {}
    size = 8
    while size < 3 * len(fields):
        size *= 2
    slots = np.full(size, _NONE, dtype=np.int32)
    for number, (parent, _name, _kind, _leaf) in enumerate(fields):
        if number == 0:
            continue
        # Which name comes next is a guess that is checked by its bytes and the quote behind them:
        # names with quotes of their own are only found by their hash.
        if b'"' not in names[number] and b"\\" not in names[number]:
            if parent in last:
                following[last[parent]] = number
            else:
                first[parent] = number
            last[parent] = number
        place = int(_hash_name(text, starts[number], starts[number + 1], parent)) & (size - 1)
        while slots[place] != _NONE:
            place = (place + 1) & (size - 1)
        slots[place] = number
    return NameTable(
        text,
        starts,
        np.array([parent for parent, *_rest in fields], dtype=np.int32),
        np.array([kind for _parent, _name, kind, _leaf in fields], dtype=np.int32),
        np.array([leaf for *_rest, leaf in fields], dtype=np.int32),
        first,
        following,
        slots,
    )


@compile_loop
def _hash_name(data: Any, start: int, stop: int, parent: int) -> Any:
    base = np.uint64(data.ctypes.data)
    return hash_bytes(base, start, stop, data.size, _SEED ^ np.uint64(parent))


@compile_loop
def _skip_spaces(data: Any, at: int, end: int) -> int:
    while at < end and (data[at] == 32 or data[at] == 10 or data[at] == 9 or data[at] == 13):
        at += 1
    return at


@compile_step
def _end_of_string(base: Any, at: Any, end: Any, limit: Any) -> Any:
    """Return the place of the quote that closes the string begun before `at`, or -1."""
    while True:
        at = find_special(base, at, end, limit)
        if at >= end:
            return _NONE
        if load_u8(base + np.uint64(at)) == QUOTE:
            return at
        at += 2


@compile_loop
def _end_of_nested(data: Any, base: Any, at: int, end: int) -> int:
    """Return the place behind the object or array that begins at `at`, or -1."""
    depth = 0
    while at < end:
        byte = data[at]
        if byte == QUOTE:
            at = _end_of_string(base, at + 1, end, data.size)
            if at == _NONE:
                return _NONE
        elif byte == OPEN_OBJECT or byte == OPEN_ARRAY:
            depth += 1
        elif byte == CLOSE_OBJECT or byte == CLOSE_ARRAY:
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1
    return _NONE


@compile_loop
def _end_of_scalar(data: Any, at: int, end: int) -> int:
    """Return the place behind a number or a word that begins at `at`; `at` itself for none."""
    while at < end:
        byte = data[at]
        is_part = (
            48 <= byte <= 57
            or 97 <= byte <= 122
            or byte == 43
            or byte == 45
            or byte == 46
            or byte == 69
        )
        if not is_part:
            break
        at += 1
    return at


@compile_loop
def _write_view(
    base: Any, start: int, stop: int, limit: int, views: Any, leaf: int, row: int
) -> None:
    """Write Arrow's 16 bytes of a string view: short text itself, or where long text stands."""
    length = stop - start
    low, high = first_words(base, start, length, limit)
    views[leaf, row, 0] = length
    views[leaf, row, 1] = np.uint32(low)
    if length > LONGEST_INLINE:
        views[leaf, row, 3] = start
    else:
        views[leaf, row, 2] = np.uint32(low >> np.uint64(32))
        views[leaf, row, 3] = np.uint32(high)


@compile_loop
def _scan_row(
    data: Any, at: int, end: int, row: int, text: Any, starts: Any, parents: Any, kinds: Any,
    leaves: Any, first_child: Any, next_sibling: Any, slots: Any, views: Any, is_set: Any,
    escaped: Any, seen: Any, stack: Any,
) -> int:  # fmt: skip
    """Fill the row's views; return its flags."""
    base, limit = np.uint64(data.ctypes.data), data.size
    names, names_limit = np.uint64(text.ctypes.data), text.size
    flags = 0
    at = _skip_spaces(data, at, end)
    if at >= end or data[at] != OPEN_OBJECT:
        return ODD
    at += 1
    depth = 0
    parent = 0
    hint = first_child[0]
    is_first = True
    while True:
        at = _skip_spaces(data, at, end)
        if at >= end:
            return ODD
        if data[at] == CLOSE_OBJECT:
            at += 1
            if depth == 0:
                return flags if _skip_spaces(data, at, end) == end else ODD
            depth -= 1
            parent = stack[depth, 0]
            hint = stack[depth, 1]
            is_first = False
            continue
        if not is_first:
            if data[at] != COMMA:
                return ODD
            at = _skip_spaces(data, at + 1, end)
        is_first = False
        if at >= end or data[at] != QUOTE:
            return ODD
        start = at + 1
        field = _NONE
        stop = _NONE
        if hint != _NONE:
            stop = start + starts[hint + 1] - starts[hint]
            if (
                stop < end
                and data[stop] == QUOTE
                and is_same(base, start, limit, names, starts[hint], names_limit, stop - start)
            ):
                field = hint
        if field == _NONE:
            stop = _end_of_string(base, start, end, limit)
            if stop == _NONE:
                return ODD
        at = _skip_spaces(data, stop + 1, end)
        if at >= end or data[at] != COLON:
            return ODD
        at = _skip_spaces(data, at + 1, end)
        if at >= end:
            return ODD
        if field == _NONE:
            mask = slots.size - 1
            place = np.int64(_hash_name(data, start, stop, parent) & np.uint64(mask))
            while slots[place] != _NONE:
                known = slots[place]
                if (
                    parents[known] == parent
                    and starts[known + 1] - starts[known] == stop - start
                    and is_same(base, start, limit, names, starts[known], names_limit, stop - start)
                ):
                    field = known
                    break
                place = (place + 1) & mask
        kind = _NONE
        if field != _NONE:
            kind = kinds[field]
            hint = next_sibling[field]
        byte = data[at]
        is_text = True
        has_escape = False
        if byte == QUOTE:
            start = at + 1
            stop = find_special(base, start, end, limit)
            while stop < end and data[stop] == BACKSLASH:
                has_escape = True
                stop = find_special(base, stop + 2, end, limit)
            if stop >= end:
                return ODD
            at = stop + 1
        elif byte == OPEN_OBJECT and kind == OBJECT:
            if seen[field] == row:
                flags |= PARTIAL  # the same object twice
            seen[field] = row
            if depth >= MAX_DEPTH - 1:
                return ODD
            stack[depth, 0] = parent
            stack[depth, 1] = hint
            depth += 1
            parent = field
            hint = first_child[field]
            is_first = True
            at += 1
            continue
        elif byte == OPEN_OBJECT or byte == OPEN_ARRAY:
            start = at
            stop = _end_of_nested(data, base, at, end)
            if stop == _NONE:
                return ODD
            at = stop
            is_text = False
            if kind != _NONE and (kind != ARRAY or byte != OPEN_ARRAY):
                return ODD
        else:
            start = at
            stop = _end_of_scalar(data, at, end)
            if stop == start:
                return ODD
            at = stop
            if byte == _NULL_START:
                continue
        if kind == _NONE:
            flags |= PARTIAL
            continue
        if is_text and kind != TEXT:
            return ODD
        leaf = leaves[field]
        if is_set[leaf, row]:
            flags |= PARTIAL  # the same name twice: the first stands
            continue
        is_set[leaf, row] = 1
        _write_view(base, start, stop, limit, views, leaf, row)
        if has_escape:
            escaped[leaf] = 1


@compile_loop
def _scan_rows(
    data: Any, offsets: Any, text: Any, starts: Any, parents: Any, kinds: Any, leaves: Any,
    first_child: Any, next_sibling: Any, slots: Any, views: Any, is_set: Any, escaped: Any,
    flags: Any,
) -> None:  # fmt: skip
    seen = np.full(kinds.size, -1, dtype=np.int64)
    stack = np.zeros((MAX_DEPTH, 2), dtype=np.int32)
    for row in range(flags.size):
        flags[row] = _scan_row(
            data, offsets[row], offsets[row + 1], row, text, starts, parents, kinds, leaves,
            first_child, next_sibling, slots, views, is_set, escaped, seen, stack,
        )  # fmt: skip


class ScannedRows(NamedTuple):
    """What a scan found."""

    views: npt.NDArray[np.uint32]
    """[leaf, row, 4]: Arrow string views into the texts; zeros where the row lacks the field."""
    is_set: npt.NDArray[np.uint8]
    """[leaf, row]: 1 where the row has the field, and not as null."""
    escaped: npt.NDArray[np.uint8]
    """[leaf]: 1 where any text of the field holds a backslash, and must be unescaped."""
    flags: npt.NDArray[np.uint8]
    """[row]: ODD, PARTIAL. Of odd rows the views mean nothing."""


def scan_texts(
    data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64], table: NameTable, leaf_count: int
) -> ScannedRows:
    """Scan the texts `data[offsets[row]:offsets[row + 1]]`; places must fit into 31 bits."""
    height = len(offsets) - 1
    views = np.zeros((leaf_count, height, 4), dtype=np.uint32)
    is_set = np.zeros((leaf_count, height), dtype=np.uint8)
    escaped = np.zeros(leaf_count, dtype=np.uint8)
    flags = np.zeros(height, dtype=np.uint8)
    _scan_rows(data, offsets, *table, views, is_set, escaped, flags)
    return ScannedRows(views, is_set, escaped, flags)
