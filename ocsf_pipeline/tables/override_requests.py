"""What an analyst asks for, checked against the schema, and the rows of `overrides` it becomes.

Belongs here: requests, naming classes and activities as people do, building rows. Does not belong
here: finding what a request covers, previews, writing (`steps.overrides`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

import polars as pl

from ocsf_pipeline.schema.model import EventClass, OcsfSchema
from ocsf_pipeline.tables.overrides import OVERRIDE_SCHEMA

Scope = Literal["event", "template", "event_type"]

_MAX_TEXT = 2_000


class OverrideError(ValueError):
    """An override that cannot be made; the message says what to change."""


@dataclass(frozen=True)
class OverrideRequest:
    """One analyst's decision: what it is about, what is right, who says so and why."""

    scope: Scope
    class_uid: int
    author: str
    reason: str
    activity_id: int = 0
    """0, Unknown, is allowed; 99 is Other."""
    event_uid: str = ""
    """With scope event."""
    template_id: str = ""
    """With scope template."""
    source: str = ""
    """With scope event_type: the product, as `events.source` has it."""
    event_type: str = ""
    """With scope event_type: how the product names the event, e.g. `user.session.start`."""


def check_request(request: OverrideRequest, schema: OcsfSchema) -> OverrideRequest:
    """Return the request without surrounding spaces.

    Raises OverrideError when something lacks, or when the schema has no such class or activity.
    """
    texts = ("author", "reason", "event_uid", "template_id", "source", "event_type")
    checked = replace(request, **{name: getattr(request, name).strip() for name in texts})
    needed = {
        "event": ("event_uid",),
        "template": ("template_id",),
        "event_type": ("source", "event_type"),
    }
    for name in ("author", "reason", *needed[request.scope]):
        text = getattr(checked, name)
        if not text:
            raise OverrideError(f"an override of scope {request.scope} needs {name!r}")
        if len(text) > _MAX_TEXT:
            raise OverrideError(f"{name!r} is longer than {_MAX_TEXT} characters: shorten it")
    event_class = schema.find_class(request.class_uid)
    if event_class is None or event_class.is_deprecated:
        raise OverrideError(
            f"OCSF {schema.version} has no class {request.class_uid} that may be used: choose "
            "another"
        )
    if request.activity_id not in event_class.activities:
        raise OverrideError(_explain_activities(event_class, str(request.activity_id)))
    return checked


def resolve_class(schema: OcsfSchema, text: str) -> EventClass:
    """Return the live class that `text` names: uid, name or caption, in any case.

    Raises OverrideError with the likely ones when none does.
    """
    wanted = _fold(text)
    for item in schema.live_classes:
        if wanted in (str(item.uid), _fold(item.name), _fold(item.key), _fold(item.caption)):
            return item
    near = [item.name for item in schema.live_classes if wanted[:4] and wanted[:4] in item.name]
    hint = f"; did you mean {', '.join(near[:5])}?" if near else ""
    raise OverrideError(f"OCSF {schema.version} has no class {text!r}{hint}")


def resolve_activity(event_class: EventClass, text: str) -> int:
    """Return the activity_id that `text` names: id or caption. Raises OverrideError."""
    wanted = _fold(text)
    for activity_id, meaning in event_class.activities.items():
        if wanted in (str(activity_id), _fold(meaning.caption)):
            return activity_id
    raise OverrideError(_explain_activities(event_class, text))


def build_override(
    request: OverrideRequest,
    schema: OcsfSchema,
    template_ids: Sequence[str],
    override_id: str,
    created_at: datetime,
) -> pl.DataFrame:
    """Return the row (OVERRIDE_SCHEMA) of a checked request that covers `template_ids` now."""
    event_class = schema.get_class(request.class_uid)
    row = {
        "override_id": override_id,
        "created_at": created_at,
        "scope": request.scope,
        "event_uid": request.event_uid,
        "template_ids": sorted(template_ids),
        "source": request.source,
        "event_type": request.event_type,
        "class_uid": event_class.uid,
        "class_name": event_class.caption,
        "category_uid": event_class.category_uid,
        "category_name": event_class.category_name,
        "activity_id": request.activity_id,
        "activity_name": event_class.activities[request.activity_id].caption,
        "type_uid": event_class.uid * 100 + request.activity_id,
        "author": request.author,
        "reason": request.reason,
        "undoes": "",
    }
    return pl.DataFrame([row], schema=OVERRIDE_SCHEMA)


def build_undo(
    undone: pl.DataFrame, override_id: str, author: str, reason: str, created_at: datetime
) -> pl.DataFrame:
    """Return the row that takes back `undone`, one row of `overrides`."""
    if not author.strip():
        raise OverrideError("an undo needs an author")
    return undone.with_columns(
        pl.col("override_id").alias("undoes"),
        pl.lit(override_id).alias("override_id"),
        pl.lit(created_at).cast(OVERRIDE_SCHEMA["created_at"]).alias("created_at"),
        pl.lit(author.strip()[:_MAX_TEXT]).alias("author"),
        pl.lit(reason.strip()[:_MAX_TEXT]).alias("reason"),
    ).select(OVERRIDE_SCHEMA.names())


def _fold(text: str) -> str:
    return " ".join(text.replace("_", " ").split()).casefold()


def _explain_activities(event_class: EventClass, text: str) -> str:
    known = ", ".join(f"{uid} ({item.caption})" for uid, item in event_class.activities.items())
    return f"{event_class.caption} has no activity {text!r}; it has {known}"
