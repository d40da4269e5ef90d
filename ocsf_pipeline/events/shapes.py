"""The shape of a log's own fields: which names hold text, objects or lists, as a decode plan.

Belongs here: finding the shape of JSON object texts, merging shapes, the Polars type that decodes
a shape, and counting what a decode covers. Does not belong here: any meaning of a field.

Polars decodes JSON strictly: one row with an object where the type says text fails the whole
column. Whatever one type cannot hold for every row is `OPAQUE` and left out of the type; the rows
that have it are found by counting keys, so nothing goes unnoticed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import polars as pl

MAX_DEPTH = 10
MAX_LEAVES = 300
MAX_NAME_CHARS = 200
_EMPTY_MARK = "\x00"  # keeps the struct type of an object without any field non-empty


class Kind(StrEnum):
    """What a field holds."""

    TEXT = "text"
    """A string, a number, a boolean or null: decoded as text."""
    OBJECT = "object"
    LIST = "list"
    """A list of strings, numbers, booleans: decoded as list of text."""
    RECORDS = "records"
    """A list of objects with plain values."""
    OPAQUE = "opaque"
    """Nothing that one type can hold; never decoded."""


@dataclass(frozen=True)
class Shape:
    """What one field holds; `fields` is filled for OBJECT and RECORDS."""

    kind: Kind
    fields: Mapping[str, Shape] = field(default_factory=dict)
    is_null_only: bool = False
    """True while only null was seen, so that any other kind may replace it."""

    def list_leaves(self, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Kind]]:
        """Yield (path, kind) of every decoded field that is not itself an object."""
        for below, leaf in self.list_leaf_shapes(path):
            yield below, leaf.kind

    def list_leaf_shapes(
        self, path: tuple[str, ...] = ()
    ) -> Iterator[tuple[tuple[str, ...], Shape]]:
        """Yield (path, shape) of every decoded field that is not itself an object."""
        if self.kind is Kind.OBJECT:
            for name, child in self.fields.items():
                yield from child.list_leaf_shapes((*path, name))
        elif self.kind is not Kind.OPAQUE:
            yield path, self

    def to_json(self) -> object:
        """Return the shape as plain JSON data."""
        if self.kind in (Kind.OBJECT, Kind.RECORDS):
            return [self.kind.value, {name: item.to_json() for name, item in self.fields.items()}]
        return "null" if self.is_null_only else self.kind.value


EMPTY_SHAPE = Shape(Kind.OBJECT)
_NULL = Shape(Kind.TEXT, is_null_only=True)
_TEXT = Shape(Kind.TEXT)
_OPAQUE = Shape(Kind.OPAQUE)


def shape_from_json(data: Any) -> Shape:
    """Read what `Shape.to_json` wrote."""
    if isinstance(data, str):
        return _NULL if data == "null" else Shape(Kind(data))
    kind, fields = data
    return Shape(Kind(kind), {name: shape_from_json(item) for name, item in fields.items()})


def find_shape(text: str | None) -> Shape | None:
    """Return the shape of one JSON object text, or None when it is not a JSON object."""
    if not text:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    return _bound_leaves(_shape_of(value, 0))


def find_common_shape(texts: Iterable[str | None]) -> Shape:
    """Return the shape that holds all JSON object texts; others are passed over."""
    merged = EMPTY_SHAPE
    for text in texts:
        shape = find_shape(text)
        if shape is not None:
            merged = merge_shapes(merged, shape)
    return _bound_leaves(merged)


def _shape_of(value: object, depth: int) -> Shape:
    if value is None:
        return _NULL
    if isinstance(value, dict):
        if depth >= MAX_DEPTH or any(len(name) > MAX_NAME_CHARS for name in value):
            return _OPAQUE
        return Shape(
            Kind.OBJECT,
            {
                name: _OPAQUE if _is_pattern(name) else _shape_of(item, depth + 1)
                for name, item in value.items()
            },
        )
    if isinstance(value, list):
        return _shape_of_list(value)
    return _TEXT


def _is_pattern(name: str) -> bool:
    """True for names that Polars would take for a pattern over many fields."""
    return name == "*" or name.startswith("^")


def _shape_of_list(items: list[object]) -> Shape:
    if all(item is None or isinstance(item, str | int | float) for item in items):
        return Shape(Kind.LIST)
    if not all(isinstance(item, dict) for item in items):
        return _OPAQUE
    merged = EMPTY_SHAPE
    for item in items:
        merged = merge_shapes(merged, _shape_of(item, MAX_DEPTH - 1))
    if merged.kind is not Kind.OBJECT or not merged.fields:
        return _OPAQUE
    if any(child.kind is not Kind.TEXT for child in merged.fields.values()):
        return _OPAQUE
    return Shape(Kind.RECORDS, merged.fields)


def merge_shapes(left: Shape, right: Shape) -> Shape:
    """Return the shape that holds what either holds; where they disagree it is OPAQUE."""
    if left == right or right.is_null_only:
        return left
    if left.is_null_only:
        return right
    if left.kind is not right.kind:
        return _OPAQUE
    if left.kind not in (Kind.OBJECT, Kind.RECORDS):
        return left
    fields = dict(left.fields)
    for name, child in right.fields.items():
        fields[name] = merge_shapes(fields[name], child) if name in fields else child
    return Shape(left.kind, fields)


def _bound_leaves(shape: Shape) -> Shape:
    """Make top-level fields opaque, from the widest, until the leaves are few enough."""
    sizes = {name: sum(1 for _ in item.list_leaves()) for name, item in shape.fields.items()}
    total = sum(sizes.values())
    if total <= MAX_LEAVES:
        return shape
    fields = dict(shape.fields)
    for name in sorted(sizes, key=lambda key: -sizes[key]):
        if total <= MAX_LEAVES:
            break
        total -= sizes[name]
        fields[name] = _OPAQUE
    return Shape(Kind.OBJECT, fields)


def dtype_of(shape: Shape) -> pl.DataType:
    """Return the Polars type that decodes the shape; opaque fields are left out."""
    if shape.kind is Kind.TEXT:
        return pl.String()
    if shape.kind is Kind.LIST:
        return pl.List(pl.String())
    fields = {
        name: dtype_of(child)
        for name, child in shape.fields.items()
        if child.kind is not Kind.OPAQUE
    }
    struct = pl.Struct(fields or {_EMPTY_MARK: pl.String()})
    return pl.List(struct) if shape.kind is Kind.RECORDS else struct


_KEY_END = '":'
_DEDUCTED = ('\\":', '":null', '": null')  # quotes inside strings; members that are null
_GIVEN_BACK = ('\\":null', '\\": null')  # what was deducted twice: null after an inner quote
_MISLEADING = ('\\\\":', '" :', '"\t', '"\n', '"\r')  # names ending in a backslash; loose notation


def count_keys(text: pl.Expr) -> pl.Expr:
    """Return how many keys with a value other than null stand in JSON object texts.

    -1 where it cannot be told by counting: a name that ends in a backslash, white space before a
    colon or at a line's end. Otherwise never less than the truth, so that no field goes unnoticed.
    """

    def count(*parts: str) -> pl.Expr:
        return pl.sum_horizontal(
            text.str.count_matches(part, literal=True).cast(pl.Int64) for part in parts
        )

    is_misleading = pl.any_horizontal(text.str.contains(i, literal=True) for i in _MISLEADING)
    keys = count(_KEY_END) - count(*_DEDUCTED) + count(*_GIVEN_BACK)
    return pl.when(is_misleading).then(-1).otherwise(keys)


def count_decoded(root: pl.Expr, shape: Shape) -> pl.Expr:
    """Return how many fields of the decoded shape are not null, objects and leaves alike."""
    terms = list(_presence(root, shape))
    return pl.sum_horizontal(terms).cast(pl.Int64) if terms else pl.lit(0, pl.Int64)


def _presence(node: pl.Expr, shape: Shape) -> Iterator[pl.Expr]:
    for name, child in shape.fields.items():
        if child.kind is Kind.OPAQUE:
            continue
        value = node.struct.field(name)
        yield value.is_not_null().cast(pl.UInt32)
        if child.kind is Kind.OBJECT:
            yield from _presence(value, child)
        elif child.kind is Kind.RECORDS:
            yield count_records(value, child).fill_null(0)


def count_records(records: pl.Expr, shape: Shape) -> pl.Expr:
    """Return how many fields of a decoded list of records are not null."""
    return records.list.eval(_count_record(shape)).list.sum().cast(pl.UInt32)


def _count_record(shape: Shape) -> pl.Expr:
    return pl.sum_horizontal(
        pl.element().struct.field(name).is_not_null().cast(pl.UInt32) for name in shape.fields
    )
