"""Events as Amazon Security Lake wants them of a custom source: typed columns, one class per file.

Belongs here: names of objects, and shaping events by the OCSF schema. Does not belong here: reading
the tables, writing objects (`steps.security_lake`).

A custom source of Security Lake has one class, so each class is a source of its own, named
`<source>_<class>`; below it objects lie by region, account and day of the event. Rows are in the
order of their time, columns are the attributes that the events of the file have, nested as OCSF
nests them. What has no fixed shape (`unmapped`, JSON values) is JSON text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime

import polars as pl

from ocsf_pipeline.schema.model import Attribute, EventClass, OcsfSchema

UNMAPPED = "unmapped"
PATCHED = (
    "class_uid", "class_name", "category_uid", "category_name", "activity_id", "activity_name",
    "type_uid",
)  # fmt: skip
"""Columns of the tables that win over the event's own, since an override may have changed them."""

_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
_ACCOUNT = re.compile(r"\d{12}")
_SOURCE = re.compile(r"[a-z][a-z0-9_-]{0,30}")
_LEAVES: dict[str, type[pl.DataType]] = {
    "integer_t": pl.Int32,
    "long_t": pl.Int64,
    "float_t": pl.Float64,
    "boolean_t": pl.Boolean,
}
_MILLISECONDS = ("timestamp_t",)


class LakeError(ValueError):
    """The lake is not described as Security Lake describes it; the message names what to change."""


def check_lake(source: str, region: str, account: str) -> None:
    """Raise LakeError unless all three are of the form that Security Lake uses."""
    for name, value, pattern, example in (
        ("source", source, _SOURCE, "ocsf"),
        ("region", region, _REGION, "eu-central-1"),
        ("account", account, _ACCOUNT, "123456789012"),
    ):
        if not pattern.fullmatch(value):
            raise LakeError(f"the lake's {name} is {value!r}: it looks like {example}")


def name_object(
    source: str, class_name: str, region: str, account: str, day: date, hour: datetime, part: int
) -> str:
    """Return the key of one file below `ext/` of the lake; `class_name` as of its view."""
    return (
        f"{source}_{class_name}/region={region}/accountId={account}/eventDay={day:%Y%m%d}/"
        f"{hour:%Y%m%dT%H}-{part:05d}.parquet"
    )


def split_days(rows: pl.DataFrame) -> Iterator[tuple[date, pl.DataFrame]]:
    """Yield (day of the event in UTC, its rows in order) of rows with a column `time`."""
    days = rows.with_columns(pl.col("time").dt.date().alias("_day"))
    for (day,), part in days.group_by("_day", maintain_order=True):
        yield day, part.drop("_day")


def shape_events(rows: pl.DataFrame, event_class: EventClass, schema: OcsfSchema) -> pl.DataFrame:
    """Return the events of one class as typed, nested columns, in the order of `rows`.

    `rows` holds event (the OCSF event as JSON text, without unmapped), unmapped (JSON text or ''),
    raw_data, and the columns of PATCHED. Attributes that the class does not have are left out.
    """
    decoded = rows["event"].str.json_decode(infer_schema_length=None)
    known = event_class.attributes
    columns = [
        _shape(pl.col("event").struct.field(field.name), field.dtype, known[field.name], schema)
        .alias(field.name)
        for field in decoded.dtype.fields  # type: ignore[attr-defined]
        if field.name in known and field.name not in (*PATCHED, "raw_data", UNMAPPED)
    ]  # fmt: skip
    patched = [
        pl.col(name).cast(_leaf(known[name], schema), strict=False)
        for name in PATCHED
        if name in known
    ]
    text = [pl.when(pl.col(name) != "").then(pl.col(name)).alias(name)
            for name in ("raw_data", UNMAPPED)]  # fmt: skip
    shaped = rows.with_columns(decoded.alias("event")).select(*columns, *patched, *text)
    kept = [name for name in shaped.columns if shaped.schema[name] != pl.Null]
    return shaped.select(sorted(kept))


def _shape(value: pl.Expr, dtype: pl.DataType, attribute: Attribute, schema: OcsfSchema) -> pl.Expr:
    """Return `value`, of the type that its JSON had, as the type that OCSF gives it."""
    if isinstance(dtype, pl.List):
        return value.list.eval(_shape(pl.element(), dtype.inner, attribute, schema))  # type: ignore[arg-type]
    members = _list_members(attribute, schema)
    if isinstance(dtype, pl.Struct):
        fields = [field for field in dtype.fields if field.name in members]
        if not fields:
            return value.struct.json_encode()
        shaped = [
            _shape(value.struct.field(field.name), field.dtype, members[field.name], schema)  # type: ignore[arg-type]
            .alias(field.name)
            for field in sorted(fields, key=lambda field: field.name)
        ]  # fmt: skip
        return pl.when(value.is_null()).then(None).otherwise(pl.struct(*shaped))
    return value.cast(_leaf(attribute, schema), strict=False)


def _list_members(attribute: Attribute, schema: OcsfSchema) -> Mapping[str, Attribute]:
    """Return the attributes of an object; none of a scalar and of an object of any shape."""
    found = schema.objects.get(attribute.object_type or "")
    return found.attributes if found else {}


def _leaf(attribute: Attribute, schema: OcsfSchema) -> type[pl.DataType]:
    if attribute.type in _MILLISECONDS:
        return pl.Int64
    return _LEAVES.get(schema.resolve_base_type(attribute.type), pl.String)
