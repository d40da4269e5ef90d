"""One plan over the rows of its templates: cast, encode, fill the hot columns.

Belongs here: the column expressions of a plan and the assembling of event rows. Does not belong
here: grouping rows and what to do with rows that break their plan (`execute`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add

import polars as pl

from ocsf_pipeline.events.decode import FieldDecoder
from ocsf_pipeline.events.encode import Encoder
from ocsf_pipeline.events.mapping import CAPTURED, CONSTANT, PRIMARY_CASTS
from ocsf_pipeline.events.observables import encode_observables
from ocsf_pipeline.events.plan import (
    VENDOR_COLUMN,
    Column,
    EventPlan,
    datetime_name,
    echo_name,
    unfit_name,
)
from ocsf_pipeline.events.required import (
    HOST_COLUMN,
    MESSAGE_COLUMN,
    PRODUCT_COLUMN,
    TIME_COLUMN,
    UID_COLUMN,
    UNKNOWN,
)
from ocsf_pipeline.events.rows import EVENT_SCHEMA, HOT_ATTRIBUTES
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

ROW = "@row"
GROUP = "@group"
PREFIX = "@prefix"
PACK_PRODUCT = "@pack_product"
PACK_VENDOR = "@pack_vendor"
MAX_OUTPUTS = 64
RAW_COLUMN = "@raw"
_NO_HOSTS = ("", "localhost", "localhost.localdomain")
"""What a device without a name writes in front of its logs."""
SEVERITY_COLUMN = "@severity"
TEMPLATE_SCHEMA = pl.Schema(
    {
        "template_id": pl.String,
        GROUP: pl.String,
        PREFIX: pl.String,
        "mapping_version": pl.String,
        PACK_PRODUCT: pl.String,
        PACK_VENDOR: pl.String,
        "class_uid": pl.UInt32,
        "class_name": pl.String,
        "category_uid": pl.UInt32,
        "category_name": pl.String,
        "activity_id": pl.Int32,
        "activity_name": pl.String,
        "type_uid": pl.UInt64,
    }
)
"""What the rows of one template have in common."""
_MAPPED_SCHEMA = pl.Schema(
    {
        ROW: pl.UInt32,
        "event": pl.String,
        "severity_id": pl.Int32,
        "status_id": pl.Int32,
        **{name: dtype for name, (_paths, dtype) in HOT_ATTRIBUTES.items()},
    }
)


@dataclass
class Tally:
    """Counts over one batch, by `class_uid:attribute path`."""

    fallbacks: Counter[str] = field(default_factory=Counter)
    unfit: Counter[str] = field(default_factory=Counter)


def base_columns() -> list[pl.Expr]:
    """Return the columns of a record that mapping reads, under their internal names."""
    vendor = pl.coalesce(_filled("vendor"), PACK_VENDOR)
    return [
        pl.col(ROW),
        pl.col(GROUP),
        pl.col(PREFIX),
        pl.col("event_uid").alias(UID_COLUMN),
        pl.col("time").dt.epoch("ms").alias(TIME_COLUMN),
        _name_source().alias(PRODUCT_COLUMN),
        vendor.alias(VENDOR_COLUMN),
        _filled("severity").alias(SEVERITY_COLUMN),
        pl.when(~pl.col("host").is_in(_NO_HOSTS)).then("host").alias(HOST_COLUMN),
        _filled("message").alias(MESSAGE_COLUMN),
        pl.col("raw").alias(RAW_COLUMN),
        pl.col("fields").fill_null("{}"),
    ]


def _name_source() -> pl.Expr:
    """Return the product that the log names, else the one that it was recognised as."""
    return pl.coalesce(_filled("product"), PACK_PRODUCT, _filled("vendor"), pl.lit(UNKNOWN))


def _filled(name: str) -> pl.Expr:
    return pl.when(pl.col(name) != "").then(pl.col(name))


class PlanRunner:
    """A plan with its expressions made: they depend on the rows only by which columns are null."""

    def __init__(self, plan: EventPlan) -> None:
        """Make the expressions of `plan`; cheap next to running them, dear next to a few rows."""
        self.plan = plan
        self.decoder = FieldDecoder(plan.mapping.shape)
        self._captures = [
            pl.col(column).str.extract_groups(pattern).alias(f"p{number}")
            for number, (column, pattern) in enumerate(plan.patterns)
        ]
        if plan.echo:
            said = pl.col(plan.echo)
            is_other = said.ne_missing(pl.col(MESSAGE_COLUMN))
            self._captures.append(pl.when(is_other).then(said).alias(echo_name(plan.echo)))
        self._sources = [_source(plan, item).alias(f"{item.name}r") for item in plan.columns]
        self._casts = [_cast(item).alias(item.name) for item in plan.columns]
        self._second = [expr for item in plan.columns for expr in _second_pass(item)]
        self._second += [reduce(add, map(pl.col, parts)).alias(name) for name, parts in plan.sums]
        self._second += [
            pl.from_epoch(name, time_unit="ms")
            .dt.to_string("%Y-%m-%dT%H:%M:%S%.3fZ")
            .alias(datetime_name(name))
            for name in plan.times
        ]
        self._outputs: dict[tuple[int, ...], _Output] = {}

    def run(self, rows: pl.DataFrame, tally: Tally, keep_whole: bool) -> pl.DataFrame:
        """Map rows (base_columns) that have the plan's leaves beside them as columns.

        `keep_whole`: the rows have fields that the plan does not know, so `unmapped` takes the
        whole of `fields`. Returns the row number, the event's JSON text, and the columns that
        come from mapped values.
        """
        plan, height = self.plan, rows.height
        values = rows.with_columns_seq(self._captures) if self._captures else rows
        values = values.with_columns_seq(self._sources)
        values = values.with_columns_seq(self._casts).with_columns_seq(self._second)
        counts = [column.null_count() for column in values.get_columns()]
        nulls = dict(zip(values.columns, counts, strict=True))
        # 0: in every row, 2: in none, 1: in some. Rows of one template seldom differ in this.
        pattern = (
            keep_whole,
            *((count > 0) + (count == height) for count in counts),
        )
        output = self._outputs.get(pattern)
        if output is None:
            output = _make_output(plan, nulls, height, keep_whole)
            if len(self._outputs) < MAX_OUTPUTS:
                self._outputs[pattern] = output
        for path, column in output.fallbacks.items():
            tally.fallbacks[f"{plan.owner.uid}:{path}"] += nulls[column] if column else height
        for item in plan.columns:
            unfit = height - nulls.get(unfit_name(item.name), height)
            if unfit and item.rule.cast != "enum":
                tally.unfit[f"{plan.owner.uid}:{item.rule.target}"] += unfit
        return values.select_seq(output.columns)


@dataclass(frozen=True)
class _Output:
    columns: list[pl.Expr]
    fallbacks: dict[str, str]
    """Attribute path to the column whose nulls it fills; to "" where it fills every row."""


def _make_output(plan: EventPlan, nulls: dict[str, int], height: int, keep_whole: bool) -> _Output:
    encoder = Encoder(nulls, height)
    event = encoder.encode(plan.tree)
    if event is None:
        raise ValueError(f"the plan of class {plan.owner.uid} has no attribute")
    unmapped = _encode_leftovers(plan, nulls, height, keep_whole)
    pieces = [pl.col(PREFIX)]
    if unmapped is not None:
        pieces.append(pl.concat_str(pl.lit('"unmapped":'), unmapped, pl.lit(",")).fill_null(""))
    observables = encode_observables(plan.observables, nulls, height)
    if observables is not None:
        pieces.append(observables)
    pieces.append(event.str.strip_prefix("{"))
    columns = [
        pl.col(ROW),
        pl.concat_str(pieces).alias("event"),
        *_hot_columns(plan, nulls, height),
    ]
    return _Output(columns, encoder.fallbacks)


def _source(plan: EventPlan, item: Column) -> pl.Expr:
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


def _cast(item: Column) -> pl.Expr:
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


def _second_pass(item: Column) -> Iterator[pl.Expr]:
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


def _encode_leftovers(
    plan: EventPlan, nulls: dict[str, int], height: int, keep_whole: bool
) -> pl.Expr | None:
    if keep_whole:
        return pl.col("fields")
    encoder = Encoder(nulls, height)
    text = encoder.encode(plan.leftovers)
    if encoder.has_nulls and encoder.has_unsafe_names:
        # Null members cannot be told from text under such names; the whole is valid JSON too.
        return pl.col("fields")
    return text


def _hot_columns(plan: EventPlan, nulls: dict[str, int], height: int) -> Iterator[pl.Expr]:
    severity = pl.col(plan.severity_column) if plan.severity_column else pl.lit(None, pl.Int64)
    yield severity.fill_null(plan.default_severity).cast(pl.Int32).alias("severity_id")
    if plan.status_column:
        yield pl.col(plan.status_column).cast(pl.Int32).alias("status_id")
    for name, columns in plan.hot.items():
        filled = [pl.col(column) for column in columns if nulls[column] < height]
        if filled:
            yield pl.coalesce(filled).cast(HOT_ATTRIBUTES[name][1]).alias(name)


def join_parts(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return the parts one below the other, with every hot column."""
    return pl.concat([pl.DataFrame(schema=_MAPPED_SCHEMA), *parts], how="diagonal")


def assemble_rows(records: pl.DataFrame, mapped: pl.DataFrame) -> pl.DataFrame:
    """Return rows of EVENT_SCHEMA from records (with their template's columns) and events."""
    joined = pl.concat([records, mapped.drop(ROW)], how="horizontal")
    return joined.with_columns(
        _name_source().alias("source"), pl.col("raw").alias("raw_data")
    ).select(pl.col(name).cast(dtype) for name, dtype in EVENT_SCHEMA.items())


def encode_whole_event(frame: pl.DataFrame) -> pl.Series:
    """Return the OCSF events of `frame` (EVENT_SCHEMA) as JSON texts, `raw_data` included."""
    raw = pl.struct("raw_data").struct.json_encode().str.strip_prefix("{")
    whole = pl.concat_str(pl.col("event").str.strip_suffix("}"), pl.lit(","), raw)
    text = pl.when(pl.col("raw_data").is_null()).then(pl.col("event")).otherwise(whole)
    return frame.select(text.alias("event")).to_series()
