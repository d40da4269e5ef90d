"""One compiled look at texts: which of them hold bytes that cannot stand in a JSON string as is.

Belongs here: the look. Does not belong here: what is made of such texts (`jsontext`). Most logs
hold none, and a pattern looks at one byte at a time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from ocsf_pipeline.logs.compiled import (
    compile_loop,
    compile_step,
    load_part,
    mark_control,
    mark_special,
)
from ocsf_pipeline.logs.textplaces import find_places

_SPACES = np.uint64(0x2020202020202020)


@compile_step
def _load_filled(base: Any, at: Any, count: Any, limit: Any) -> Any:
    """Return eight bytes, spaces behind the first `count`."""
    word = load_part(base, at, count, limit)
    return word if count >= 8 else word | (_SPACES << np.uint64(8 * count))


@compile_loop
def _find_special(data: Any, starts: Any, stops: Any, with_quotes: bool, found: Any) -> None:
    base = np.uint64(data.ctypes.data)
    for row in range(starts.size):
        at, end = starts[row], stops[row]
        marks = np.uint64(0)
        while at < end and marks == np.uint64(0):
            word = _load_filled(base, at, min(end - at, 8), end)
            marks = mark_control(word)
            if with_quotes:
                marks |= mark_special(word)
            at += 8
        found[row] = marks != np.uint64(0)


def find_control(texts: pl.Series) -> npt.NDArray[np.bool_]:
    """Return which texts hold a control character of ASCII, white space among them."""
    return _find(texts, with_quotes=False)


def find_unplain_texts(texts: pl.Series) -> npt.NDArray[np.bool_]:
    """Return which texts hold a quote, a backslash, or a control character of ASCII."""
    return _find(texts, with_quotes=True)


def _find(texts: pl.Series, with_quotes: bool) -> npt.NDArray[np.bool_]:
    places = find_places(texts)
    found = np.zeros(len(texts), dtype=np.bool_)
    _find_special(places.data, places.starts, places.stops, with_quotes, found)
    return found
