"""`ocsf-pipeline override`: analysts' decisions from the command line.

Belongs here: showing previews and lists, asking before writing. Does not belong here: what an
override is and does (`steps.overrides`).
"""

from __future__ import annotations

import json
from dataclasses import asdict

import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ocsf_pipeline import opening
from ocsf_pipeline.commands.common import CommandError
from ocsf_pipeline.commands.query import require_tables
from ocsf_pipeline.schema.model import OcsfSchema
from ocsf_pipeline.settings import Settings
from ocsf_pipeline.steps.overrides import (
    OverrideError,
    OverridePreview,
    OverrideRequest,
    apply_override,
    list_overrides,
    preview_override,
    undo_override,
)
from ocsf_pipeline.steps.schema import load_schema
from ocsf_pipeline.tables.override_requests import Scope, resolve_activity, resolve_class

_SAMPLE_CHARS = 300


def make_request(
    settings: Settings,
    scope: Scope,
    target: tuple[str, ...],
    class_name: str,
    activity: str,
    author: str,
    reason: str,
) -> OverrideRequest:
    """Return the request of what was typed. Raises CommandError for an unknown class or activity.

    `target` is the event's uid, the template's id, or the product and its event type.
    """
    schema = _load_schema(settings)
    names = {"event": ("event_uid",), "template": ("template_id",)}.get(
        scope, ("source", "event_type")
    )
    try:
        event_class = resolve_class(schema, class_name)
        activity_id = resolve_activity(event_class, activity or "0")
    except OverrideError as error:
        raise CommandError(str(error), 2) from error
    return OverrideRequest(
        scope=scope,
        class_uid=event_class.uid,
        author=author,
        reason=reason,
        activity_id=activity_id,
        **dict(zip(names, target, strict=True)),
    )


def preview(settings: Settings, request: OverrideRequest) -> OverridePreview:
    """Return what the request would change. Raises CommandError when it is about nothing."""
    require_tables(settings)
    try:
        return preview_override(opening.open_tables(settings), _load_schema(settings), request)
    except OverrideError as error:
        raise CommandError(str(error)) from error


def apply(settings: Settings, request: OverrideRequest) -> str:
    """Put the request in force; return the override's id."""
    try:
        return apply_override(
            opening.open_tables(settings),
            opening.open_artefacts(settings),
            _load_schema(settings),
            request,
        ).override_id
    except OverrideError as error:
        raise CommandError(str(error)) from error


def undo(settings: Settings, override_id: str, author: str, reason: str) -> str:
    """Take an override back; return the id of the row that says so."""
    require_tables(settings)
    try:
        return undo_override(
            opening.open_tables(settings),
            opening.open_artefacts(settings),
            override_id,
            author,
            reason,
        )
    except OverrideError as error:
        raise CommandError(str(error)) from error


def read_all(settings: Settings) -> pl.DataFrame:
    """Return all overrides, newest first."""
    require_tables(settings)
    return list_overrides(opening.open_tables(settings))


def format_preview(found: OverridePreview, override_id: str | None) -> str:
    """Return a preview as one JSON object; `override_id` is null unless it was applied."""
    return json.dumps({"override_id": override_id, **asdict(found)}, default=str)


def format_list(frame: pl.DataFrame) -> list[str]:
    """Return overrides as JSON Lines."""
    return [json.dumps(row, default=str) for row in frame.iter_rows(named=True)]


def show_preview(found: OverridePreview, console: Console) -> None:
    """Print what would change, and one log that it is about."""
    after = f"{found.class_name}: {found.activity_name}"
    title = f"{found.changed_count:,} past events in {found.hour_count:,} hours would change"
    table = Table("shows now", "status", "events", "would show", title=title)
    for class_name, activity_name, status, count in found.before:
        table.add_row(f"{class_name}: {activity_name}", status, f"{count:,}", after)
    console.print(table)
    if found.unchanged_count:
        console.print(f"{found.unchanged_count:,} further events that it covers stay as they are")
    if found.template_ids:
        console.print(f"templates: {len(found.template_ids):,}")
    if found.sample_raw:
        console.print(f"for example: {escape(found.sample_raw[:_SAMPLE_CHARS])}", highlight=False)


def show_list(frame: pl.DataFrame, console: Console) -> None:
    """Print overrides, newest first."""
    table = Table("id", "when", "who", "about", "says", "why", "state")
    for row in frame.iter_rows(named=True):
        about = {
            "event": f"event {row['event_uid']}",
            "template": f"template {', '.join(row['template_ids'])}",
        }.get(row["scope"], f"{row['source']}: {row['event_type']}")
        says = f"{row['class_name']}: {row['activity_name']}"
        when = f"{row['created_at']:%Y-%m-%d %H:%M}"
        state = "undone" if row["undone_by"] else "in force"
        cells = (row["override_id"], when, row["author"], about, says, row["reason"], state)
        table.add_row(*(escape(str(cell)) for cell in cells))
    console.print(table)
    console.print(f"{len(frame):,} overrides")


def _load_schema(settings: Settings) -> OcsfSchema:
    return load_schema(opening.open_artefacts(settings))
