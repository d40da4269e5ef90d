"""The values of many events written in one pass, compiled by Numba.

Belongs here: the pass over Polars' own memory, and escaping as JSON wants it. Does not belong here:
which values an event has (`forms`).

Texts are read where Polars keeps them: a column is an array of 16-byte views, of short text itself
or of a buffer and a place in it (Arrow's layout of string views). Nothing is copied beforehand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from ocsf_pipeline.logs.compiled import (
    BACKSLASH,
    QUOTE,
    compile_loop,
    load_u8,
    load_u32,
    load_u64,
    mark_unplain,
    mark_zero,
    store_u64,
)

_VIEW_BYTES = 16
_MOST_PER_BYTE = 6
"""A control character becomes `\\u00XX`."""
_SLACK_BYTES = 64
_HEX = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
_SHORT = np.zeros(32, dtype=np.uint8)
for _place, _letter in ((8, b"b"), (9, b"t"), (10, b"n"), (12, b"f"), (13, b"r")):
    _SHORT[_place] = _letter[0]


def fill_forms(
    columns: Sequence[pl.Series],
    texts: Sequence[bool],
    kinds: npt.NDArray[np.int32],
    gaps: Sequence[Sequence[int]],
) -> pl.Series:
    """Return the values of each row, a zero byte behind each.

    `kinds[row]` names the sequence of `gaps` that the row has: numbers of `columns`, which must
    have a value there. Of `texts` what JSON would escape is escaped; other columns hold JSON.
    """
    height = len(kinds)
    kept = [column.rechunk().to_arrow(compat_level=pl.CompatLevel.newest()) for column in columns]
    views = np.zeros(len(kept), dtype=np.uint64)
    buffers: list[int] = []
    first_buffer = np.zeros(len(kept), dtype=np.int64)
    for number, array in enumerate(kept):
        parts = array.buffers()
        views[number] = parts[1].address + array.offset * _VIEW_BYTES
        first_buffer[number] = len(buffers)
        buffers += [part.address if part is not None else 0 for part in parts[2:]]
    starts = np.zeros(len(gaps) + 1, dtype=np.int64)
    np.cumsum([len(item) for item in gaps], out=starts[1:])
    order = np.fromiter((number for item in gaps for number in item), dtype=np.int32)
    tables = (
        views, first_buffer, np.array(buffers or [0], dtype=np.uint64),
        np.array(texts, dtype=np.bool_), kinds, starts, order,
    )  # fmt: skip
    offsets = np.zeros(height + 1, dtype=np.int64)
    room = _measure(*tables[:1], *tables[4:]) * 9 // 8 + _SLACK_BYTES
    data = np.empty(room, dtype=np.uint8)
    done = _fill_rows(*tables, data, offsets, 0)
    while done < height:  # more was escaped than there was room for
        room = max(2 * room, int(offsets[done]) + _row_bound(tables, done))
        data = np.concatenate([data[: offsets[done]], np.empty(room, dtype=np.uint8)])
        done = _fill_rows(*tables, data, offsets, done)
    array = pa.LargeStringArray.from_buffers(height, pa.py_buffer(offsets), pa.py_buffer(data))
    return pl.Series(array)


def _row_bound(tables: tuple[Any, ...], row: int) -> int:
    """Return more bytes than the values of one row can take."""
    one = np.zeros(1, dtype=np.int32)
    views, _first, _buffers, _texts, kinds, starts, order = tables
    one[0] = kinds[row]
    places = views + np.uint64(row * _VIEW_BYTES)
    return int(_measure(places, one, starts, order)) * _MOST_PER_BYTE + _SLACK_BYTES


@compile_loop
def _measure(views: Any, kinds: Any, starts: Any, order: Any) -> Any:
    """Return the bytes of all values, a zero byte behind each, before any is escaped."""
    total = np.int64(0)
    for row in range(kinds.size):
        kind = kinds[row]
        for place in range(starts[kind], starts[kind + 1]):
            total += 1 + np.int64(load_u32(views[order[place]] + np.uint64(row * 16)))
    return total


@compile_loop
def _is_plain(word: Any, is_text: Any) -> Any:
    """Return whether eight bytes can be written as they are.

    Of text none may be a control character, a quote or a backslash; of JSON none may be zero.
    """
    if not is_text:
        return mark_zero(word) == np.uint64(0)
    return mark_unplain(word) == np.uint64(0)


@compile_loop
def _write_escaped(byte: Any, is_text: Any, data: Any, at: Any) -> Any:
    """Write one byte as JSON has it; return the place behind."""
    if byte == 0 or (is_text and byte < 32):
        data[at] = BACKSLASH
        if _SHORT[byte] != 0:
            data[at + 1] = _SHORT[byte]
            return at + 2
        data[at + 1] = 117  # \u00XX
        data[at + 2] = 48
        data[at + 3] = 48
        data[at + 4] = _HEX[byte >> 4]
        data[at + 5] = _HEX[byte & 15]
        return at + 6
    if is_text and (byte == QUOTE or byte == BACKSLASH):  # noqa: SIM109 - no tuple in the loop
        data[at] = BACKSLASH
        at += 1
    data[at] = byte
    return at + 1


@compile_loop
def _write_value(source: Any, length: Any, is_text: Any, data: Any, base: Any, at: Any) -> Any:
    """Write the `length` bytes at `source`; return the place behind. Text is escaped."""
    end = source + np.uint64(length)
    while source < end:
        left: Any = min(np.int64(end - source), 8)
        if left == 8:
            word = load_u64(source)
            if _is_plain(word, is_text):
                store_u64(base + np.uint64(at), word)
                at += 8
                source += np.uint64(8)
                continue
        for _step in range(left):
            at = _write_escaped(load_u8(source), is_text, data, at)
            source += np.uint64(1)
    return at


@compile_loop
def _fill_rows(
    views: Any, first_buffer: Any, buffers: Any, texts: Any, kinds: Any, starts: Any, order: Any,
    data: Any, offsets: Any, row: Any,
) -> Any:  # fmt: skip
    """Write the rows from `row` on; return the first for which there was no room."""
    base = np.uint64(data.ctypes.data)
    at = offsets[row]
    while row < kinds.size:
        kind = kinds[row]
        for place in range(starts[kind], starts[kind + 1]):
            column = order[place]
            view = views[column] + np.uint64(row * 16)
            length = np.int64(load_u32(view))
            if at + length * 6 + 32 > data.size:
                return row
            if length <= 12:
                source = view + np.uint64(4)
            else:
                buffer = first_buffer[column] + np.int64(load_u32(view + np.uint64(8)))
                source = buffers[buffer] + np.uint64(load_u32(view + np.uint64(12)))
            at = _write_value(source, length, texts[column], data, base, at)
            data[at] = 0
            at += 1
        row += 1
        offsets[row] = at
    return row
