r"""Values of the keys that a survey found, cut out of their texts without copying.

Belongs here: the compiled pass, and what it takes for a value. Does not belong here: which key of a
log is asked for (`templates`), texts without a survey (the expressions of `describe`).

A key may stand in a text several times; its first value of the wanted form counts. In plain JSON
`"key":` stands nowhere but at a key, so that searching the text for it finds the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from ocsf_pipeline.logs.compiled import (
    BACKSLASH,
    CLOSE_ARRAY,
    CLOSE_OBJECT,
    COMMA,
    OPEN_ARRAY,
    OPEN_OBJECT,
    QUOTE,
    compile_loop,
)
from ocsf_pipeline.logs.meanings import HOLDS_HOST
from ocsf_pipeline.logs.survey import TellingKeys
from ocsf_pipeline.logs.textplaces import cut_texts

NONE, UNSURE, TEXT, NAME, WORD, OPEN, NESTED_NAME = 0, 1, 2, 3, 4, 5, 6
"""Forms of values: nothing is asked for; the pass is not to answer; those of PATTERNS."""
PATTERNS = {
    TEXT: r'"((?:[^"\\]|\\.)*)"',
    NAME: r'"([^"\\]{1,253})"',
    WORD: r'"?([^",}\]{\[\\]{1,24})',
    OPEN: r'"?([^"\]}]+)',
    NESTED_NAME: r'"(?i:host|device|computer|agent|endpoint)":'
    r'\{[^{}]*?"(?i:name|hostname)":"([^"\\]+)"',
}
"""What stands behind a key; of NESTED_NAME the key, too, an object that is a host."""
_LONGEST_NAME, _LONGEST_WORD = 253, 24
_NOTHING, _UNKNOWN = -1, -2


@compile_loop
def _is_continued(byte: int) -> bool:
    """Whether a byte is not the first of its character."""
    return byte & 0xC0 == 0x80


@compile_loop
def _end_of_text(data: Any, at: int, end: int) -> int:
    """Return where a JSON string ends whose inside begins at `at`."""
    while at < end and data[at] != QUOTE:
        at += 2 if data[at] == BACKSLASH else 1
    return at


@compile_loop
def _end_of_name(data: Any, at: int, end: int) -> int:
    """Return where a name ends that has no escapes and a common length, or -1."""
    start = at
    length = 0
    while at < end and data[at] != QUOTE and data[at] != BACKSLASH:
        if not _is_continued(data[at]):
            length += 1
        at += 1
    if at >= end or data[at] == BACKSLASH or at == start or length > _LONGEST_NAME:
        return -1
    return at


@compile_loop
def _end_of_word(data: Any, at: int, end: int) -> int:
    length = 0
    while at < end:
        byte = data[at]
        if (
            byte == QUOTE or byte == COMMA or byte == CLOSE_OBJECT or byte == CLOSE_ARRAY
            or byte == OPEN_OBJECT or byte == OPEN_ARRAY or byte == BACKSLASH
        ):  # fmt: skip
            break
        if not _is_continued(byte):
            if length == _LONGEST_WORD:
                break
            length += 1
        at += 1
    return at


@compile_loop
def _end_of_open(data: Any, at: int, end: int) -> int:
    while at < end and data[at] != QUOTE and data[at] != CLOSE_ARRAY and data[at] != CLOSE_OBJECT:
        at += 1
    return at


@compile_loop
def _length_of_key(data: Any, at: int, end: int) -> int:
    """Return the length of `"name":"` or `"hostname":"` at `at`, in any case, or 0."""
    long_name = b'"hostname":"'
    skipped = 0
    for skip in (0, 4):
        length = 12 - skip
        if at + length > end:
            continue
        same = True
        for place in range(length):
            wanted = long_name[place + skip] if place > 0 else QUOTE
            byte = data[at + place]
            if 65 <= byte <= 90:
                byte |= 32
            if byte != wanted:
                same = False
                break
        if same:
            skipped = length
            break
    return skipped


@compile_loop
def _find_values(
    data: Any, stops: Any, keys: Any, places: Any, kinds: Any, firsts: Any, lasts: Any,
    rows: Any, wanted: Any, forms: Any, begins: Any, ends: Any,
) -> None:  # fmt: skip
    for number in range(rows.size):
        row = rows[number]
        end = stops[row]
        form = forms[number]
        begins[number] = _UNKNOWN if form == UNSURE else _NOTHING
        ends[number] = begins[number]
        if form < TEXT:
            continue
        for entry in range(firsts[row], lasts[row]):
            if form == NESTED_NAME:
                if np.int64(kinds[entry]) & HOLDS_HOST == 0:
                    continue
            elif keys[entry] != wanted[number]:
                continue
            at = places[entry]
            is_quoted = at < end and data[at] == QUOTE
            start = at + 1 if is_quoted else at
            stop = -1
            if form == TEXT:
                if is_quoted:
                    stop = _end_of_text(data, start, end)
            elif form == NAME:
                if is_quoted:
                    stop = _end_of_name(data, start, end)
            elif form == WORD:
                stop = _end_of_word(data, start, end)
                if stop == start:
                    stop = -1
            elif form == OPEN:
                stop = _end_of_open(data, start, end)
                if stop == start:
                    stop = -1
            elif at < end and data[at] == OPEN_OBJECT:
                at += 1
                while at < end and data[at] != OPEN_OBJECT and data[at] != CLOSE_OBJECT:
                    if data[at] >= 128:  # letters that only look like others in capitals
                        begins[number] = _UNKNOWN
                        break
                    length = _length_of_key(data, at, end) if data[at] == QUOTE else 0
                    if length > 0:
                        start = at + length
                        stop = start
                        while stop < end and data[stop] != QUOTE and data[stop] != BACKSLASH:
                            stop += 1
                        if stop > start and stop < end and data[stop] == QUOTE:
                            break
                        stop = -1
                    at += 1
                if begins[number] == _UNKNOWN:
                    break
            if stop >= 0:
                begins[number] = start
                ends[number] = stop
                break


def find_values(
    found: TellingKeys,
    rows: npt.NDArray[np.intp],
    wanted: npt.NDArray[np.uint64],
    forms: npt.NDArray[np.uint8],
) -> tuple[pl.Series, npt.NDArray[np.intp]]:
    """Return for each of `rows` the value of its wanted key, and the places that are unsure.

    `wanted` is the hash of a key per row. The value is null where no such key has one of the form.
    """
    begins = np.empty(len(rows), dtype=np.int64)
    ends = np.empty(len(rows), dtype=np.int64)
    texts = found.texts
    _find_values(
        texts.data, texts.stops, found.keys, found.places, found.kinds, found.firsts, found.lasts,
        rows, wanted, forms, begins, ends,
    )  # fmt: skip
    return cut_texts(texts, rows, begins, ends, "value"), np.flatnonzero(begins == _UNKNOWN)
