r"""One compiled pass that takes the log out of common envelopes, from what a survey found.

Belongs here: Vector's and container runtimes' envelopes where they are plain. Does not belong here:
the rules for all envelopes (`envelopes`), which read what this pass leaves: other shippers, logs
that are no strings, times that are numbers, keys that stand twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from ocsf_pipeline.logs.compiled import (
    BACKSLASH,
    OPEN_OBJECT,
    QUOTE,
    compile_loop,
    find_special,
    load_u64,
    store_u64,
)
from ocsf_pipeline.logs.meanings import OUTER_KEYS, OUTER_SHIFT, MeaningTable
from ocsf_pipeline.logs.survey import TellingKeys
from ocsf_pipeline.logs.textplaces import cut_texts, make_texts, write_views

_COUNT = len(OUTER_KEYS) + 1


def _number(name: str) -> int:
    return OUTER_KEYS.index(name) + 1


_MESSAGE, _LOG, _EVENT, _BODY = (_number(name) for name in ("message", "log", "event", "body"))
_AS_VECTOR = (_number("source_type"), _number("@version"))
_AS_CONTAINER = (_number("stream"), _number("date"), _number("kubernetes"))
_TIMES = tuple(_number(name) for name in ("timestamp", "time", "@timestamp", "date"))
_HOSTS = tuple(_number(name) for name in ("host", "hostname"))
_AGENT = _number("agent")
_ALONE = tuple(_number(name) for name in ("line", "raw", "_raw", "message", "log"))
_LONGEST_START = len('{"message":')
_UNSURE, _PLAIN, _ESCAPED, _NO_ENVELOPE = 0, 1, 2, 3
_LETTER_D, _LETTER_I, _LETTER_N = 100, 105, 110


@dataclass(frozen=True)
class Payloads:
    """Which texts are envelopes, and what those hold."""

    rows: npt.NDArray[np.intp]
    """The texts that were opened."""
    said: pl.DataFrame
    """`inner`, `is_object`, `envelope_time`, `envelope_host` of those."""
    others: npt.NDArray[np.intp]
    """The texts that are no envelopes."""


@compile_loop
def _is_there(data: Any, at: int) -> bool:
    """Whether a key stands at all, with another value than null."""
    return at >= 0 and data[at] != _LETTER_N


@compile_loop
def _end_of_plain(data: Any, at: int, end: int) -> int:
    """Return where a string without escapes ends whose inside begins at `at`, or -1."""
    while at < end and data[at] != QUOTE:
        if data[at] == BACKSLASH:
            return -1
        at += 1
    return at if at < end else -1


@compile_loop
def _judge_unmarked(data: Any, begin: int, end: int, at_keys: Any) -> Any:
    """Tell whether a text without marks is surely no envelope: `{"log":"…"}` alone may be one."""
    if at_keys[_MESSAGE] >= 0 and at_keys[_AGENT] >= 0:
        return _UNSURE
    for mark in _AS_CONTAINER:
        if at_keys[_LOG] >= 0 and at_keys[mark] >= 0:
            return _UNSURE
    if data[begin + 2] == _LETTER_I and data[begin + 3] == _LETTER_D:  # as CloudWatch's begin
        return _UNSURE
    for key in _ALONE:
        start = at_keys[key]
        if start >= 0 and start - begin <= _LONGEST_START:
            if data[start] != QUOTE:
                continue
            start += 1
            while start < end and data[start] != QUOTE:
                start += 2 if data[start] == BACKSLASH else 1
            if start + 2 >= end:
                return _UNSURE
    return _NO_ENVELOPE


@compile_loop
def _open_row(
    data: Any, begin: int, end: int, number: int, keys: Any, key_hashes: Any, places: Any,
    kinds: Any, first: int, last: int, at_keys: Any, starts: Any, stops: Any,
) -> Any:  # fmt: skip
    """Find the payload, time and host of one text; return what it is."""
    at_keys[:] = -1
    for entry in range(first, last):
        outer = np.int64(kinds[entry]) >> OUTER_SHIFT
        if outer != 0:
            if at_keys[outer] >= 0:
                return _UNSURE
            at_keys[outer] = places[entry]
    if at_keys[_EVENT] >= 0 or at_keys[_BODY] >= 0:
        return _UNSURE
    payload = _MESSAGE
    marked = False
    if at_keys[_MESSAGE] >= 0:
        for mark in _AS_VECTOR:
            marked = marked or _is_there(data, at_keys[mark])
    else:
        payload = _LOG
        for mark in _AS_CONTAINER:
            marked = marked or _is_there(data, at_keys[mark])
    if not marked or at_keys[payload] < 0:
        return _judge_unmarked(data, begin, end, at_keys)
    # An object of the same name further inside makes the rules look twice.
    count = 0
    for entry in range(first, last):
        if key_hashes[entry] == keys[payload]:
            count += 1
    start = at_keys[payload]
    if count != 1 or data[start] != QUOTE:
        return _UNSURE
    start += 1
    stop = start
    has_escapes = False
    has_text = False
    while stop < end and data[stop] != QUOTE and not has_text:
        if data[stop] == BACKSLASH:
            has_escapes = True
            stop += 1
        elif 32 < data[stop] < 127:
            has_text = True
        stop += 1
    base = np.uint64(data.ctypes.data)
    stop = find_special(base, stop, end, end)
    while stop < end and data[stop] == BACKSLASH:
        has_escapes = True
        stop = find_special(base, stop + 2, end, end)
    if not has_text or stop >= end:
        return _UNSURE
    starts[0, number], stops[0, number] = start, stop
    starts[1, number] = -1
    for key in _TIMES:
        start = at_keys[key]
        if _is_there(data, start):
            stop = _end_of_plain(data, start + 1, end) if data[start] == QUOTE else -1
            if stop < 0:
                return _UNSURE
            starts[1, number], stops[1, number] = start + 1, stop
            break
    starts[2, number] = -1
    for key in _HOSTS:
        start = at_keys[key]
        if _is_there(data, start):
            stop = _end_of_plain(data, start + 1, end) if data[start] == QUOTE else -1
            if stop < 0 or data[start + 1] == OPEN_OBJECT:
                return _UNSURE
            starts[2, number], stops[2, number] = start + 1, stop
            break
    return _ESCAPED if has_escapes else _PLAIN


@compile_loop
def _open_rows(
    data: Any, begins: Any, ends: Any, rows: Any, keys: Any, key_hashes: Any, places: Any,
    kinds: Any, firsts: Any, lasts: Any, at_keys: Any, starts: Any, stops: Any, kinds_of_row: Any,
) -> None:  # fmt: skip
    for number in range(rows.size):
        row = rows[number]
        kinds_of_row[number] = _open_row(
            data, begins[row], ends[row], number, keys, key_hashes, places, kinds,
            firsts[row], lasts[row], at_keys, starts, stops,
        )  # fmt: skip


@compile_loop
def _unescape_texts(
    data: Any, starts: Any, stops: Any, plain: Any, plain_starts: Any, plain_stops: Any
) -> None:
    """Undo the escapes of plain JSON strings, and leave out line ends behind their texts."""
    base, plain_base = np.uint64(data.ctypes.data), np.uint64(plain.ctypes.data)
    to = 0
    for number in range(starts.size):
        plain_starts[number] = to
        at, stop = starts[number], stops[number]
        while at < stop:
            special = find_special(base, at, stop, stop)
            while special - at >= 8:
                store_u64(plain_base + np.uint64(to), load_u64(base + np.uint64(at)))
                at += 8
                to += 8
            while at < special:
                plain[to] = data[at]
                at += 1
                to += 1
            if at == stop:
                break
            byte = data[at]
            if byte == BACKSLASH:
                at += 1
                byte = data[at]
                if byte == 110:
                    byte = 10
                elif byte == 114:
                    byte = 13
                elif byte == 116:
                    byte = 9
                elif byte == 98:
                    byte = 8
                elif byte == 102:
                    byte = 12
            plain[to] = byte
            to += 1
            at += 1
        end = to
        while end > plain_starts[number] and (plain[end - 1] == 10 or plain[end - 1] == 13):
            end -= 1
        plain_stops[number] = end


def open_payloads(found: TellingKeys, rows: npt.NDArray[np.intp], table: MeaningTable) -> Payloads:
    """Open those of `rows`, plain texts with all their telling keys, that are plain envelopes."""
    texts = found.texts
    starts = np.full((3, len(rows)), -1, dtype=np.int64)
    stops = np.full((3, len(rows)), -1, dtype=np.int64)
    kinds = np.zeros(len(rows), dtype=np.uint8)
    hashes = np.array([0, *(table.hash_name(name) for name in OUTER_KEYS)], dtype=np.uint64)
    _open_rows(
        texts.data, texts.starts, texts.stops, rows, hashes, found.keys, found.places, found.kinds,
        found.firsts, found.lasts, np.empty(_COUNT, dtype=np.int64), starts, stops, kinds,
    )  # fmt: skip
    opened = np.flatnonzero((kinds == _PLAIN) | (kinds == _ESCAPED))
    others = rows[kinds == _NO_ENVELOPE]
    starts, stops, is_escaped = starts[:, opened], stops[:, opened], kinds[opened] == _ESCAPED
    rows = rows[opened]
    inner = _cut_payloads(found, rows, starts[0], stops[0], np.flatnonzero(is_escaped))
    said = pl.DataFrame(
        [
            inner,
            pl.Series("is_object", np.zeros(len(rows), dtype=np.bool_)),
            cut_texts(texts, rows, starts[1], stops[1], "envelope_time"),
            cut_texts(texts, rows, starts[2], stops[2], "envelope_host"),
        ]
    )
    return Payloads(rows, said, others)


def _cut_payloads(
    found: TellingKeys,
    rows: npt.NDArray[np.intp],
    starts: npt.NDArray[np.int64],
    stops: npt.NDArray[np.int64],
    escaped: npt.NDArray[np.intp],
) -> pl.Series:
    """Return the payloads: texts without escapes where they are, the others written anew."""
    texts = found.texts
    plain = np.empty(max(1, int((stops[escaped] - starts[escaped]).sum())), dtype=np.uint8)
    plain_starts = np.empty(len(escaped), dtype=np.int64)
    plain_stops = np.empty(len(escaped), dtype=np.int64)
    _unescape_texts(texts.data, starts[escaped], stops[escaped], plain, plain_starts, plain_stops)
    views = np.zeros((len(rows), 4), dtype=np.uint32)
    is_set = np.zeros(len(rows), dtype=np.bool_)
    kept = starts.copy()
    kept[escaped] = -1
    write_views(
        texts.data, kept, stops, rows, texts.stops, texts.homes, texts.bases, views, is_set
    )  # fmt: skip
    kept[:] = -1
    kept[escaped] = plain_starts
    ends = stops.copy()
    ends[escaped] = plain_stops
    home = np.full(len(rows), len(texts.buffers), dtype=np.int32)
    bases = np.zeros(len(texts.buffers) + 1, dtype=np.int64)
    limits = np.full(len(rows), len(plain), dtype=np.int64)
    write_views(plain, kept, ends, np.arange(len(rows)), limits, home, bases, views, is_set)
    return make_texts(views, is_set, (*texts.buffers, pa.py_buffer(plain)), "inner")
