"""Where the time in a syslog header ends: steps over its bytes, compiled.

Belongs here: kinds of bytes, the notations of times in headers. Does not belong here: what those
times mean (`stamps`, `times`), the other parts of a header (`plain_headers`).

Each step reads one part of the patterns in `syslog`. No part of them ever gives back what it took,
but for a zone and a year behind the clock (`_end_of_suffix`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ocsf_pipeline.logs.compiled import (
    CLOSE_ARRAY,
    COLON,
    COMMA,
    OPEN_ARRAY,
    byte_at,
    compile_step,
    load_u8,
)

NONE = -1
"""The end of what is not there."""
SPACE = 32
_STAR, _PLUS, _MINUS, _DOT, _SLASH, _ZERO, _TWO = 42, 43, 45, 46, 47, 48, 50
_C, _G, _M, _T, _U, _Z = 67, 71, 77, 84, 85, 90
DIGIT, UPPER, LOWER, WORD, NAME, FIRST, BLANK, HEX = 1, 2, 4, 8, 16, 32, 64, 128
"""What a byte may be: of a host, of a program's name, the first of such a name, a space or tab, of
the rest of an IPv6 address."""


def _classify() -> npt.NDArray[np.uint8]:
    digits = b"0123456789"
    upper = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    word = digits + upper + upper.lower() + b"_.-"
    kinds = np.zeros(256, dtype=np.uint8)
    for kind, members in (
        (DIGIT, digits), (UPPER, upper), (LOWER, upper.lower()), (WORD, word),
        (NAME, word + b"/"), (FIRST, upper + upper.lower() + b"_"), (BLANK, b" \t"),
        (HEX, digits + b"ABCDEFabcdef:"),
    ):  # fmt: skip
        for byte in members:
            kinds[byte] |= kind
    return kinds


_KINDS = _classify()


@compile_step
def is_kind(base: Any, at: Any, end: Any, kind: Any) -> Any:
    """Return whether a byte is of a kind; what lies behind the end is of none."""
    return at < end and _KINDS[load_u8(base + np.uint64(at))] & kind != 0


@compile_step
def skip_kind(base: Any, at: Any, end: Any, kind: Any) -> Any:
    """Return the place of the first byte that is not of a kind, or the end."""
    while at < end and _KINDS[load_u8(base + np.uint64(at))] & kind != 0:
        at += 1
    return at


@compile_step
def skip_byte(base: Any, at: Any, end: Any, byte: Any) -> Any:
    """Return the place behind one byte where it stands there, else the same place."""
    return at + 1 if byte_at(base, at, end) == byte else at


@compile_step
def _are_two_digits(base: Any, at: Any, end: Any) -> Any:
    return is_kind(base, at, end, DIGIT) and is_kind(base, at + 1, end, DIGIT)


@compile_step
def _is_year(base: Any, at: Any, end: Any) -> Any:
    if byte_at(base, at, end) != _TWO or byte_at(base, at + 1, end) != _ZERO:
        return False
    return _are_two_digits(base, at + 2, end)


@compile_step
def begin_of_time(base: Any, at: Any, end: Any) -> Any:
    """Return where a time would begin: behind `host: ` and `[`, where they stand."""
    stop = skip_kind(base, at, end, WORD)
    if stop > at and byte_at(base, stop, end) == COLON and byte_at(base, stop + 1, end) == SPACE:
        at = stop + 2
    return skip_byte(base, at, end, OPEN_ARRAY)


@compile_step
def _end_of_clock(base: Any, at: Any, end: Any) -> Any:
    """`22:14:15`, with a fraction; or NONE."""
    if at + 8 > end or byte_at(base, at + 2, end) != COLON or byte_at(base, at + 5, end) != COLON:
        return NONE
    for place in (at, at + 3, at + 6):
        if not _are_two_digits(base, place, end):
            return NONE
    at += 8
    byte = byte_at(base, at, end)
    if byte == _DOT or byte == COMMA:
        stop = skip_kind(base, at + 1, end, DIGIT)
        return stop if stop > at + 1 else at
    return at


@compile_step
def _end_of_month_time(base: Any, at: Any, end: Any) -> Any:
    """`Oct 11 22:14:15`, `*Oct  1, 2026, 22:14:15.123`; or NONE."""
    byte = byte_at(base, at, end)
    if byte == _STAR or byte == _DOT:
        at += 1
    if not (
        is_kind(base, at, end, UPPER)
        and is_kind(base, at + 1, end, LOWER)
        and is_kind(base, at + 2, end, LOWER)
    ):
        return NONE
    day = at + 3
    while byte_at(base, day, end) == SPACE:
        day += 1
    stop = skip_kind(base, day, end, DIGIT)
    if day == at + 3 or stop == day or stop > day + 2:
        return NONE
    at = skip_byte(base, stop, end, COMMA)
    if byte_at(base, at, end) != SPACE:
        return NONE
    at += 1
    if _is_year(base, at, end):
        at = skip_byte(base, at + 4, end, COMMA)
        if byte_at(base, at, end) != SPACE:
            return NONE
        at += 1
    return _end_of_clock(base, at, end)


@compile_step
def _end_of_iso_time(base: Any, at: Any, end: Any) -> Any:
    """`2026-03-02T11:00:00`, with slashes or a space, with a fraction; or NONE."""
    if not _is_year(base, at, end):
        return NONE
    first, second, third = (
        byte_at(base, at + 4, end), byte_at(base, at + 7, end), byte_at(base, at + 10, end),
    )  # fmt: skip
    if (first != _MINUS and first != _SLASH) or (second != _MINUS and second != _SLASH):
        return NONE
    if third != _T and third != SPACE:
        return NONE
    if not _are_two_digits(base, at + 5, end) or not _are_two_digits(base, at + 8, end):
        return NONE
    return _end_of_clock(base, at + 11, end)


@compile_step
def _ends_time(base: Any, at: Any, end: Any) -> Any:
    """Return whether a time may end here: before a colon, a space, the end, `]` before them."""
    at = skip_byte(base, at, end, CLOSE_ARRAY)
    return at == end or byte_at(base, at, end) == COLON or is_kind(base, at, end, BLANK)


@compile_step
def _end_of_letters(base: Any, at: Any, end: Any) -> Any:
    """` UTC` or ` CEST`: three or four capital letters; where there are none, the same place."""
    if byte_at(base, at, end) != SPACE:
        return at
    stop = skip_kind(base, at + 1, end, UPPER)
    return stop if stop == at + 4 or stop == at + 5 else at


@compile_step
def _end_of_zone(base: Any, at: Any, end: Any) -> Any:
    """`Z`, `+0200`, `+02:00`, ` UTC`, ` GMT`; where there is none, the same place."""
    byte = byte_at(base, at, end)
    if byte == _Z:
        return at + 1
    if byte == _PLUS or byte == _MINUS:
        minutes = skip_byte(base, at + 3, end, COLON)
        if _are_two_digits(base, at + 1, end) and _are_two_digits(base, minutes, end):
            return minutes + 2
        return at
    if _end_of_letters(base, at, end) != at + 4:
        return at
    first, second, third = (
        byte_at(base, at + 1, end),
        byte_at(base, at + 2, end),
        byte_at(base, at + 3, end),
    )
    is_utc = first == _U and second == _T and third == _C
    is_gmt = first == _G and second == _M and third == _T
    return at + 4 if is_utc or is_gmt else at


@compile_step
def _end_of_suffix(base: Any, at: Any, end: Any, is_iso: Any) -> Any:
    """Return the end of a time behind its clock, or NONE where it may not end there.

    The longest is tried first: with year and zone, with the year, with neither.
    """
    year = at
    if is_iso:
        zone = _end_of_zone(base, at, end)
    else:
        if byte_at(base, at, end) == SPACE and _is_year(base, at + 1, end):
            year = at + 5
        zone = _end_of_letters(base, year, end)
    for stop in (zone, year, at):
        if _ends_time(base, stop, end):
            return stop
    return NONE


@compile_step
def end_of_time(base: Any, at: Any, end: Any) -> Any:
    """Return the end of the time that begins here, or NONE."""
    is_iso = byte_at(base, at, end) == _TWO
    stop = _end_of_iso_time(base, at, end) if is_iso else _end_of_month_time(base, at, end)
    return stop if stop == NONE else _end_of_suffix(base, stop, end, is_iso)


@compile_step
def end_of_gap(base: Any, at: Any, end: Any) -> Any:
    """Return the place behind what ends a time: `]`, a colon, spaces."""
    at = skip_byte(base, at, end, CLOSE_ARRAY)
    at = skip_byte(base, at, end, COLON)
    return skip_kind(base, at, end, BLANK)
