"""One compiled pass over XML: leaf elements and attributes -> the inside of a JSON object.

Belongs here: the pass. Does not belong here: what patterns of `formats` read in its place, texts
with control characters or with marks of values inside of attributes; both read alike, and a test
compares them.

No entity is expanded but the five of XML and line ends. Each byte is looked at a few times at most,
whatever a text holds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from ocsf_pipeline.logs.compiled import BACKSLASH, COLON, QUOTE, compile_loop, compile_step
from ocsf_pipeline.logs.textplaces import cut_buffer, find_places

_LESS, _GREATER, _SLASH, _EQUALS, _APOSTROPHE, _SPACE, _TAB = 60, 62, 47, 61, 39, 32, 9
_AND, _SEMICOLON = 38, 59
_LINE_END, _RETURN = 10, 13
_UNSURE = -1
_DATA = int.from_bytes(b"Data", "big")
_NAME = int.from_bytes(b"Name", "big")
_LESS_ENTITY, _GREATER_ENTITY = int.from_bytes(b"lt", "big"), int.from_bytes(b"gt", "big")
_AND_ENTITY = int.from_bytes(b"amp", "big")
_QUOTE_ENTITY, _APOSTROPHE_ENTITY = int.from_bytes(b"quot", "big"), int.from_bytes(b"apos", "big")
_RETURN_HEX, _LINE_END_HEX = int.from_bytes(b"#xD", "big"), int.from_bytes(b"#xA", "big")
_RETURN_DECIMAL, _LINE_END_DECIMAL = int.from_bytes(b"#13", "big"), int.from_bytes(b"#10", "big")
_LONGEST_ENTITY = 4


@compile_step
def _is_word(byte: int) -> bool:
    return 97 <= byte <= 122 or 65 <= byte <= 90 or 48 <= byte <= 57 or byte == 95


@compile_step
def _is_name(byte: int) -> bool:
    return _is_word(byte) or byte == 58 or byte == 46 or byte == 45


@compile_step
def _decode_entity(name: int) -> int:
    """Return the byte that an entity stands for, or -1."""
    if name == _LESS_ENTITY:
        return _LESS
    if name == _GREATER_ENTITY:
        return _GREATER
    if name == _AND_ENTITY:
        return _AND
    if name == _QUOTE_ENTITY:
        return QUOTE
    if name == _APOSTROPHE_ENTITY:
        return _APOSTROPHE
    if name == _RETURN_HEX or name == _RETURN_DECIMAL:
        return _RETURN
    if name == _LINE_END_HEX or name == _LINE_END_DECIMAL:
        return _LINE_END
    return -1


@compile_step
def _end_of_name(data: Any, at: int, end: int) -> int:
    while at < end and _is_name(data[at]):
        at += 1
    return at


@compile_step
def _skip_prefix(data: Any, at: int, end: int) -> int:
    """Return the place behind `ns:` where a name begins so."""
    place = at
    while place < end and _is_word(data[place]):
        place += 1
    return place + 1 if place > at and place < end and data[place] == COLON else at


@compile_loop
def _read_word(data: Any, at: int) -> Any:
    """Return four bytes as a number."""
    word = np.int64(0)
    for place in range(at, at + 4):
        word = (word << 8) | np.int64(data[place])
    return word


@compile_step
def _find_data_name(data: Any, at: int, end: int) -> int:
    """Return where X begins in `Data Name="X`, of which `Data` begins at `at`; or -1."""
    found = -1
    if at + 4 <= end and _read_word(data, at) == _DATA:
        place = at + 4
        while place < end and (data[place] == _SPACE or data[place] == _TAB):
            place += 1
        if place > at + 4 and place + 6 <= end and _read_word(data, place) == _NAME:
            quote = data[place + 5]
            if data[place + 4] == _EQUALS and (quote == QUOTE or quote == _APOSTROPHE):
                found = place + 6
    return found


@compile_step
def _write_text(data: Any, at: int, stop: int, out: Any, to: int) -> int:
    """Write text as the inside of a JSON string, its entities decoded; return the place behind."""
    while at < stop:
        byte = data[at]
        at += 1
        if byte == _AND:
            name = np.int64(0)
            place = at
            while place < stop and place < at + _LONGEST_ENTITY and data[place] != _SEMICOLON:
                name = (name << 8) | np.int64(data[place])
                place += 1
            if place < stop and data[place] == _SEMICOLON:
                decoded = _decode_entity(name)
                if decoded >= 0:
                    byte = decoded
                    at = place + 1
        if byte == QUOTE or byte == BACKSLASH:
            out[to] = BACKSLASH
            to += 1
        elif byte == _TAB:
            out[to] = BACKSLASH
            to += 1
            byte = 116
        elif byte == _LINE_END:
            out[to] = BACKSLASH
            to += 1
            byte = 110
        elif byte == _RETURN:
            out[to] = BACKSLASH
            to += 1
            byte = 114
        out[to] = byte
        to += 1
    return to


@compile_loop
def _write_pairs(data: Any, at: int, end: int, out: Any, to: int) -> int:
    """Write the pairs of one text; return the place behind them, or -1 where they are unsure."""
    for place in range(at, end):
        byte = data[place]
        if byte == 127 or (byte < 32 and byte != 9 and byte != 10 and byte != 13):
            return _UNSURE
    first = to
    while at < end:
        byte = data[at]
        name_at = name_stop = value_at = value_stop = -1
        following = at + 1
        if byte == _LESS:
            name_end = _end_of_name(data, at + 1, end)
            if name_end > at + 1 and name_end < end:
                tag_end = name_end
                if data[name_end] == _SPACE or data[name_end] == _TAB:
                    while tag_end < end and data[tag_end] != _LESS and data[tag_end] != _GREATER:
                        tag_end += 1
                name_at = _skip_prefix(data, at + 1, name_end)
                data_name = _find_data_name(data, name_at, tag_end)
                data_stop = data_name
                if data_name >= 0:
                    while (
                        data_stop < tag_end
                        and data[data_stop] != QUOTE
                        and data[data_stop] != _APOSTROPHE
                    ):
                        data_stop += 1
                    if data_stop == data_name or data_stop == tag_end:
                        data_name = -1
                if tag_end < end and data[tag_end] == _GREATER:
                    stop = tag_end + 1
                    while stop < end and data[stop] != _LESS and data[stop] != _GREATER:
                        stop += 1
                    is_closed = stop + 1 < end and data[stop] == _LESS and data[stop + 1] == _SLASH
                    if is_closed and stop > tag_end + 1:
                        value_at, value_stop = tag_end + 1, stop
                        following = stop + 2
                    if value_at < 0 and data_name >= 0:
                        # No value: `<Data Name="X"/>`, `<Data Name="X"></Data>`.
                        if data_stop + 2 == tag_end and data[data_stop + 1] == _SLASH:
                            value_at = value_stop = following = tag_end + 1
                        elif data_stop + 1 == tag_end and is_closed:
                            value_at = value_stop = tag_end + 1
                            following = tag_end + 3
                name_stop = name_end
                if data_name >= 0:
                    name_at, name_stop = data_name, data_stop
        elif byte == _SPACE or byte == _TAB:
            name_stop = _end_of_name(data, at + 1, end)
            if name_stop > at + 1 and name_stop + 1 < end and data[name_stop] == _EQUALS:
                quote = data[name_stop + 1]
                if quote == QUOTE or quote == _APOSTROPHE:
                    stop = name_stop + 2
                    while (
                        stop < end
                        and data[stop] != quote
                        and data[stop] != _LESS
                        and data[stop] != _GREATER
                    ):
                        byte = data[stop + 1] if stop + 1 < end else 0
                        if data[stop] == _EQUALS and (byte == QUOTE or byte == _APOSTROPHE):
                            return _UNSURE
                        stop += 1
                    if stop < end and data[stop] == quote:
                        name_at = _skip_prefix(data, at + 1, name_stop)
                        value_at, value_stop = name_stop + 2, stop
                        following = stop + 1
                        while value_stop > value_at and (
                            data[value_stop - 1] == QUOTE or data[value_stop - 1] == _APOSTROPHE
                        ):
                            value_stop -= 1
        if value_at >= 0:
            if to > first:
                out[to] = 44
                to += 1
            out[to] = QUOTE
            to = _write_text(data, name_at, name_stop, out, to + 1)
            out[to] = QUOTE
            out[to + 1] = COLON
            out[to + 2] = QUOTE
            to = _write_text(data, value_at, value_stop, out, to + 3)
            out[to] = QUOTE
            to += 1
        at = following
    return to if to > first else _UNSURE


@compile_loop
def _write_rows(
    data: Any, starts: Any, stops: Any, out: Any, out_starts: Any, out_stops: Any
) -> None:
    to = 0
    for row in range(starts.size):
        stop = _write_pairs(data, starts[row], stops[row], out, to)
        out_starts[row] = _UNSURE if stop < 0 else to
        out_stops[row] = stop
        to = max(to, stop)


def write_xml_pairs(bodies: pl.Series) -> tuple[pl.Series, npt.NDArray[np.intp]]:
    """Return the inside of a JSON object per XML text, and the rows that the pass did not read."""
    texts = find_places(bodies)
    # A byte becomes two at most, and the marks of a pair are fewer than its own, twice.
    room = 2 * int((texts.stops - texts.starts).sum()) + 16
    out = np.empty(room, dtype=np.uint8)
    starts = np.empty(len(bodies), dtype=np.int64)
    stops = np.empty(len(bodies), dtype=np.int64)
    _write_rows(texts.data, texts.starts, texts.stops, out, starts, stops)
    return cut_buffer(out, starts, stops, "inside"), np.flatnonzero(starts < 0)
