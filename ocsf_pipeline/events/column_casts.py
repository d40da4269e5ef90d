"""A plan's columns as expressions: where each comes from, its cast, what the cast left over.

Belongs here: expressions of single columns. Does not belong here: what values of a type look like
(`values`), running plans (`run`).
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from ocsf_pipeline.events.mapping import CAPTURED, CONSTANT, PRIMARY_CASTS
from ocsf_pipeline.events.plan import Column, EventPlan, unfit_name
from ocsf_pipeline.events.values import (
    PART_CASTS,
    caption_of,
    cast_enum,
    cast_enum_number,
    cast_list,
    cast_part,
    cast_text,
    clean_text,
)

_ROWS_PER_WORD = 8


def read_source(plan: EventPlan, item: Column) -> pl.Expr:
    """Return what the log says for a column: text, or a list for a `list` cast; null if nothing."""
    source = item.rule.source
    if source[0] == CONSTANT:
        return pl.lit(source[1])
    if source[0] == CAPTURED:
        return clean_text(pl.col(f"p{source[1]}").struct.field(source[2]))
    if source[0].startswith("@") and source not in plan.leaves:
        return pl.col(source[0])
    name = plan.leaves.get(source)
    if name is None:  # a field of one record of a list
        record = pl.col(plan.leaves[source[:-1]]).list.get(item.rule.element, null_on_oob=True)
        return clean_text(record.struct.field(source[-1]))
    if item.rule.cast == "list":
        return pl.col(name)
    text = pl.col(name).list.first() if name in plan.lists else pl.col(name)
    return clean_text(text)


def cast_column(item: Column) -> pl.Expr:
    """Return the value that the source's text becomes; null where it does not fit."""
    text = pl.col(f"{item.name}r")
    if item.rule.cast == "list":
        return cast_list(text, item.attribute)
    if item.rule.cast in PART_CASTS:
        return cast_part(item.rule.cast, text, item.attribute)
    if item.rule.cast == "enum":
        return cast_enum(text, item.attribute, dict(item.rule.words))
    if item.rule.cast == "number":
        return cast_enum_number(text, item.attribute)
    return cast_text(text, item.attribute)


def complete_column(item: Column) -> Iterator[pl.Expr]:
    """Yield the caption beside an enum's number, and what the cast did not carry over."""
    text, value = pl.col(f"{item.name}r"), pl.col(item.name)
    lost = value.is_null()
    if item.rule.cast == "list":
        lost = value.list.len().ne_missing(text.list.len())
    if item.sibling is not None:
        caption = caption_of(value, item.attribute, text)
        yield caption.alias(item.sibling[0])
        if item.rule.cast == "enum":
            lost = caption.str.to_lowercase().ne_missing(text.str.to_lowercase())
    elif item.rule.cast == "enum":
        lost = pl.lit(True)
    if item.rule.cast in PRIMARY_CASTS and item.rule.source[0] not in (CONSTANT, CAPTURED):
        yield pl.when(lost).then(text).alias(unfit_name(item.name))


class WordCast:
    """The cast of words to an enum: computed once per word, since logs repeat a few."""

    def __init__(self, item: Column) -> None:
        """Make the expressions of `item`, whose text stands in the column `source`."""
        self.source = f"{item.name}r"
        self._cast = cast_column(item).alias(item.name)
        self._second = list(complete_column(item))
        self._known: tuple[frozenset[str], pl.Series, pl.DataFrame] | None = None

    def cast(self, texts: pl.Series) -> pl.DataFrame:
        """Return the columns that the words of `texts` become, row by row."""
        words = texts.unique().drop_nulls()
        if not 0 < len(words) * _ROWS_PER_WORD < len(texts):
            return self._make(texts)
        needed = frozenset(words)
        known = self._known
        if known is None or not needed <= known[0]:
            known = self._known = (needed, words, self._make(words))
        _names, listed, made = known
        numbers = pl.int_range(len(listed), dtype=pl.UInt32, eager=True)
        return made[texts.replace_strict(listed, numbers, return_dtype=pl.UInt32)]

    def _make(self, texts: pl.Series) -> pl.DataFrame:
        frame = texts.to_frame().with_columns_seq(self._cast).with_columns_seq(self._second)
        return frame.drop(self.source)
