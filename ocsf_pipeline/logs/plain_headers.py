"""One compiled pass over the beginnings of lines: older syslog headers, and lines without any.

Belongs here: the pass, hosts and programs. Does not belong here: times (`header_times`), RFC 5424,
and any doubt about a line: what this pass does not vouch for, the expressions of `syslog` read.
Both read alike, and a test compares them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from ocsf_pipeline.logs.compiled import (
    CLOSE_ARRAY,
    COLON,
    OPEN_ARRAY,
    OPEN_OBJECT,
    byte_at,
    compile_loop,
    compile_step,
)
from ocsf_pipeline.logs.header_times import (
    BLANK,
    DIGIT,
    FIRST,
    HEX,
    LOWER,
    NAME,
    NONE,
    SPACE,
    WORD,
    begin_of_time,
    end_of_gap,
    end_of_time,
    is_kind,
    skip_byte,
    skip_kind,
)
from ocsf_pipeline.logs.textplaces import cut_texts, find_places

PLAIN_COLUMNS = ("pri", "header_time", "header_host", "program", "pid", "body")
_PRI, _TIME, _HOST, _PROGRAM, _PID, _BODY = range(6)
_UNSURE = -2
_PERCENT, _OPEN_ROUND, _CLOSE_ROUND, _LESS, _EQUALS, _MORE, _UNDERSCORE = 37, 40, 41, 60, 61, 62, 95
_C, _E, _F, _L = 67, 69, 70, 76
_FIRST_BEYOND_ASCII = 128


@compile_step
def _end_of_number(base: Any, at: Any, end: Any, opening: Any, closing: Any) -> Any:
    """`<34>` or `[123]`, by its marks; where there is none, the same place."""
    if byte_at(base, at, end) != opening:
        return at
    stop = skip_kind(base, at + 1, end, DIGIT)
    return stop + 1 if stop > at + 1 and byte_at(base, stop, end) == closing else at


@compile_step
def _may_be_modern(base: Any, at: Any, end: Any) -> Any:
    """Return whether a version stands behind the priority, as RFC 5424 wants it."""
    stop = skip_kind(base, at, end, DIGIT)
    return stop > at and byte_at(base, stop, end) == SPACE


@compile_step
def _end_of_count(base: Any, at: Any, end: Any) -> Any:
    """`123: ` or `123 : `, by which Cisco counts; where there is none, the same place."""
    stop = skip_kind(base, at, end, DIGIT)
    if stop == at:
        return at
    stop = skip_byte(base, stop, end, SPACE)
    if byte_at(base, stop, end) != COLON or byte_at(base, stop + 1, end) != SPACE:
        return at
    return stop + 2


@compile_step
def _end_of_colon(base: Any, at: Any, end: Any) -> Any:
    """Return the place behind a colon and spaces; where there is none, the same place."""
    if byte_at(base, at, end) != COLON:
        return at
    at += 1
    while byte_at(base, at, end) == SPACE:
        at += 1
    return at


@compile_step
def _is_format(base: Any, at: Any, stop: Any) -> Any:
    """Return whether a name is `CEF` or `LEEF`."""
    if stop - at == 4 and byte_at(base, at, stop) == _L and byte_at(base, at + 1, stop) == _E:
        return byte_at(base, at + 2, stop) == _E and byte_at(base, at + 3, stop) == _F
    if stop - at != 3 or byte_at(base, at, stop) != _C:
        return False
    return byte_at(base, at + 1, stop) == _E and byte_at(base, at + 2, stop) == _F


@compile_step
def _is_no_host(base: Any, at: Any, end: Any) -> Any:
    """Return whether what follows a time is `name[1]:`, `name: `, `key=`, `CEF:`, `{` or `%`."""
    byte = byte_at(base, at, end)
    if byte == OPEN_OBJECT or byte == _PERCENT:
        return True
    stop = skip_kind(base, at, end, WORD)
    if stop > at and byte_at(base, stop, end) == _EQUALS:
        return True
    if not is_kind(base, at, end, FIRST):
        return False
    stop = skip_kind(base, stop, end, NAME)
    colon = _end_of_number(base, stop, end, OPEN_ARRAY, CLOSE_ARRAY)
    if byte_at(base, colon, end) != COLON:
        return False
    return colon > stop or byte_at(base, colon + 1, end) == SPACE or _is_format(base, at, stop)


@compile_step
def _end_of_host(base: Any, at: Any, end: Any) -> Any:
    """Return the end of a host or address that a space follows, or NONE."""
    if not is_kind(base, at, end, FIRST | DIGIT):
        return NONE
    stop = skip_kind(base, at, end, WORD)
    if byte_at(base, stop, end) == COLON:
        colon = stop
        stop = skip_kind(base, colon + 1, end, HEX)
        if stop == colon + 1:
            return NONE
    return stop if is_kind(base, stop, end, BLANK) else NONE


@compile_step
def _end_of_remark(base: Any, at: Any, end: Any) -> Any:
    """`(pam_unix)`, anything but spaces in it; where there is none, the same place."""
    if byte_at(base, at, end) != _OPEN_ROUND:
        return at
    for stop in range(at + 1, end):
        byte = byte_at(base, stop, end)
        if byte == _CLOSE_ROUND and stop > at + 1:
            return stop + 1
        if byte == _CLOSE_ROUND or byte == SPACE:
            return at
    return at


@compile_step
def _is_bare(base: Any, at: Any, stop: Any, colon: Any, end: Any) -> Any:
    """Return whether a tag without time and priority is one: `name[1]: `, in small letters."""
    is_small = is_kind(base, at, end, LOWER) or byte_at(base, at, end) == _UNDERSCORE
    has_pid = colon > stop and byte_at(base, stop, end) == OPEN_ARRAY
    return is_small and has_pid and byte_at(base, colon + 1, end) == SPACE


@compile_step
def _end_of_tag(base: Any, at: Any, stop: Any, colon: Any, end: Any, is_headed: Any) -> Any:
    """Return the place behind `name(remark)[1]: `, `at` where there is none, or _UNSURE.

    `stop` and `colon`: the places behind the name and behind `[1]`. `is_headed`: whether a time or
    a priority was there.
    """
    if stop == at:
        return at
    if byte_at(base, stop, end) >= _FIRST_BEYOND_ASCII:  # the patterns know letters of all scripts
        return _UNSURE
    if byte_at(base, colon, end) != COLON or not is_kind(base, at, end, FIRST):
        return at
    if not is_headed and not _is_bare(base, at, stop, colon, end):
        return at
    if colon == stop and _is_format(base, at, stop):
        return at
    return skip_byte(base, colon + 1, end, SPACE)


@compile_loop
def _put(cuts: Any, column: int, number: int, is_there: bool, start: int, stop: int) -> None:
    cuts[2 * column, number] = start if is_there else NONE
    cuts[2 * column + 1, number] = stop


@compile_loop
def _read_headers(data: Any, starts: Any, stops: Any, rows: Any, left: Any, cuts: Any) -> int:
    """Write the rows that are read and their parts, and the rows left; return how many are read."""
    base = np.uint64(data.ctypes.data)
    number = 0
    for row in range(starts.size):
        start, end = starts[row], stops[row]
        left[row - number] = row
        at = _end_of_number(base, start, end, _LESS, _MORE)
        has_priority = at > start
        if has_priority and _may_be_modern(base, at, end):
            continue
        _put(cuts, _PRI, number, has_priority, start + 1, at - 1)
        at = _end_of_count(base, at, end)
        time = begin_of_time(base, at, end)
        time_stop = end_of_time(base, time, end)
        has_time = time_stop != NONE
        _put(cuts, _TIME, number, has_time, time, time_stop)
        host, stop = at, NONE
        if has_time:
            at = end_of_gap(base, time_stop, end)
            if not _is_no_host(base, at, end):
                host = _end_of_colon(base, at, end)
                stop = _end_of_host(base, host, end)
                at = host if stop == NONE else skip_kind(base, stop, end, BLANK)
                at = _end_of_colon(base, at, end)
        _put(cuts, _HOST, number, stop != NONE, host, stop)
        stop = skip_kind(base, at, end, NAME)
        remark = _end_of_remark(base, stop, end)
        colon = _end_of_number(base, remark, end, OPEN_ARRAY, CLOSE_ARRAY)
        body = _end_of_tag(base, at, stop, colon, end, has_time or has_priority)
        if body == _UNSURE:
            continue
        _put(cuts, _PROGRAM, number, body > at, at, stop)
        _put(cuts, _PID, number, body > at and colon > remark, remark + 1, colon - 1)
        _put(cuts, _BODY, number, True, body, end)
        rows[number] = row
        number += 1
    return number


def read_plain_headers(
    lines: pl.Series,
) -> tuple[pl.DataFrame, npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return PLAIN_COLUMNS of the rows that the pass read, those rows, and the rows left unread.

    Nothing of the lines is copied. No line of RFC 5424 is among the rows read.
    """
    texts = find_places(lines)
    rows = np.empty(len(lines), dtype=np.intp)
    left = np.empty(len(lines), dtype=np.intp)
    cuts = np.empty((2 * len(PLAIN_COLUMNS), len(lines)), dtype=np.int64)
    count = _read_headers(texts.data, texts.starts, texts.stops, rows, left, cuts)
    rows = rows[:count]
    cuts = cuts[:, :count]
    if lines.null_count():
        cuts[2 * _BODY][lines.is_null().to_numpy()[rows]] = NONE
    parts = [
        cut_texts(texts, rows, cuts[2 * column], cuts[2 * column + 1], name)
        for column, name in enumerate(PLAIN_COLUMNS)
    ]
    return pl.DataFrame(parts), rows, left[: len(lines) - count]
