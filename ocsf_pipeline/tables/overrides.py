"""The shape of an analyst's override.

Belongs here: column names, types and their meaning. Does not belong here: who may override, or
what the classifier learns from it (`knowledge`).
"""

from __future__ import annotations

import polars as pl

from ocsf_pipeline.logs.records import UTC_TIME

_COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    "override_id": pl.String,  # unique; chosen by the caller
    "created_at": UTC_TIME,
    "scope": pl.String,  # event, template, event_type
    "event_uid": pl.String,  # with scope event
    "template_ids": pl.List(pl.String),  # with scope template or event_type: what it covers
    "source": pl.String,  # with scope event_type
    "event_type": pl.String,  # with scope event_type: how the analyst named it
    "class_uid": pl.UInt32,
    "class_name": pl.String,
    "category_uid": pl.UInt32,
    "category_name": pl.String,
    "activity_id": pl.Int32,
    "activity_name": pl.String,
    "type_uid": pl.UInt64,
    "author": pl.String,
    "reason": pl.String,
    "undoes": pl.String,  # override_id of the override that this row takes back, else null
}

OVERRIDE_SCHEMA = pl.Schema(_COLUMNS)

OVERRIDABLE_COLUMNS = (
    "class_uid",
    "class_name",
    "category_uid",
    "category_name",
    "activity_id",
    "activity_name",
    "type_uid",
)
"""Columns of `events` that an override replaces; `status` and `confidence` follow."""
