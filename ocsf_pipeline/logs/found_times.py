"""One compiled pass that finds the first time in a text.

Belongs here: the pass. Does not belong here: what a time says (`stamps`, `times`), which texts
are asked (`describe`), and any doubt about a text: what stands behind a number and is no ASCII is
left to the pattern of `describe`. Both find the same, and a test compares them.

Every notation of `times.TIME_PATTERN` has its step. The first bytes tell which one can fit, so that
none has to be tried after another, but for two that begin with a day.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from ocsf_pipeline.logs.compiled import (
    CLOSE_OBJECT,
    COLON,
    COMMA,
    QUOTE,
    byte_at,
    compile_loop,
    compile_step,
    first_byte,
    load_part,
    load_u8,
)
from ocsf_pipeline.logs.textplaces import cut_texts, find_places

TIME_HEAD = 400
"""In so many characters from its beginning a text says its time."""
_NONE, _UNSURE = -1, -2
_SPACE, _MINUS, _DOT, _SLASH, _ONE, _THREE = 32, 45, 46, 47, 49, 51
_SEMICOLON, _UNDERLINE, _BAR, _BEYOND_ASCII = 59, 95, 124, 128
_LETTER_T, _LETTER_Z, _SMALL_A, _SMALL_M, _SMALL_P = 84, 90, 97, 109, 112
_TAIL, _DAY_FIRST_TAIL, _MAIL_TAIL = 16, 14, 8
"""How many characters behind a clock are taken with it: fractions, zones, years."""


_LOWS = np.uint64(0x7F7F7F7F7F7F7F7F)
_FROM_ZERO, _BEHIND_NINE, _FROM_A, _BEHIND_Z = (
    np.uint64((128 - byte) * 0x0101010101010101) for byte in b"0:A["
)
"""What sets the highest bit of a byte from this character on, added to it."""


def _mark_leads() -> npt.NDArray[np.bool_]:
    """Return which bytes may stand before a time."""
    leads = np.zeros(256, dtype=np.bool_)
    leads[np.frombuffer(b' \t[("<|,=:', np.uint8)] = True
    return leads


_LEADS = _mark_leads()


@compile_loop
def _is_digit(byte: int) -> bool:
    return 48 <= byte <= 57


@compile_loop
def _is_small(byte: int) -> bool:
    return 97 <= byte <= 122


@compile_step
def _end_of_digits(base: Any, at: Any, end: Any) -> Any:
    while at < end and _is_digit(load_u8(base + np.uint64(at))):
        at += 1
    return at


@compile_step
def _has_digits(base: Any, at: Any, end: Any, count: Any) -> Any:
    if at + count > end:
        return False
    for place in range(at, at + count):
        if not _is_digit(load_u8(base + np.uint64(place))):
            return False
    return True


@compile_step
def _end_of_clock(base: Any, at: Any, end: Any) -> Any:
    """Return the place behind `10:00:01`, or _NONE."""
    is_clock = (
        byte_at(base, at + 2, end) == COLON
        and byte_at(base, at + 5, end) == COLON
        and _has_digits(base, at, end, 2)
        and _has_digits(base, at + 3, end, 2)
        and _has_digits(base, at + 6, end, 2)
    )
    return at + 8 if is_clock else _NONE


@compile_step
def _has_name(base: Any, at: Any, end: Any) -> Any:
    """Return whether a month or a day of the week may stand at a place: `Nov`, `Sun`, `Xyz`."""
    return (
        65 <= byte_at(base, at, end) <= 90
        and _is_small(byte_at(base, at + 1, end))
        and _is_small(byte_at(base, at + 2, end))
    )


@compile_loop
def _separates(byte: int) -> bool:
    """Whether a byte ends what is taken with a clock."""
    return (
        byte == QUOTE or byte == COMMA or byte == CLOSE_OBJECT or byte == _BAR
        or byte == _SEMICOLON
    )  # fmt: skip


@compile_step
def _end_of_tail(base: Any, at: Any, end: Any, most: Any) -> Any:
    """Return the place behind at most so many characters that separate nothing."""
    count = 0
    while at < end:
        byte = load_u8(base + np.uint64(at))
        if _separates(byte):
            break
        if byte & 0xC0 != 0x80:  # the first byte of a character
            if count == most:
                break
            count += 1
        at += 1
    return at


@compile_step
def _end_of_iso(base: Any, at: Any, end: Any) -> Any:
    """`2026-11-22T10:00[:01]` with what follows, from behind the year on."""
    first, second = byte_at(base, at, end), byte_at(base, at + 3, end)
    if (first != _MINUS and first != _SLASH) or (second != _MINUS and second != _SLASH):
        return _NONE
    if not _has_digits(base, at + 1, end, 2) or not _has_digits(base, at + 4, end, 2):
        return _NONE
    at += 6
    clock = at
    while byte_at(base, clock, end) == _LETTER_T or byte_at(base, clock, end) == _SPACE:
        clock += 1
    if clock == at or not _has_digits(base, clock, end, 2):
        return _NONE
    if byte_at(base, clock + 2, end) != COLON or not _has_digits(base, clock + 3, end, 2):
        return _NONE
    at = clock + 5
    if byte_at(base, at, end) == COLON and _has_digits(base, at + 1, end, 2):
        at += 3
    return _end_of_tail(base, at, end, _TAIL)


@compile_loop
def _parts_day(byte: int) -> bool:
    """Whether a byte may stand between a day, the name of its month and the year."""
    return byte == _SLASH or byte == _MINUS or byte == _SPACE


@compile_step
def _end_of_day_first(base: Any, at: Any, end: Any) -> Any:
    """`22/Nov/2026:10:00:01` with what follows, from behind the day on."""
    if not _parts_day(byte_at(base, at, end)) or not _has_name(base, at + 1, end):
        return _NONE
    if not _parts_day(byte_at(base, at + 4, end)) or not _has_digits(base, at + 5, end, 4):
        return _NONE
    mark = byte_at(base, at + 9, end)
    if mark != COLON and mark != _SPACE:
        return _NONE
    stop = _end_of_clock(base, at + 10, end)
    return _end_of_tail(base, stop, end, _DAY_FIRST_TAIL) if stop >= 0 else _NONE


@compile_step
def _behind_comma(base: Any, at: Any, end: Any) -> Any:
    """Return the place behind a space, or a comma and a space, or _NONE."""
    if byte_at(base, at, end) == COMMA:
        at += 1
    return at + 1 if byte_at(base, at, end) == _SPACE else _NONE


@compile_step
def _end_of_half(base: Any, at: Any, end: Any) -> Any:
    """Return the place behind `AM` or ` pm`, or the same where there is none."""
    half = at + 1 if byte_at(base, at, end) == _SPACE else at
    first, second = byte_at(base, half, end) | 32, byte_at(base, half + 1, end) | 32
    return half + 2 if (first == _SMALL_A or first == _SMALL_P) and second == _SMALL_M else at


@compile_step
def _end_of_slashed(base: Any, at: Any, end: Any) -> Any:
    """`11/22/2026 10:00:01 AM`, from behind the first number on."""
    mark = byte_at(base, at, end)
    stop = _end_of_digits(base, at + 1, end)
    second = byte_at(base, stop, end)
    if (mark != _SLASH and mark != _DOT) or (second != _SLASH and second != _DOT):
        return _NONE
    if stop == at + 1 or stop > at + 3 or not _has_digits(base, stop + 1, end, 4):
        return _NONE
    at = _behind_comma(base, stop + 5, end)
    if at < 0:
        return _NONE
    hour = _end_of_digits(base, at, end)
    if hour == at or hour > at + 2 or byte_at(base, hour, end) != COLON:
        return _NONE
    if not _has_digits(base, hour + 1, end, 2) or byte_at(base, hour + 3, end) != COLON:
        return _NONE
    if not _has_digits(base, hour + 4, end, 2):
        return _NONE
    return _end_of_half(base, hour + 6, end)


@compile_step
def _end_of_compact(base: Any, at: Any, end: Any) -> Any:
    """`20261122T100001.5Z`, from behind the day on."""
    if byte_at(base, at, end) != _LETTER_T or not _has_digits(base, at + 1, end, 6):
        return _NONE
    at += 7
    if byte_at(base, at, end) == _DOT and _has_digits(base, at + 1, end, 1):
        at = _end_of_digits(base, at + 1, end)
    return at + 1 if byte_at(base, at, end) == _LETTER_Z else at


@compile_step
def _ends_number(base: Any, at: Any, end: Any) -> Any:
    """Return `at` where no word goes on, else _NONE; _UNSURE where letters may not be ASCII."""
    byte = byte_at(base, at, end)
    if byte >= _BEYOND_ASCII:
        return _UNSURE
    small = byte | 32
    return _NONE if _is_digit(byte) or _is_small(small) or byte == _UNDERLINE else at


@compile_step
def _end_of_epoch(base: Any, at: Any, stop: Any, end: Any) -> Any:
    """`1795222010.746` and finer ones, of which the digits end at `stop`."""
    count = stop - at
    is_odd = count == 18 and byte_at(base, at + 1, end) != _THREE
    if is_odd or byte_at(base, at, end) != _ONE:
        return _NONE
    longest = 9 if count == 10 else 6 if count == 13 else 0
    if longest > 0 and byte_at(base, stop, end) == _DOT:
        fraction = _end_of_digits(base, stop + 1, end)
        if stop + 1 < fraction <= stop + 1 + longest:
            # Where letters follow the fraction, the number without it is a time.
            ended = _ends_number(base, fraction, end)
            return stop if ended == _NONE else ended
        return stop
    return _ends_number(base, stop, end)


@compile_step
def _end_of_month_first(base: Any, at: Any, end: Any) -> Any:
    """`Nov 22 [2026] 10:00:01` with what follows, from behind the month on."""
    day = at
    while byte_at(base, day, end) == _SPACE:
        day += 1
    stop = _end_of_digits(base, day, end)
    if day == at or stop == day or stop > day + 2:
        return _NONE
    at = _behind_comma(base, stop, end)
    if at < 0:
        return _NONE
    if _has_digits(base, at, end, 4):
        at = _behind_comma(base, at + 4, end)
        if at < 0:
            return _NONE
    stop = _end_of_clock(base, at, end)
    return _end_of_tail(base, stop, end, _TAIL) if stop >= 0 else _NONE


@compile_step
def _end_of_mail(base: Any, at: Any, end: Any) -> Any:
    """`Sun, 22 Nov 2026 10:00:01` with what follows, from the day of the month on."""
    at = _end_of_digits(base, at, end)
    if byte_at(base, at, end) != _SPACE or not _has_name(base, at + 1, end):
        return _NONE
    if byte_at(base, at + 4, end) != _SPACE or not _has_digits(base, at + 5, end, 4):
        return _NONE
    if byte_at(base, at + 9, end) != _SPACE:
        return _NONE
    stop = _end_of_clock(base, at + 10, end)
    return _end_of_tail(base, stop, end, _MAIL_TAIL) if stop >= 0 else _NONE


@compile_step
def _end_of_named(base: Any, at: Any, end: Any) -> Any:
    """What begins with the name of a month, or of a day and then one of the above."""
    if not _has_name(base, at, end):
        return _NONE
    rest = _behind_comma(base, at + 3, end)
    if rest < 0:
        return _NONE
    if _has_name(base, rest, end):
        return _end_of_month_first(base, rest + 3, end)
    if byte_at(base, at + 3, end) != COMMA:
        return _end_of_month_first(base, at + 3, end)
    has_day = _has_digits(base, rest, end, 1) and not _has_digits(base, rest, end, 3)
    return _end_of_mail(base, rest, end) if has_day else _NONE


@compile_step
def _end_of_time(base: Any, at: Any, end: Any) -> Any:
    """Return the place behind the time at `at`; _NONE where there is none, or _UNSURE."""
    if not _is_digit(load_u8(base + np.uint64(at))):
        return _end_of_named(base, at, end)
    stop = _end_of_digits(base, at, end)
    count = stop - at
    if count <= 2:
        found = _end_of_day_first(base, stop, end)
        return found if found >= 0 else _end_of_slashed(base, stop, end)
    if count == 4:
        return _end_of_iso(base, stop, end)
    if count == 8:
        return _end_of_compact(base, stop, end)
    if count == 10 or count == 13 or count == 16 or count == 18 or count == 19:
        return _end_of_epoch(base, at, stop, end)
    return _NONE


@compile_loop
def _end_of_head(data: Any, start: int, stop: int) -> int:
    """Return where a text ends, or its characters that are asked."""
    end = start + TIME_HEAD
    if end >= stop:
        return stop
    further = 0  # bytes that are not the first of their character
    for place in range(start, end):
        further += 1 if data[place] & 0xC0 == 0x80 else 0
    count = TIME_HEAD - further
    while end < stop:  # the last character may have bytes behind those seen
        if data[end] & 0xC0 != 0x80:
            if count == TIME_HEAD:
                break
            count += 1
        end += 1
    return end


@compile_loop
def _mark_firsts(word: Any) -> Any:
    """Return a word that has 128 in each byte that is a digit or a capital, and else 0."""
    low = word & _LOWS
    digits = (low + _FROM_ZERO) & ~(low + _BEHIND_NINE)
    capitals = (low + _FROM_A) & ~(low + _BEHIND_Z)
    return (digits | capitals) & ~(word | _LOWS)


@compile_step
def _find_time(base: Any, start: Any, end: Any, limit: Any, kinds: Any) -> Any:
    """Return where the first time begins and ends; twice _NONE where there is none, or _UNSURE."""
    before = np.uint64(0)  # whether the last byte was a digit or a capital
    at = start
    while at < end:
        marks = _mark_firsts(load_part(base, at, min(end - at, 8), limit))
        firsts = marks & ~((marks << np.uint64(8)) | before)
        before = marks >> np.uint64(56)
        while firsts != np.uint64(0):
            place = at + np.int64(first_byte(firsts))
            firsts &= firsts - np.uint64(1)
            if place == start or kinds[load_u8(base + np.uint64(place - 1))]:
                stop = _end_of_time(base, place, end)
                if stop != _NONE:
                    return (place if stop >= 0 else _UNSURE), stop
        at += 8
    return _NONE, _NONE


@compile_loop
def _find_times(
    data: Any, starts: Any, stops: Any, where: Any, leads: Any, begins: Any, ends: Any
) -> None:
    base = np.uint64(data.ctypes.data)
    for row in range(starts.size):
        if where[row]:
            end = _end_of_head(data, starts[row], stops[row])
            begins[row], ends[row] = _find_time(base, starts[row], end, stops[row], leads)


def find_times(
    texts: pl.Series, where: npt.NDArray[np.bool_]
) -> tuple[pl.Series, npt.NDArray[np.intp]]:
    """Return the first time in the head of each text, not copied, and the rows left unread.

    Null for texts without one, for those that are not asked (`where`), and for those left.
    """
    places = find_places(texts)
    begins = np.full(len(texts), _NONE, dtype=np.int64)
    ends = np.full(len(texts), _NONE, dtype=np.int64)
    _find_times(places.data, places.starts, places.stops, where, _LEADS, begins, ends)
    found = cut_texts(places, np.arange(len(texts)), begins, ends, "time")
    return found, np.flatnonzero(begins == _UNSURE)
