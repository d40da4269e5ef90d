"""Which hours have objects that are new, rewritten or late: what the drop sensor decides.

Belongs here: comparing what lies in the object store with what is normalised, in bounded work.
Does not belong here: Dagster's cursors and run requests (`defs`).

The truth is the manifest of each hour, not a memory of keys: an hour is due when its listing (keys
and versions) differs from what its manifest has in force. So nothing is missed whatever the order
in which objects arrive, and nothing loops: a finished run makes the two equal.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ocsf_pipeline.logs.layout import format_hour_folder, format_partition
from ocsf_pipeline.ports import ObjectRef, ObjectStore
from ocsf_pipeline.steps.logs import list_hours, load_hour

_SWEEP_HOURS = 48
_MAX_HOURS = 400


@dataclass(frozen=True)
class DueHour:
    """An hour whose objects differ from what is normalised of it."""

    hour: datetime
    digest: str
    """Of the listing: equal listings give equal digests."""
    object_count: int


@dataclass
class DropCursor:
    """What the sensor remembers between ticks; losing it costs time, never objects."""

    unsettled: dict[str, str] = field(default_factory=dict)
    """Digest by partition of hours that were still filling when last seen."""
    swept_until: str = ""
    """The last older hour (partition key) that was looked at; older hours are taken in turn."""

    def to_text(self) -> str:
        """Return the cursor as Dagster keeps it."""
        return json.dumps({"unsettled": self.unsettled, "swept_until": self.swept_until})

    @classmethod
    def from_text(cls, text: str | None) -> DropCursor:
        """Read a cursor; anything unreadable is an empty one."""
        try:
            document: dict[str, Any] = json.loads(text or "{}")
            return cls(dict(document.get("unsettled", {})), str(document.get("swept_until", "")))
        except (json.JSONDecodeError, AttributeError, TypeError, ValueError):
            return cls()


def find_due_hours(
    objects: ObjectStore,
    artefacts: ObjectStore,
    cursor: DropCursor,
    now: datetime,
    *,
    prefix: str = "",
    window_hours: int = 72,
    settle_seconds: int = 20,
) -> tuple[list[DueHour], DropCursor]:
    """Return the hours to (re)materialise and the next cursor.

    Looks at the hours of the window and at some older ones in turn, so that a late object is found
    whatever its hour. An hour whose newest object is younger than `settle_seconds` waits until a
    later tick finds its listing unchanged: clocks need not agree.
    """
    hours = list_hours(objects, prefix)
    recent_from = now - timedelta(hours=window_hours)
    recent = [hour for hour in hours if hour >= recent_from]
    older = [hour for hour in hours if hour < recent_from]
    turn = _take_turn(older, cursor.swept_until)
    due: list[DueHour] = []
    unsettled: dict[str, str] = {}
    for hour in [*recent, *turn][-_MAX_HOURS:]:
        refs = list(objects.list_objects(format_hour_folder(prefix, hour)))
        digest = digest_listing((ref.key, ref.version) for ref in refs)
        held = load_hour(artefacts, hour).objects
        if digest == digest_listing((item.key, item.version) for item in held):
            continue
        partition = format_partition(hour)
        if _is_settled(refs, now, settle_seconds) or cursor.unsettled.get(partition) == digest:
            due.append(DueHour(hour, digest, len(refs)))
        else:
            unsettled[partition] = digest
    swept = format_partition(turn[-1]) if turn else ""
    return due, DropCursor(unsettled, swept)


def digest_listing(entries: Iterable[tuple[str, str]]) -> str:
    """Return a digest of (key, version) pairs in any order; '' for none."""
    ordered = sorted(entries)
    if not ordered:
        return ""
    return hashlib.sha256(json.dumps(ordered).encode()).hexdigest()[:16]


def _take_turn(older: Sequence[datetime], swept_until: str) -> list[datetime]:
    """Return the next older hours after the last ones looked at, starting over at the end."""
    after = [hour for hour in older if format_partition(hour) > swept_until]
    return (after or list(older))[:_SWEEP_HOURS]


def _is_settled(refs: Sequence[ObjectRef], now: datetime, settle_seconds: int) -> bool:
    newest = max((ref.last_modified for ref in refs), default=None)
    return newest is None or (now - newest).total_seconds() >= settle_seconds
