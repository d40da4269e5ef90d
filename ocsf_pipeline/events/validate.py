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

from ocsf_pipeline.events.schema_view import SchemaView


def find_faults(frame: pl.DataFrame, view: SchemaView) -> pl.DataFrame:
    """Return event_uid, template_id and reason of each row that breaks a rule; empty is good."""
    live = view.live_classes
    names = pl.DataFrame(
        [
            {
                "class_uid": item.uid,
                "@category": item.category_uid,
                "@activities": [int(key) for key in item.attributes["activity_id"].enum],
                "@severities": [int(key) for key in item.attributes["severity_id"].enum],
                "@statuses": [int(key) for key in item.attributes["status_id"].enum]
                if "status_id" in item.attributes
                else [],
            }
            for item in live
        ],
        schema={
            "class_uid": pl.UInt32,
            "@category": pl.UInt32,
            "@activities": pl.List(pl.Int32),
            "@severities": pl.List(pl.Int32),
            "@statuses": pl.List(pl.Int32),
        },
    )
    keys = ["class_uid", "category_uid", "activity_id", "type_uid", "severity_id", "status_id"]
    known = frame.select(keys).unique().join(names, on="class_uid", how="left")
    type_uid = pl.col("class_uid").cast(pl.UInt64) * 100 + pl.col("activity_id").cast(pl.UInt64)
    by_class = known.select(
        *keys,
        _first_reason(
            {
                "class_uid is no live class of the schema": pl.col("@category").is_null(),
                "category_uid is not the class's": pl.col("category_uid") != pl.col("@category"),
                "activity_id is none of the class's": ~pl.col("activity_id").is_in(
                    pl.col("@activities")
                ),
                "type_uid is not class_uid * 100 + activity_id": pl.col("type_uid") != type_uid,
                "severity_id is not in the enum": ~pl.col("severity_id").is_in(
                    pl.col("@severities")
                ),
                "status_id is not in the enum": pl.col("status_id").is_not_null()
                & ~pl.col("status_id").is_in(pl.col("@statuses")),
            }
        ).alias("@class_reason"),
    ).filter(pl.col("@class_reason").is_not_null())
    rows = frame.select(
        "event_uid",
        "template_id",
        *keys,
        _first_reason(
            {
                "event_uid is missing": pl.col("event_uid").is_null(),
                "time is missing": pl.col("time").is_null(),
                "event is missing": pl.col("event_values").is_null(),
                "event is no JSON object": ~(
                    _is_object(pl.col("event_form").cat)
                    | (pl.col("event_form") == "") & _is_object(pl.col("event_values").str)
                ),
            }
        ).alias("reason"),
    )
    if by_class.is_empty():
        faulty = rows.filter(pl.col("reason").is_not_null())
    else:
        joined = rows.join(by_class, on=keys, how="left", nulls_equal=True)
        faulty = joined.with_columns(pl.coalesce("reason", "@class_reason").alias("reason")).filter(
            pl.col("reason").is_not_null()
        )
    return faulty.select("event_uid", "template_id", "reason")


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
