"""Where texts lie in memory, and columns that are parts of them, nothing copied.

Belongs here: from Polars' columns to places of bytes and back. Does not belong here: what is looked
for in the bytes, and how loops are compiled (`compiled`).
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from ocsf_pipeline.logs.compiled import compile_loop, compile_step, load_part

LONGEST_INLINE = 12
"""Texts of so many bytes lie in their view itself."""
_VIEW_BYTES = 16
_BUFFER_BYTES = 1 << 30


def open_texts(
    texts: pl.Series,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], pa.Buffer]:
    """Return the bytes of all texts, where each begins (one more than there are), and the buffer.

    Null is taken as empty. The arrays are views of the buffer.
    """
    array = texts.fill_null("").to_arrow(compat_level=pl.CompatLevel.oldest())
    _validity, offset_buffer, text_buffer = array.buffers()
    offsets = np.frombuffer(offset_buffer, dtype=np.int64)
    text_buffer = text_buffer or pa.py_buffer(b"\0")
    data = np.frombuffer(text_buffer, dtype=np.uint8)
    return data, offsets[array.offset : array.offset + len(array) + 1], text_buffer


@dataclass(frozen=True)
class TextPlaces:
    """Where the bytes of texts lie in memory, none of them copied."""

    data: npt.NDArray[np.uint8]
    """All memory from the first buffer's begin to the last one's end: read nothing of it but what
    lies between a start and its stop."""
    starts: npt.NDArray[np.int64]
    stops: npt.NDArray[np.int64]
    """Per text, its place in `data`; of null texts both are equal."""
    homes: npt.NDArray[np.int32]
    """Per text, the number of its buffer; -1 for texts of up to 12 bytes, which lie in none."""
    bases: npt.NDArray[np.int64]
    """Per buffer, where it begins in `data`."""
    buffers: tuple[pa.Buffer, ...]
    views: pa.Buffer | None
    """Where short texts lie; held so that their memory stays."""


@compile_loop
def _find_places(views: Any, first: int, bases: Any, starts: Any, stops: Any, homes: Any) -> None:
    for row in range(views.shape[0]):
        length = np.int64(views[row, 0])
        if length > LONGEST_INLINE:
            home = views[row, 2]
            starts[row] = bases[home] + np.int64(views[row, 3])
            homes[row] = home
        else:
            starts[row] = first + row * _VIEW_BYTES + 4
            homes[row] = -1
        stops[row] = starts[row] + length


def find_places(texts: pl.Series) -> TextPlaces:
    """Return where the bytes of a String column lie; null is taken as empty."""
    height = len(texts)
    starts = np.zeros(height, dtype=np.int64)
    stops = np.zeros(height, dtype=np.int64)
    homes = np.full(height, -1, dtype=np.int32)
    array = texts.to_arrow(compat_level=pl.CompatLevel.newest())
    _validity, views, *buffers = array.buffers()
    known = [buffer for buffer in (views, *buffers) if buffer is not None and buffer.size]
    if not height or not known:
        return TextPlaces(
            np.zeros(1, np.uint8), starts, stops, homes, np.zeros(0, np.int64), (), views
        )
    begin = min(buffer.address for buffer in known)
    end = max(buffer.address + buffer.size for buffer in known)
    data = np.frombuffer((ctypes.c_uint8 * (end - begin)).from_address(begin), dtype=np.uint8)
    bases = np.array([buffer.address - begin for buffer in buffers], dtype=np.int64)
    words = np.frombuffer(views, dtype=np.int32).reshape(-1, 4)
    words = words[array.offset : array.offset + height]
    first = views.address - begin + array.offset * _VIEW_BYTES
    _find_places(words, first, bases, starts, stops, homes)
    if texts.null_count():
        nulls = texts.is_null().to_numpy()
        stops[nulls] = starts[nulls]
    return TextPlaces(data, starts, stops, homes, bases, tuple(buffers), views)


@compile_step
def first_words(base: Any, start: Any, length: Any, limit: Any) -> Any:
    """Return the two words of a view that hold the text itself, or the first bytes of long text."""
    if length > LONGEST_INLINE:
        return load_part(base, start, 4, limit), np.uint64(0)
    low = load_part(base, start, min(length, 8), limit)
    if length <= 8:
        return low, np.uint64(0)
    return low, load_part(base, start + 8, length - 8, limit)


@compile_loop
def write_views(
    data: Any, starts: Any, stops: Any, rows: Any, limits: Any, homes: Any, bases: Any, views: Any,
    is_set: Any,
) -> None:  # fmt: skip
    """Write Arrow's 16 bytes of a string view per text: short text itself, or where it stands.

    `limits`: per row, the place up to which bytes may be read.
    """
    base = np.uint64(data.ctypes.data)
    for number in range(starts.size):
        start = starts[number]
        if start < 0:
            continue
        is_set[number] = True
        length = stops[number] - start
        low, high = first_words(base, start, length, limits[rows[number]])
        views[number, 0] = length
        views[number, 1] = np.uint32(low)
        if length > LONGEST_INLINE:
            home = homes[rows[number]]
            views[number, 2] = home
            views[number, 3] = start - bases[home]
        else:
            views[number, 2] = np.uint32(low >> np.uint64(32))
            views[number, 3] = np.uint32(high)


def cut_texts(
    texts: TextPlaces,
    rows: npt.NDArray[np.intp],
    starts: npt.NDArray[np.int64],
    stops: npt.NDArray[np.int64],
    name: str,
) -> pl.Series:
    """Return a part of each of `rows`, not copied; null where its start is below 0."""
    views = np.zeros((len(rows), 4), dtype=np.uint32)
    is_set = np.zeros(len(rows), dtype=np.bool_)
    write_views(
        texts.data, starts, stops, rows, texts.stops, texts.homes, texts.bases, views, is_set
    )  # fmt: skip
    return make_texts(views, is_set, texts.buffers, name)


def cut_buffer(
    data: bytes | npt.NDArray[np.uint8],
    starts: npt.NDArray[np.int64],
    stops: npt.NDArray[np.int64],
    name: str,
) -> pl.Series:
    """Return parts of UTF-8 text in its order, not copied; null where a start is below 0."""
    codes = np.frombuffer(data, np.uint8) if isinstance(data, bytes) else data
    views = np.zeros((len(starts), 4), dtype=np.uint32)
    is_set = np.zeros(len(starts), dtype=np.bool_)
    # A view's place in a buffer has 31 bits: longer text is several buffers of views.
    bases: npt.NDArray[np.int64] = np.arange(0, max(1, len(codes)), _BUFFER_BYTES)
    homes = (starts // _BUFFER_BYTES).astype(np.int32)
    rows = np.arange(len(starts))
    limits = np.full(len(starts), len(codes), dtype=np.int64)
    write_views(codes, starts, stops, rows, limits, homes, bases, views, is_set)
    buffers = tuple(pa.py_buffer(codes[base:]) for base in bases)
    return make_texts(views, is_set, buffers, name)


def make_texts(
    views: npt.NDArray[np.uint32],
    is_set: npt.NDArray[np.bool_],
    buffers: tuple[pa.Buffer, ...],
    name: str,
) -> pl.Series:
    """Return the String column that views into buffers make."""
    validity = None
    if not is_set.all():
        validity = pa.py_buffer(np.packbits(is_set, bitorder="little"))
    array = pa.Array.from_buffers(
        pa.string_view(), len(is_set), [validity, pa.py_buffer(views), *buffers]
    )
    return pl.Series(name, array)
