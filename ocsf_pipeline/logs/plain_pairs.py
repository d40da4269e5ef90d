"""One compiled pass over plain lists of `key=value`: the inside of their JSON objects.

Belongs here: the pass. Does not belong here: any doubt about a text: escapes, apostrophes, bars,
values that hold `=`, the stamps of the audit daemon are left to the expressions of `pairs`. Both
read alike, and a test compares them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from ocsf_pipeline.logs.compiled import BACKSLASH, COLON, COMMA, QUOTE, compile_loop
from ocsf_pipeline.logs.textplaces import cut_buffer, cut_texts, find_places

_UNSURE, _NONE = -1, -1
_EQUALS, _APOSTROPHE, _BAR, _SPACE = 61, 39, 124, 32
_FIRST, _INNER, _LEAD, _ODD = 1, 2, 4, 8
"""What a byte may be: the first of a key, a further one, what stands before a key; or it makes a
text odd."""


def _classify() -> npt.NDArray[np.uint8]:
    kinds = np.zeros(256, dtype=np.uint8)
    letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    for byte in letters + b"_@":
        kinds[byte] |= _FIRST
    for byte in letters + b"0123456789_.-@/":
        kinds[byte] |= _INNER
    for byte in b" \t,;|([{":
        kinds[byte] |= _LEAD
    for byte in (*range(32), BACKSLASH, _APOSTROPHE, _BAR, 127):
        kinds[byte] |= _ODD
    return kinds


_KINDS = _classify()


@compile_loop
def _mark_pairs(data: Any, starts: Any, stops: Any, kinds: Any, is_list: Any) -> None:
    for row in range(starts.size):
        start = starts[row]
        in_turn = 0
        begins_with_key = False
        for at in range(start, stops[row]):
            if data[at] != _EQUALS:
                continue
            key = at
            while key > start and kinds[data[key - 1]] & _INNER:
                key -= 1
            is_key = key < at and kinds[data[key]] & _FIRST != 0
            if is_key and (key == start or kinds[data[key - 1]] & _LEAD):
                in_turn += 1
                begins_with_key = begins_with_key or key == start
            else:
                in_turn = 0
                begins_with_key = False
            if in_turn == 3 or (in_turn == 2 and begins_with_key):
                is_list[row] = True
                break


def mark_pairs(bodies: pl.Series) -> pl.Series:
    """Return which texts are lists of pairs.

    That is three `key=` in turn, each at the beginning or behind a space, a comma or the like, and
    no other `=` between them; or two of which the first begins the text.
    """
    texts = find_places(bodies)
    is_list = np.zeros(len(bodies), dtype=np.bool_)
    _mark_pairs(texts.data, texts.starts, texts.stops, _KINDS, is_list)
    return pl.Series(bodies.name, is_list)


@compile_loop
def _find_lead(data: Any, start: int, end: int, kinds: Any, message: Any, row: int) -> bool:
    """Find what stands before the first `key=`; return whether that is sure."""
    equals = start
    while equals < end and data[equals] != _EQUALS:
        equals += 1
    first = equals
    while first > start and kinds[data[first - 1]] & _INNER:
        first -= 1
    stop = first
    if stop < equals and kinds[data[stop]] & _FIRST:
        while stop > start and kinds[data[stop - 1]] & _LEAD:
            stop -= 1
    else:
        while stop < equals and kinds[data[stop]] & _FIRST == 0:
            stop += 1
    if stop >= equals or equals >= end:
        return True
    while start < stop and data[start] == _SPACE:
        start += 1
    while stop > start and data[stop - 1] == _SPACE:
        stop -= 1
    if stop > start and (data[start] >= 128 or data[stop - 1] >= 128):
        return False  # may be a space of another script
    if stop - start > 1:
        message[0, row], message[1, row] = start, stop
    return True


@compile_loop
def _write_pairs(
    data: Any, start: int, end: int, kinds: Any, out: Any, to: int, message: Any, row: int
) -> int:
    """Write the pairs of one text; return the place behind them, or _UNSURE."""
    first_to = to
    matched = -1  # bytes of all pairs, a mark between them
    at = start
    while at < end:
        kind = kinds[data[at]]
        if kind & _ODD:
            return _UNSURE
        key = at + 1 if kind & _LEAD else at
        is_begin = kind & _LEAD != 0 or at == start
        if not is_begin or key >= end or kinds[data[key]] & _FIRST == 0:
            at += 1
            continue
        stop = key + 1
        while stop < end and kinds[data[stop]] & _INNER:
            stop += 1
        if stop >= end or data[stop] != _EQUALS:
            at = stop if stop < end else end
            continue
        if to > first_to:
            out[to] = COMMA
            to += 1
        out[to] = QUOTE
        to += 1
        for place in range(key, stop):
            out[to] = data[place]
            to += 1
        out[to], out[to + 1], out[to + 2] = QUOTE, COLON, QUOTE
        to += 3
        value = stop + 1
        is_quoted = value < end and data[value] == QUOTE
        if is_quoted:
            value += 1
        stop = value
        while stop < end:
            byte = data[stop]
            if byte == QUOTE or (not is_quoted and (byte == _SPACE or byte == 44 or byte == 59)):
                break
            if byte == _EQUALS or kinds[byte] & _ODD:
                return _UNSURE
            out[to] = byte
            to += 1
            stop += 1
        if is_quoted:
            if stop >= end:
                return _UNSURE
            stop += 1
        out[to] = QUOTE
        to += 1
        matched += 1 + stop - at
        at = stop
    if to == first_to or not _find_lead(data, start, end, kinds, message, row):
        return _UNSURE
    # Where the pairs are the lesser part, what stands between and behind them is the message.
    if matched * 2 < end - start:
        message[0, row], message[1, row] = start, end
    return to


@compile_loop
def _write_rows(
    data: Any, starts: Any, stops: Any, kinds: Any, out: Any, out_starts: Any, out_stops: Any,
    message: Any,
) -> None:  # fmt: skip
    to = 0
    for row in range(starts.size):
        stop = _write_pairs(data, starts[row], stops[row], kinds, out, to, message, row)
        out_starts[row] = _UNSURE if stop < 0 else to
        out_stops[row] = stop
        to = max(to, stop)


def write_plain_pairs(
    bodies: pl.Series,
) -> tuple[pl.Series, pl.Series, npt.NDArray[np.intp]]:
    """Return per text the inside of a JSON object, its message, and the rows left unread.

    The message is what stands before the pairs, or all where they are the lesser part; else null.
    """
    # The kernel's stamp in the audit daemon's logs is no value, and what follows may be nested.
    is_audit = bodies.str.contains("msg=audit(", literal=True).fill_null(value=False)
    texts = find_places(bodies.set(is_audit, None) if is_audit.any() else bodies)
    # The shortest pair with its lead, `,a=`, becomes `,"a":""`.
    room = 3 * int((texts.stops - texts.starts).sum()) + 16
    out = np.empty(room, dtype=np.uint8)
    starts = np.empty(len(bodies), dtype=np.int64)
    stops = np.empty(len(bodies), dtype=np.int64)
    message = np.full((2, len(bodies)), _NONE, dtype=np.int64)
    _write_rows(texts.data, texts.starts, texts.stops, _KINDS, out, starts, stops, message)
    inside = cut_buffer(out, starts, stops, "inside")
    rows = np.arange(len(bodies))
    return (
        inside,
        cut_texts(texts, rows, message[0], message[1], "message"),
        np.flatnonzero(starts < 0),
    )
