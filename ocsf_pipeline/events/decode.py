"""The fields of logs as columns: JSON object texts decoded by the shape that a plan knows.

Belongs here: from texts to one Polars column per leaf of a shape, and which rows have more than the
shape or contradict it. Does not belong here: finding shapes (`shapes`), the scan (`json_scan`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from ocsf_pipeline.events import json_scan
from ocsf_pipeline.events.shapes import Kind, Shape, count_keys, count_records, dtype_of
from ocsf_pipeline.logs.textplaces import make_texts, open_texts

_MAX_CELLS = 8_000_000
"""Leaves times rows of one scan: 17 bytes each."""
_MAX_TEXT_BYTES = 1 << 30
_SURROGATE = r"\\u[dD][89a-fA-F]"


@dataclass(frozen=True)
class DecodedFields:
    """Leaf columns of rows, in the rows' order."""

    values: pl.DataFrame
    """A column per leaf: text, or a list of text or of records."""
    is_whole: pl.Series
    """False where the row has fields, other than null, that the shape does not know."""
    is_odd: pl.Series
    """True where the row contradicts the shape or is no JSON object: its values mean nothing."""


class FieldDecoder:
    """Decodes texts by one shape."""

    def __init__(self, shape: Shape) -> None:
        """The columns will be called `f0`, `f1` … in the order of `shape.list_leaves()`."""
        self._leaves = [leaf for _path, leaf in shape.list_leaf_shapes()]
        self._table = json_scan.build_name_table(list(_list_fields(shape)))

    def decode(self, texts: pl.Series) -> DecodedFields:
        """Decode JSON object texts; null is odd."""
        pieces = [self._decode_piece(piece) for piece in self._cut(texts)]
        if len(pieces) == 1:
            return pieces[0]
        return DecodedFields(
            pl.concat([piece.values for piece in pieces]),
            pl.concat([piece.is_whole for piece in pieces]),
            pl.concat([piece.is_odd for piece in pieces]),
        )

    def _cut(self, texts: pl.Series) -> Iterator[pl.Series]:
        rows = max(1, _MAX_CELLS // max(1, len(self._leaves)))
        if len(texts) <= rows and texts.estimated_size() < _MAX_TEXT_BYTES:
            yield texts
            return
        rows = min(rows, max(1, len(texts) * _MAX_TEXT_BYTES // (2 * int(texts.estimated_size()))))
        for start in range(0, len(texts), rows):
            yield texts.slice(start, rows)

    def _decode_piece(self, texts: pl.Series) -> DecodedFields:
        data, offsets, text_buffer = open_texts(texts)
        found = json_scan.scan_texts(data, offsets, self._table, len(self._leaves))
        is_odd = (found.flags & json_scan.ODD) != 0
        columns: list[pl.Series] = []
        partial = (found.flags & json_scan.PARTIAL) != 0
        for number, leaf in enumerate(self._leaves):
            is_set = (found.is_set[number] != 0) & ~is_odd
            column = make_texts(found.views[number], is_set, (text_buffer,), f"f{number}")
            if leaf.kind is not Kind.TEXT:
                column, misfits = _decode_arrays(column, leaf)
                is_odd |= misfits.is_odd
                partial |= misfits.is_partial
            elif found.escaped[number]:
                column = _unescape(column)
            columns.append(column)
        return DecodedFields(
            pl.DataFrame(columns), pl.Series("is_whole", ~partial), pl.Series("is_odd", is_odd)
        )


def _unescape(column: pl.Series) -> pl.Series:
    """Undo JSON's escapes where there are any; what cannot be undone stays as it is."""
    escaped = column.str.contains("\\", literal=True).fill_null(value=False)
    for rows in (escaped, escaped & ~column.str.contains(_SURROGATE).fill_null(value=False)):
        places = rows.arg_true()
        quoted = pl.select(pl.concat_str(pl.lit('"'), pl.lit(column[places]), pl.lit('"')))
        try:
            plain = quoted.to_series().str.json_decode(pl.String)
        except pl.exceptions.ComputeError:
            continue  # half a surrogate pair in one text must not spoil the others
        return column.clone().scatter(places, plain)
    return column


@dataclass(frozen=True)
class _Misfits:
    is_odd: npt.NDArray[np.bool_]
    is_partial: npt.NDArray[np.bool_]


def _decode_arrays(column: pl.Series, leaf: Shape) -> tuple[pl.Series, _Misfits]:
    """Decode array texts; rows that are not of the leaf's kind are odd, and null."""
    none = np.zeros(len(column), dtype=np.bool_)
    try:
        decoded = column.str.json_decode(dtype_of(leaf))
    except pl.exceptions.ComputeError:
        odd = column.is_not_null().to_numpy()
        nothing = pl.Series(column.name, [None], dtype=dtype_of(leaf))
        return nothing.new_from_index(0, len(column)), _Misfits(odd, none)
    if leaf.kind is not Kind.RECORDS:
        return decoded, _Misfits(none, none)
    frame = pl.DataFrame({"text": column, "decoded": decoded})
    known = count_records(pl.col("decoded"), leaf)
    partial = frame.select((count_keys(pl.col("text")) != known).fill_null(value=False))
    return decoded, _Misfits(none, partial.to_series().to_numpy())


def _list_fields(shape: Shape) -> Iterator[tuple[int, str, int, int]]:
    """Yield the fields of a name table, parents first, leaves in the order of `list_leaves`."""
    numbers = {path: number for number, (path, _leaf) in enumerate(shape.list_leaf_shapes())}
    yield 0, "", json_scan.OBJECT, -1
    waiting: list[tuple[int, tuple[str, ...], Shape]] = [(0, (), shape)]
    count = 1
    while waiting:
        parent, path, owner = waiting.pop(0)
        for name, child in owner.fields.items():
            if child.kind is Kind.OPAQUE:
                continue
            below = (*path, name)
            if child.kind is Kind.OBJECT:
                yield parent, name, json_scan.OBJECT, -1
                waiting.append((count, below, child))
            else:
                kind = json_scan.TEXT if child.kind is Kind.TEXT else json_scan.ARRAY
                yield parent, name, kind, numbers[below]
            count += 1
