"""Our own judgement of event rows while the pipeline runs: column expressions, cheap.

Belongs here: rules that every row of STORED_SCHEMA must keep, with a reason for each. Does not
belong here: making events valid (`required`, `values`).

What a class requires is closed when its plan is built, and casts let no misfit pass; this module
checks what could still be wrong with a row. The whole JSON of every class is judged in the tests
by two validators that know nothing of this package.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from ocsf_pipeline.events.schema_view import ClassView, SchemaView


def _is_object(text: Any) -> pl.Expr:
    """Return whether a text, or its form, has the braces of an object around it."""
    is_object: pl.Expr = text.starts_with("{") & text.ends_with("}")
    return is_object


def _first_reason(rules: dict[str, pl.Expr]) -> pl.Expr:
    reasons = [
        pl.when(condition.fill_null(True)).then(pl.lit(reason))
        for reason, condition in rules.items()
    ]
    return pl.coalesce(reasons)


def _breaks_any(rules: dict[str, pl.Expr]) -> pl.Expr:
    return pl.any_horizontal([rule.fill_null(True) for rule in rules.values()]).any()


_KEYS = ("class_uid", "category_uid", "activity_id", "type_uid", "severity_id", "status_id")
_TYPE_UID = pl.col("class_uid").cast(pl.UInt64) * 100 + pl.col("activity_id").cast(pl.UInt64)
_CLASS_RULES = {
    "class_uid is no live class of the schema": pl.col("@category").is_null(),
    "category_uid is not the class's": pl.col("category_uid") != pl.col("@category"),
    "activity_id is none of the class's": ~pl.col("activity_id").is_in(pl.col("@activities")),
    "type_uid is not class_uid * 100 + activity_id": pl.col("type_uid") != _TYPE_UID,
    "severity_id is not in the enum": ~pl.col("severity_id").is_in(pl.col("@severities")),
    "status_id is not in the enum": pl.col("status_id").is_not_null()
    & ~pl.col("status_id").is_in(pl.col("@statuses")),
}
_ROW_RULES = {
    "event_uid is missing": pl.col("event_uid").is_null(),
    "time is missing": pl.col("time").is_null(),
    "event is missing": pl.col("event_values").is_null(),
    "event is no JSON object": ~(
        _is_object(pl.col("event_form").cat)
        | (pl.col("event_form") == "") & _is_object(pl.col("event_values").str)
    ),
}


def find_faults(frame: pl.DataFrame, classes: pl.DataFrame) -> pl.DataFrame:
    """Return event_uid, template_id and reason of each row that breaks a rule; empty is good.

    `classes`: what `list_classes` returned.
    """
    by_class = _find_class_faults(frame, classes)
    of_row = _first_reason(_ROW_RULES).alias("reason")
    if by_class.is_empty():
        if not frame.select(_breaks_any(_ROW_RULES)).item():
            return frame.clear().select("event_uid", "template_id", of_row)
        rows = frame.select("event_uid", "template_id", of_row)
    else:
        joined = frame.select("event_uid", "template_id", *_KEYS, of_row).join(
            by_class, on=_KEYS, how="left", nulls_equal=True
        )
        rows = joined.with_columns(pl.coalesce("reason", "@class_reason").alias("reason"))
    return rows.filter(pl.col("reason").is_not_null()).select("event_uid", "template_id", "reason")


def _find_class_faults(frame: pl.DataFrame, classes: pl.DataFrame) -> pl.DataFrame:
    """Return _KEYS and `@class_reason` of what the schema does not know of a class."""
    # Rows come ordered by mapping: what differs from the row before is little.
    differs = [pl.col(name).ne_missing(pl.col(name).shift()) for name in _KEYS]
    is_first = pl.int_range(pl.len()) == 0
    known = frame.select(_KEYS).filter(pl.any_horizontal(is_first, *differs)).unique()
    judged = known.join(classes, on="class_uid", how="left")
    reason = _first_reason(_CLASS_RULES).alias("@class_reason")
    return judged.select(*_KEYS, reason).filter(pl.col("@class_reason").is_not_null())


def list_classes(view: SchemaView) -> pl.DataFrame:
    """Return what each live class allows, for `find_faults`."""
    return pl.DataFrame(
        [
            {
                "class_uid": item.uid,
                "@category": item.category_uid,
                "@activities": _list_values(item, "activity_id"),
                "@severities": _list_values(item, "severity_id"),
                "@statuses": _list_values(item, "status_id"),
            }
            for item in view.live_classes
        ],
        schema={
            "class_uid": pl.UInt32,
            "@category": pl.UInt32,
            "@activities": pl.List(pl.Int32),
            "@severities": pl.List(pl.Int32),
            "@statuses": pl.List(pl.Int32),
        },
    )


def _list_values(owner: ClassView, name: str) -> list[int]:
    attribute = owner.attributes.get(name)
    return [int(key) for key in attribute.enum] if attribute else []
