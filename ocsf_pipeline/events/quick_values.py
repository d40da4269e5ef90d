"""Casts of the commonest texts in one compiled pass.

Belongs here: addresses and times in their plain notations. Does not belong here: any doubt about a
text: what these do not vouch for, the expressions of `values` read. A test compares both.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from ocsf_pipeline.logs.compiled import COLON, compile_loop
from ocsf_pipeline.logs.stamps import read_iso
from ocsf_pipeline.logs.textplaces import find_places

V4, WITH_COLON = 1, 2
"""What a text is: an address, or one that may be."""
_DOT = 46
_LONGEST_V4 = 15
_ZERO = 48
_US_PER_MS = 1_000
_PLAIN_TIME = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}"
    r"(?:\.[0-9]{1,9})?(?:Z|[+-](?:0[0-9]|1[0-4]):?[0-5][0-9])?$"
)


@compile_loop
def _is_v4(data: Any, at: int, end: int) -> bool:
    parts = 0
    while at < end and parts < 4:
        first = at
        value = 0
        while at < end and at - first < 3 and 48 <= data[at] <= 57:
            value = value * 10 + data[at] - _ZERO
            at += 1
        if at == first or value > 255 or (at - first > 1 and data[first] == _ZERO):
            return False
        parts += 1
        if at < end and data[at] != _DOT:
            return False
        at += 1
    return parts == 4 and at == end + 1


@compile_loop
def _mark_addresses(data: Any, starts: Any, stops: Any, kinds: Any) -> None:
    for row in range(starts.size):
        if stops[row] - starts[row] <= _LONGEST_V4 and _is_v4(data, starts[row], stops[row]):
            kinds[row] = V4
            continue
        for place in range(starts[row], stops[row]):
            if data[place] == COLON:
                kinds[row] = WITH_COLON
                break


def mark_addresses(texts: pl.Series) -> npt.NDArray[np.uint8]:
    """Return V4 for addresses without leading zeros, WITH_COLON for what may be IPv6, else 0."""
    found = find_places(texts)
    kinds = np.zeros(len(texts), dtype=np.uint8)
    _mark_addresses(found.data, found.starts, found.stops, kinds)
    return kinds


def read_plain_times(texts: pl.Series) -> pl.Series:
    """Return epoch milliseconds of `2026-11-23T10:00:00.5+02:00` and the like; null for others."""
    is_plain = texts.str.contains(_PLAIN_TIME)
    if not is_plain.any():
        return texts.clear(len(texts)).cast(pl.Int64)
    plain = texts if is_plain.all() else texts.set(~is_plain, None)
    return (read_iso(plain) // _US_PER_MS).alias(texts.name)
