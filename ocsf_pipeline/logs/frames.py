"""Work on parts of a frame: cheaper than a branch computed for every row.

Belongs here: splitting rows and putting results back in their places. Does not belong here: logs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt
import polars as pl

Rows = npt.NDArray[np.intp]


def spread(parts: Iterable[tuple[Rows, pl.Series]], length: int, dtype: pl.DataType) -> pl.Series:
    """Return a series of `length` with each part's values at its rows; null elsewhere."""
    values: list[pl.Series] = []
    taken: npt.NDArray[np.intp] | None = None
    filled = 0
    for rows, part in parts:
        if len(rows) == length:
            return part
        if taken is None:
            taken = np.full(length, -1, dtype=np.intp)
        taken[rows] = np.arange(filled, filled + len(rows))
        filled += len(rows)
        values.append(part.cast(dtype))
    nothing = pl.Series([None], dtype=dtype)
    if taken is None:
        return nothing.new_from_index(0, length)
    taken[taken < 0] = filled
    return pl.concat([*values, nothing.alias(values[0].name)], rechunk=False).gather(taken)


def compute_where(frame: pl.DataFrame, where: pl.Expr | pl.Series, column: pl.Expr) -> pl.Series:
    """Return `column` for the rows of `where` only; null elsewhere."""
    mask = frame.select(where.alias("mask"))["mask"] if isinstance(where, pl.Expr) else where
    rows = np.flatnonzero(mask.fill_null(value=False).to_numpy())
    if not len(rows):
        dtype = frame.clear().select(column.alias("value"))["value"].dtype
        return pl.Series("value", [None], dtype=dtype).new_from_index(0, len(frame))
    part = frame if len(rows) == len(frame) else frame[rows]
    values = part.select(column.alias("value"))["value"]
    return spread([(rows, values)], len(frame), values.dtype)


def compute_by_key(
    frame: pl.DataFrame,
    keys: npt.NDArray[np.int32],
    compute: Callable[[int, pl.DataFrame], pl.Series],
    dtype: pl.DataType,
) -> pl.Series:
    """Return `compute(key, rows of that key)` for each key from 0 on; null where the key is -1."""
    order = np.argsort(keys, kind="stable")
    found, starts = np.unique(keys[order], return_index=True)
    stops = np.append(starts[1:], len(keys))
    parts = []
    for key, start, stop in zip(found.tolist(), starts, stops, strict=True):
        if key >= 0:
            rows = order[start:stop]
            part = frame if len(rows) == len(frame) else frame[rows]
            parts.append((rows, compute(key, part)))
    return spread(parts, len(frame), dtype)
