"""The rows of `templates`: a decision, its source, and how the product names its events.

Belongs here: the shape, and making it of decisions. Does not belong here: deciding (`classify`).
"""

from __future__ import annotations

import polars as pl

from ocsf_pipeline.classify.decisions import DECISION_SCHEMA
from ocsf_pipeline.classify.event_types import find_event_types

UNKNOWN_SOURCE = "unknown"

_COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    "template_id": pl.String,
    "source": pl.String,  # as in `events`: product, else vendor, else "unknown"
    "event_types": pl.List(pl.String),  # values of the keys that name the event
}
TEMPLATE_ROWS = pl.Schema({**_COLUMNS, **dict(DECISION_SCHEMA)})


def describe_templates(decisions: pl.DataFrame) -> pl.DataFrame:
    """Return rows of TEMPLATE_ROWS from decisions (DECISION_SCHEMA)."""
    event_types = [
        find_event_types(fields or "", raw or "")
        for fields, raw in decisions.select("sample_fields", "sample_raw").iter_rows()
    ]
    filled = [
        pl.when(pl.col(name) != "").then(pl.col(name)).otherwise(None)
        for name in ("product", "vendor")
    ]
    return decisions.with_columns(
        pl.coalesce(*filled, pl.lit(UNKNOWN_SOURCE)).alias("source"),
        pl.Series("event_types", event_types, dtype=pl.List(pl.String)),
    ).select(TEMPLATE_ROWS.names())
