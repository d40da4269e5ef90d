"""Analysts' overrides: preview, apply, undo, list. What the command line and a user interface call.

Belongs here: finding what a request covers, counting what it would change, appending rows. Does not
belong here: how overrides show (`tables.views`), what is learned from them (`steps.corrections`).

    request = OverrideRequest("template", 3002, "ana@example.org", "a logon", 1, template_id="…")
    preview_override(tables, schema, request)      # how many past events change, and from what
    apply_override(tables, artefacts, schema, request)
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from ocsf_pipeline.classify.event_types import find_event_types
from ocsf_pipeline.ports import EventTables, ObjectStore
from ocsf_pipeline.schema.model import OcsfSchema
from ocsf_pipeline.steps.artefacts import read_json, write_json
from ocsf_pipeline.tables.override_requests import (
    OverrideError,
    OverrideRequest,
    build_override,
    build_undo,
    check_request,
)
from ocsf_pipeline.tables.overrides import OVERRIDE_SCHEMA
from ocsf_pipeline.tables.views import ACTIVE_OVERRIDES, select_current_events

_LATEST = "overrides/latest.json"
_ID_BYTES = 8


@dataclass(frozen=True)
class OverridePreview:
    """What an override would change in the events that are there."""

    request: OverrideRequest
    class_name: str
    activity_name: str
    template_ids: tuple[str, ...]
    """Templates that it covers now; none with scope event."""
    changed_count: int
    """Past events whose class, activity or status it changes in the views."""
    unchanged_count: int
    """Past events that it covers and that keep what they show: they say the same already, or an
    override that counts for more is in force."""
    hour_count: int
    """Hours of arrival that hold changed events."""
    before: tuple[tuple[str, str, str, int], ...]
    """(class, activity, status, events) as changed events show now, most frequent first."""
    sample_raw: str
    """One log that it is about."""


@dataclass(frozen=True)
class AppliedOverride:
    """An override in force."""

    override_id: str
    preview: OverridePreview


def preview_override(
    tables: EventTables, schema: OcsfSchema, request: OverrideRequest
) -> OverridePreview:
    """Return what `request` would change; nothing is written.

    Raises OverrideError when it is about nothing that the tables hold, or is no valid request.
    """
    checked = check_request(request, schema)
    with tables:
        tables.migrate_tables()
        template_ids = _find_templates(tables, checked)
        return _count_changes(tables, schema, checked, template_ids)


def apply_override(
    tables: EventTables,
    artefacts: ObjectStore,
    schema: OcsfSchema,
    request: OverrideRequest,
    now: datetime | None = None,
) -> AppliedOverride:
    """Put `request` in force: the views show it at once, and it is learned from.

    Raises OverrideError as `preview_override` does.
    """
    created_at = now or datetime.now(UTC)
    override_id = secrets.token_hex(_ID_BYTES)
    with tables:
        preview = preview_override(tables, schema, request)
        row = build_override(preview.request, schema, preview.template_ids, override_id, created_at)
        tables.append_overrides(row)
    _announce(artefacts, override_id, created_at)
    return AppliedOverride(override_id, preview)


def undo_override(
    tables: EventTables,
    artefacts: ObjectStore,
    override_id: str,
    author: str,
    reason: str = "",
    now: datetime | None = None,
) -> str:
    """Take an override back by appending a row that says so; return that row's override_id.

    What it had covered shows the next older override, or the machine's decision. Raises
    OverrideError when there is no such override, or it is undone already.
    """
    created_at = now or datetime.now(UTC)
    undo_id = secrets.token_hex(_ID_BYTES)
    with tables:
        found = list_overrides(tables)
        known = found.filter(pl.col("override_id") == override_id)
        if known.is_empty():
            raise OverrideError(f"there is no override {override_id!r}: list them to see the ids")
        if known["undone_by"].item():
            raise OverrideError(
                f"override {override_id} was undone already, by {known['undone_by'].item()}"
            )
        tables.append_overrides(
            build_undo(known.select(OVERRIDE_SCHEMA.names()), undo_id, author, reason, created_at)
        )
    _announce(artefacts, undo_id, created_at)
    return undo_id


def list_overrides(tables: EventTables) -> pl.DataFrame:
    """Return all overrides, newest first, without the rows that undo others.

    Columns of OVERRIDE_SCHEMA, and undone_by: the override_id of the row that undoes it, else ''.
    """
    with tables:
        tables.migrate_tables()
        columns = ", ".join(f"o.{name} AS {name}" for name in OVERRIDE_SCHEMA)
        found = tables.run_query(
            f"SELECT {columns}, u.override_id AS undone_by FROM overrides AS o "  # noqa: S608
            "LEFT ANY JOIN (SELECT undoes, override_id FROM overrides WHERE undoes != '') AS u "
            "ON o.override_id = u.undoes WHERE o.undoes = '' "
            "ORDER BY o.created_at DESC, o.override_id DESC LIMIT 100000"
        )
    return found.cast(dict(OVERRIDE_SCHEMA))  # type: ignore[arg-type]


def read_latest_override(artefacts: ObjectStore) -> tuple[str, datetime] | None:
    """Return (override_id, time) of the newest override or undo, without opening the tables."""
    document = read_json(artefacts, _LATEST)
    if document is None:
        return None
    return str(document["override_id"]), datetime.fromisoformat(document["created_at"])


def _announce(artefacts: ObjectStore, override_id: str, created_at: datetime) -> None:
    """Leave a note for the sensor: an embedded database cannot be watched while it is in use."""
    write_json(
        artefacts, _LATEST, {"override_id": override_id, "created_at": created_at.isoformat()}
    )


def _find_templates(tables: EventTables, request: OverrideRequest) -> tuple[str, ...]:
    """Return the templates that the request covers now. Raises OverrideError when it has none."""
    if request.scope == "event":
        return ()
    if request.scope == "template":
        found = tables.run_query(
            "SELECT count() AS n FROM templates WHERE template_id = {id:String}",
            {"id": request.template_id},
        )
        if not found["n"].item():
            raise OverrideError(
                f"there is no template {request.template_id!r}: `review_queue` and "
                "`current_templates` list them"
            )
        return (request.template_id,)
    return _find_event_type(tables, request)


def _find_event_type(tables: EventTables, request: OverrideRequest) -> tuple[str, ...]:
    known = tables.run_query(
        "SELECT template_id, event_types, sample_fields, sample_raw FROM templates FINAL "
        "WHERE lower(if(product != '', product, if(vendor != '', vendor, 'unknown'))) "
        "= lower({source:String})",
        {"source": request.source},
    )
    if known.is_empty():
        raise OverrideError(
            f"no template is of the product {request.source!r}: `source_health` lists the products"
        )
    wanted = request.event_type.lower()
    met: dict[str, None] = {}
    covered = []
    for template_id, event_types, fields, raw in known.iter_rows():
        # Rows of an earlier version of the table name no event types.
        names = event_types or find_event_types(fields, raw)
        met.update(dict.fromkeys(names))
        if wanted in (name.lower() for name in names):
            covered.append(template_id)
    if not covered:
        some = ", ".join(sorted(met)[:10]) or "none that is named; override a template instead"
        raise OverrideError(
            f"{request.source} has no event type {request.event_type!r}; it has: {some}"
        )
    return tuple(sorted(covered))


def _count_changes(
    tables: EventTables,
    schema: OcsfSchema,
    request: OverrideRequest,
    template_ids: tuple[str, ...],
) -> OverridePreview:
    event_class = schema.get_class(request.class_uid)
    by_event = request.scope == "event"
    covered = (
        "event_uid = {event_uid:String}" if by_event else "has({ids:Array(String)}, template_id)"
    )
    # What an override of this scope does not reach: events, or templates, with one that counts
    # for more.
    stronger = {
        "event": "0",
        "template": f"event_uid IN ({_overridden('event')})",
        "event_type": f"event_uid IN ({_overridden('event')}) "
        f"OR template_id IN ({_overridden('template', 'template')})",
    }[request.scope]
    counted = tables.run_query(
        "SELECT class_name, activity_name, status, "  # noqa: S608
        f"({stronger}) OR (status = 'overridden' AND class_uid = {{class_uid:UInt32}} "
        "AND activity_id = {activity_id:Int32}) AS is_kept, "
        "count() AS events, groupUniqArray(hour) AS hours, any(raw_data) AS sample "
        f"FROM ({select_current_events()}) WHERE {covered} "
        "GROUP BY class_name, activity_name, status, is_kept ORDER BY events DESC, class_name",
        {
            "event_uid": request.event_uid,
            "ids": list(template_ids),
            "class_uid": request.class_uid,
            "activity_id": request.activity_id,
        },
    )
    if by_event and counted.is_empty():
        raise OverrideError(f"there is no event {request.event_uid!r} in the tables")
    changed = counted.filter(pl.col("is_kept") == 0)
    before = changed.select("class_name", "activity_name", "status", "events").rows()
    return OverridePreview(
        request=request,
        class_name=event_class.caption,
        activity_name=event_class.activities[request.activity_id].caption,
        template_ids=template_ids,
        changed_count=int(changed["events"].sum()),
        unchanged_count=int(counted["events"].sum()) - int(changed["events"].sum()),
        hour_count=len(set(changed["hours"].explode().drop_nulls().to_list())),
        before=tuple(before),
        sample_raw=str(counted["sample"][0]) if len(counted) else "",
    )


def _overridden(kind: str, scope: str = "") -> str:
    narrowed = f" AND scope = '{scope}'" if scope else ""
    return f"SELECT key FROM ({ACTIVE_OVERRIDES}) WHERE kind = '{kind}'{narrowed}"  # noqa: S608


__all__ = [
    "AppliedOverride", "OverrideError", "OverridePreview", "OverrideRequest", "apply_override",
    "list_overrides", "preview_override", "read_latest_override", "undo_override",
]  # fmt: skip
