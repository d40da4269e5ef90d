"""How loops over the bytes of texts are compiled.

Belongs here: the decorator, and what several such loops need. Does not belong here: any loop with a
meaning of its own. Why some loops are compiled at all: docs/decisions/0009-compiled-scans.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

QUOTE, BACKSLASH, COLON, COMMA = 34, 92, 58, 44
OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY = 123, 125, 91, 93


def compile_loop(function: Callable[..., Any]) -> Any:
    """Compile for use by several threads at once; the result is kept on disk where that can be.

    Everything is inlined: a call counts references to each array, which costs more than the call.
    """
    try:
        return numba.njit(function, nogil=True, cache=True, inline="always")
    except RuntimeError:  # no folder to keep it in: compiled anew in each process
        return numba.njit(function, nogil=True, inline="always")


@compile_loop
def hash_bytes(data: Any, start: int, stop: int, seed: Any) -> Any:
    """Return 64 bits (FNV-1a, folded) of `data[start:stop]`; equal seeds give equal hashes."""
    value = seed
    for at in range(start, stop):
        value = (value ^ np.uint64(data[at])) * np.uint64(1099511628211)
    return value ^ (value >> np.uint64(32))


def open_texts(
    texts: pl.Series,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], pa.Buffer]:
    """Return the bytes of all texts, where each begins (one more than there are), and the buffer.

    Null is taken as empty. The arrays are views of the buffer.
    """
    array = texts.fill_null("").to_arrow(compat_level=pl.CompatLevel.oldest())
    _validity, offset_buffer, text_buffer = array.buffers()
    offsets = np.frombuffer(offset_buffer, dtype=np.int64)
    text_buffer = text_buffer or pa.py_buffer(b"\0")
    data = np.frombuffer(text_buffer, dtype=np.uint8)
    return data, offsets[array.offset : array.offset + len(array) + 1], text_buffer
