"""One compiled pass over texts of times: the commonest notations -> UTC microseconds.

Belongs here: the pass. Does not belong here: notations that are rare, and any doubt about a text:
what this pass does not vouch for, the expressions of `times` read. Both read alike, and a test
compares them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from ocsf_pipeline.logs.compiled import COLON, COMMA, compile_loop, compile_step
from ocsf_pipeline.logs.records import UTC_TIME
from ocsf_pipeline.logs.textplaces import find_places

_UNREAD = np.int64(-(2**63))
_SECOND = np.int64(1_000_000)
_DAY = 86_400 * _SECOND
_EARLIEST = 631_152_000 * _SECOND
"""The begin of 1990: what lies before is no time of a log."""
_MAX_AHEAD = 366 * 5 * _DAY
_FILETIME_EPOCH = 11_644_473_600 * _SECOND
_LAST_YEAR = 9_999
_SPACE, _PLUS, _MINUS, _DOT, _SLASH = 32, 43, 45, 46, 47
_LETTER_T, _LETTER_Z = 84, 90
_MONTHS = tuple(
    int.from_bytes(name, "big")
    for name in b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
)


@compile_step
def _two(first: int, second: int) -> Any:
    """Return the number that two digits make; far beyond it where they are none."""
    tens, ones = np.int64(first) - 48, np.int64(second) - 48
    return tens * 10 + ones if 0 <= tens <= 9 and 0 <= ones <= 9 else 100_000


@compile_step
def _four(first: int, second: int, third: int, fourth: int) -> Any:
    """Return the number that four digits make; far beyond it where they are none."""
    return _two(first, second) * 100 + _two(third, fourth)


@compile_step
def _month(first: int, second: int, third: int) -> Any:
    """Return the number of the month `Jan` … `Dec`, or 0."""
    name = (np.int64(first) << 16) | (np.int64(second) << 8) | np.int64(third)
    for number in range(12):
        if name == _MONTHS[number]:
            return number + 1
    return 0


@compile_step
def _clock(hour: int, minute: int, second: int) -> Any:
    """Return the seconds of the day, or -1."""
    if hour > 23 or minute > 59 or second > 59:
        return -1
    return (hour * 60 + minute) * 60 + second


@compile_step
def _count_days(year: int, month: int, day: int) -> Any:
    """Return the days from 1970-01-01 to a date, or -1 where there is no such date since then."""
    if year < 1970 or year > _LAST_YEAR or month < 1 or month > 12 or day < 1:
        return -1
    is_leap = (year % 4 == 0 and year % 100 != 0) or year % 400 == 0
    longest = 31
    if month == 4 or month == 6 or month == 9 or month == 11:
        longest = 30
    elif month == 2:
        longest = 29 if is_leap else 28
    if day > longest:
        return -1
    # Years are counted from March, so that a leap day is the last day of one.
    marched = year - 1 if month <= 2 else year
    of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    return marched * 365 + marched // 4 - marched // 100 + marched // 400 + of_year - 719_468


@compile_step
def _find_year(micros: int) -> Any:
    """Return the year of a time since 1970."""
    days = micros // _DAY
    year = 1970 + days // 366
    while year < _LAST_YEAR and _count_days(year + 1, 1, 1) <= days:
        year += 1
    return year


@compile_step
def _read_clock(data: Any, at: int) -> Any:
    """Return the seconds of the day that the eight bytes `10:00:01` say, or -1."""
    if data[at + 2] != COLON or data[at + 5] != COLON:
        return -1
    return _clock(
        _two(data[at], data[at + 1]),
        _two(data[at + 3], data[at + 4]),
        _two(data[at + 6], data[at + 7]),
    )


@compile_step
def _end_of_digits(data: Any, at: int, end: int) -> int:
    while at < end and 48 <= data[at] <= 57:
        at += 1
    return at


@compile_step
def _read_fraction(data: Any, at: int, stop: int) -> Any:
    """Return the microseconds that the digits behind a point say; further digits are dropped."""
    micros = 0
    for place in range(at, at + 6):
        micros *= 10
        if place < stop:
            micros += data[place] - 48
    return micros


@compile_step
def _read_zone(data: Any, at: int, end: int) -> Any:
    """Return the minutes east of UTC that `+0200` or `+02:00` say, to the end; or -10000."""
    has_colon = end - at == 6 and data[at + 3] == 58
    if not has_colon and end - at != 5:
        return -10_000
    if data[at] != _PLUS and data[at] != _MINUS:
        return -10_000
    hours = _two(data[at + 1], data[at + 2])
    minutes = _two(data[end - 2], data[end - 1])
    if hours > 99 or minutes > 99:
        return -10_000
    offset = hours * 60 + minutes
    return -offset if data[at] == _MINUS else offset


@compile_loop
def _read_iso(data: Any, at: int, end: int) -> Any:
    """`2026-11-22T10:00:01`, with space or slashes, a fraction, `Z` or `+02:00`."""
    first, second, third = data[at + 4], data[at + 7], data[at + 10]
    if (first != _MINUS and first != _SLASH) or (second != _MINUS and second != _SLASH):
        return _UNREAD
    if third != _LETTER_T and third != _SPACE:
        return _UNREAD
    days = _count_days(
        _four(data[at], data[at + 1], data[at + 2], data[at + 3]),
        _two(data[at + 5], data[at + 6]),
        _two(data[at + 8], data[at + 9]),
    )
    clock = _read_clock(data, at + 11)
    if days < 0 or clock < 0:
        return _UNREAD
    micros = days * _DAY + clock * _SECOND
    at += 19
    if at < end and (data[at] == _DOT or data[at] == COMMA):
        stop = _end_of_digits(data, at + 1, end)
        if stop == at + 1 or stop > at + 10:
            return _UNREAD
        micros += _read_fraction(data, at + 1, stop)
        at = stop
    # A zone needs a sign, and no letter stands behind it.
    has_sign = False
    for place in range(at, end):
        if data[place] == _PLUS or data[place] == _MINUS:
            has_sign = True
    if not has_sign or 97 <= data[end - 1] | 32 <= 122:
        return micros
    zone = _read_zone(data, at, end)
    return micros - zone * 60 * _SECOND if zone != -10_000 else _UNREAD


@compile_loop
def _read_epoch(data: Any, at: int, end: int) -> Any:
    """Seconds, milliseconds, microseconds, Windows file times, nanoseconds since their epochs."""
    stop = _end_of_digits(data, at, end)
    count = stop - at
    if count != 9 and count != 10 and count != 13 and count != 16 and count != 18 and count != 19:
        return _UNREAD
    if count == 19 and data[at] != 49:  # may exceed 64 bits
        return _UNREAD
    whole = np.int64(0)
    for place in range(at, stop):
        whole = whole * 10 + np.int64(data[place] - 48)
    decimals = end - stop - 1
    micros = whole
    if stop < end:
        longest = 6 if count <= 10 else 3 if count == 13 else 0
        if data[stop] != _DOT or decimals < 1 or decimals > longest:
            return _UNREAD
        if _end_of_digits(data, stop + 1, end) != end:
            return _UNREAD
    if count <= 10:
        micros = whole * _SECOND
        if stop < end:
            micros += _read_fraction(data, stop + 1, end)
    elif count == 13:
        micros = whole * 1_000
        if stop < end:
            micros += _read_fraction(data, stop + 1, end) // 1_000
    elif count == 18:
        micros = whole // 10 - _FILETIME_EPOCH
    elif count == 19:
        micros = whole // 1_000
    return micros


@compile_loop
def _read_month_first(data: Any, at: int, end: int, reference: int) -> Any:
    """`Nov 22 10:00:01`, with a fraction; `Nov 22 2026 10:00:01`."""
    month = _month(data[at], data[at + 1], data[at + 2])
    at += 3
    if month == 0 or data[at] != _SPACE:
        return _UNREAD
    at += 2 if data[at + 1] == _SPACE else 1
    stop = _end_of_digits(data, at, end)
    if stop == at or stop > at + 2 or stop + 9 > end or data[stop] != _SPACE:
        return _UNREAD
    day = _two(data[at] if stop == at + 2 else 48, data[stop - 1])
    at = stop + 1
    year = -1
    if data[at + 2] != 58:
        if at + 13 > end or data[at + 4] != _SPACE:
            return _UNREAD
        year = _four(data[at], data[at + 1], data[at + 2], data[at + 3])
        at += 5
    clock = _read_clock(data, at)
    if clock < 0:
        return _UNREAD
    at += 8
    fraction = 0
    if at < end:
        stop = _end_of_digits(data, at + 1, end)
        is_mark = data[at] == _DOT or data[at] == COMMA
        if not is_mark or stop != end or stop == at + 1 or stop > at + 7:
            return _UNREAD
        fraction = _read_fraction(data, at + 1, stop)
    if year >= 0:
        days = _count_days(year, month, day)
        return days * _DAY + clock * _SECOND + fraction if days >= 0 else _UNREAD
    # The year is that in which the time lies at most a day after the reference.
    latest = reference + _DAY
    year = _find_year(latest)
    days, before = _count_days(year, month, day), _count_days(year - 1, month, day)
    if days < 0 or before < 0:
        return _UNREAD
    if days * _DAY + clock * _SECOND > latest:
        days = before
    return days * _DAY + clock * _SECOND + fraction


@compile_loop
def _read_day_first(data: Any, at: int, end: int) -> Any:
    """`22/Nov/2026:10:00:01`, and the same with `+0000` behind a space."""
    if data[at + 6] != _SLASH or data[at + 11] != 58:
        return _UNREAD
    days = _count_days(
        _four(data[at + 7], data[at + 8], data[at + 9], data[at + 10]),
        _month(data[at + 3], data[at + 4], data[at + 5]),
        _two(data[at], data[at + 1]),
    )
    clock = _read_clock(data, at + 12)
    if days < 0 or clock < 0:
        return _UNREAD
    micros = days * _DAY + clock * _SECOND
    at += 20
    if at == end:
        return micros
    zone = _read_zone(data, at + 1, end) if data[at] == _SPACE and at + 6 == end else -10_000
    return micros - zone * 60 * _SECOND if zone != -10_000 else _UNREAD


@compile_loop
def _is_stripped(byte: int) -> bool:
    return (
        byte == 32 or byte == 34 or byte == 39 or byte == 91 or byte == 93 or byte == 42
        or byte == 44
    )  # fmt: skip


@compile_loop
def _read_stamps(data: Any, starts: Any, stops: Any, references: Any, times: Any) -> None:
    for row in range(starts.size):
        at, end = starts[row], stops[row]
        while at < end and _is_stripped(data[at]):
            at += 1
        while at < end and _is_stripped(data[end - 1]):
            end -= 1
        length = end - at
        time = _UNREAD
        if length < 9:
            time = _UNREAD
        elif 65 <= data[at] <= 90:
            if length >= 14 and references[row] >= 0:
                time = _read_month_first(data, at, end, references[row])
        elif length >= 19 and (data[at + 4] == _MINUS or data[at + 4] == _SLASH):
            time = _read_iso(data, at, end)
        elif length >= 20 and data[at + 2] == _SLASH:
            time = _read_day_first(data, at, end)
        else:
            time = _read_epoch(data, at, end)
        times[row] = time


def read_stamps(texts: pl.Series, reference: pl.Series) -> tuple[pl.Series, npt.NDArray[np.intp]]:
    """Return UTC times (null where absurd or unread), and the rows that the pass did not read.

    `reference` (UTC microseconds, none null) says which times are absurd, and the year where a text
    has none.
    """
    places = find_places(texts)
    references = reference.to_physical().to_numpy()
    times = np.empty(len(texts), dtype=np.int64)
    _read_stamps(places.data, places.starts, places.stops, references, times)
    unread = times == _UNREAD
    is_absurd = (times < _EARLIEST) | (times > references + _MAX_AHEAD)
    column = pl.Series("time", times)
    if is_absurd.any():
        column = column.set(pl.Series(is_absurd), None)
    if texts.null_count():
        unread &= texts.is_not_null().to_numpy()
    return column.cast(UTC_TIME), np.flatnonzero(unread)


@compile_loop
def _read_isos(data: Any, starts: Any, stops: Any, times: Any) -> None:
    for row in range(starts.size):
        if stops[row] - starts[row] >= 19:
            times[row] = _read_iso(data, starts[row], stops[row])


def read_iso(texts: pl.Series) -> pl.Series:
    """Return microseconds since 1970 of times in ISO 8601; null for what the pass does not read."""
    places = find_places(texts)
    times = np.full(len(texts), _UNREAD, dtype=np.int64)
    _read_isos(places.data, places.starts, places.stops, times)
    column = pl.Series(texts.name, times)
    unread = times == _UNREAD
    return column.set(pl.Series(unread), None) if unread.any() else column
