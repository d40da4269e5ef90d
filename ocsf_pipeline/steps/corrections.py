"""What is learned from analysts: the overrides in force become labelled examples.

Belongs here: reading the logs that overrides cover out of the tables. Does not belong here: making
overrides (`steps.overrides`), training on them (`steps.knowledge`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from ocsf_pipeline.classify.queries import LogQuery, build_query
from ocsf_pipeline.knowledge.corrections import (
    MAX_LOGS_PER_OVERRIDE,
    Correction,
    examples_from_corrections,
)
from ocsf_pipeline.knowledge.examples import LabelledExample
from ocsf_pipeline.ports import EventTables
from ocsf_pipeline.steps.knowledge import build_queries
from ocsf_pipeline.tables.templates import UNKNOWN_SOURCE
from ocsf_pipeline.tables.views import ACTIVE_OVERRIDES

_MAX_CORRECTIONS = 50_000
_COLUMNS = "a.override_id AS override_id, a.class_uid AS class_uid, a.activity_id AS activity_id"
_TEMPLATES = f"""
SELECT {_COLUMNS}, true AS is_template, t.format AS format, t.vendor AS vendor,
    t.product AS product, t.event_types[1] AS event_type, t.sample_fields AS fields,
    t.sample_raw AS raw
FROM (SELECT * FROM ({ACTIVE_OVERRIDES}) WHERE kind = 'template') AS a
INNER JOIN (SELECT * FROM templates FINAL) AS t ON a.key = t.template_id
ORDER BY a.created_at DESC, a.override_id, t.template_id
LIMIT {MAX_LOGS_PER_OVERRIDE} BY override_id
LIMIT {_MAX_CORRECTIONS}
"""  # noqa: S608
# An event keeps no fields of its own: its raw text is read again.
_EVENTS = f"""
SELECT {_COLUMNS}, false AS is_template, e.format AS format, '' AS vendor, e.source AS product,
    '' AS event_type, '' AS fields, e.raw_data AS raw
FROM (SELECT * FROM ({ACTIVE_OVERRIDES}) WHERE kind = 'event') AS a
INNER JOIN
(
    SELECT event_uid, format, source, raw_data FROM events
    WHERE event_uid IN (SELECT event_uid FROM overrides WHERE scope = 'event')
) AS e ON a.key = e.event_uid
ORDER BY a.created_at DESC, a.override_id
LIMIT {_MAX_CORRECTIONS}
"""  # noqa: S608


@dataclass(frozen=True)
class Corrections:
    """What analysts taught."""

    examples: tuple[LabelledExample, ...] = ()
    queries: dict[str, LogQuery] = field(default_factory=dict)
    """By raw text: what each example's log says, read with its product and format."""


def load_corrections(tables: EventTables) -> Corrections:
    """Return the examples that the overrides in force make; those of templates come first."""
    with tables:
        tables.migrate_tables()
        rows = pl.concat(
            [tables.run_query(sql) for sql in (_TEMPLATES, _EVENTS)], how="vertical_relaxed"
        ).to_dicts()
    queries = _build_queries(rows)
    corrections = [
        Correction(
            override_id=row["override_id"],
            class_uid=row["class_uid"],
            activity_id=row["activity_id"],
            product=_known(row["product"]) or row["vendor"],
            event_type=row["event_type"],
            raw=row["raw"],
            query=queries[row["raw"]].text,
        )
        for row in rows
    ]
    return Corrections(tuple(examples_from_corrections(corrections)), queries)


def _build_queries(rows: Sequence[dict[str, Any]]) -> dict[str, LogQuery]:
    """Return the query of each row's raw text: of templates by their fields, as when decided."""
    bare = [row["raw"] for row in rows if not row["is_template"]]
    queries = dict(zip(bare, build_queries(bare), strict=True))
    for row in rows:
        if row["is_template"]:
            queries[row["raw"]] = build_query(
                row["fields"], row["raw"], row["format"], row["vendor"], _known(row["product"])
            )
    return queries


def _known(product: str) -> str:
    return "" if product == UNKNOWN_SOURCE else product
