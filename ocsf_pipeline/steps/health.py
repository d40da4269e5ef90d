"""Looking at the tables for what people should know, and telling them once.

Belongs here: the queries, what was told already, the texts of messages. Does not belong here:
judging counts (`tables.health`), messengers (adapters), Dagster's runs (`defs`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ocsf_pipeline.ports import EventTables, Notifier
from ocsf_pipeline.tables.health import (
    COUNTS_BY_CLASS,
    COUNTS_BY_SOURCE,
    HISTORY_HOURS,
    NEWEST_HOUR,
    Alert,
    find_silent_sources,
    find_unusual_classes,
    show,
    tell_standstill,
)

_HOUR = timedelta(hours=1)
_STANDSTILL = timedelta(hours=4)
_MAX_TOLD = 500
_MAX_LINES = 20
_MAX_ERROR_CHARS = 300


@dataclass
class HealthCursor:
    """What was judged and told; losing it repeats some messages."""

    judged: str = ""
    """The newest hour that was judged, as text."""
    told: dict[str, str] = field(default_factory=dict)
    """Titles of alerts in force, by key."""

    def to_text(self) -> str:
        """Return the cursor as Dagster keeps it."""
        return json.dumps({"judged": self.judged, "told": self.told})

    @classmethod
    def from_text(cls, text: str | None) -> HealthCursor:
        """Read a cursor; anything unreadable is an empty one."""
        try:
            document = json.loads(text or "{}")
            return cls(str(document.get("judged", "")), dict(document.get("told", {})))
        except (json.JSONDecodeError, AttributeError, TypeError, ValueError):
            return cls()


def watch_health(
    tables: EventTables, notifier: Notifier, cursor: HealthCursor, now: datetime
) -> tuple[list[Alert], HealthCursor]:
    """Judge the newest whole hour, tell what is new and what is over; return both.

    An hour is judged once; until the next one is written only a standstill can be news. Raises
    PortError when the tables or the messenger cannot be reached: then nothing counts as told.
    """
    with tables:
        newest = _find_newest(tables)
        if newest is None:
            return [], cursor
        # The newest may be filling still: the one before is whole.
        hour = newest if now - newest >= 2 * _HOUR else newest - _HOUR
        stamp = f"{hour:%Y-%m-%d %H}"
        is_judged = stamp == cursor.judged
        alerts = [] if is_judged else _judge(tables, hour)
    if now - newest > _STANDSTILL:
        alerts.append(tell_standstill(newest, now))
    kept = cursor.told if is_judged else {}
    told = {**kept, **{alert.key: alert.title for alert in alerts[:_MAX_TOLD]}}
    if now - newest <= _STANDSTILL:
        told.pop("standstill", None)
    new = [alert for alert in alerts if alert.key not in cursor.told]
    over = [title for key, title in cursor.told.items() if key not in told]
    if new or over:
        notifier.send_message(*write_health(new, over))
    return new, HealthCursor(stamp, told)


def _find_newest(tables: EventTables) -> datetime | None:
    row = tables.run_query(NEWEST_HOUR).row(0, named=True)
    return row["hour"] if row["n"] else None


def _judge(tables: EventTables, hour: datetime) -> list[Alert]:
    span = {"start": hour - HISTORY_HOURS * _HOUR, "end": hour}
    return [
        *find_silent_sources(tables.run_query(COUNTS_BY_SOURCE, span), hour),
        *find_unusual_classes(tables.run_query(COUNTS_BY_CLASS, span), hour),
    ]


def write_health(new: Sequence[Alert], over: Sequence[str]) -> tuple[str, str]:
    """Return title and text of one message about all that changed."""
    parts = [f"{alert.title}\n{alert.text}\n{alert.query}" for alert in new[:_MAX_LINES]]
    if len(new) > _MAX_LINES:
        parts.append(f"… and {len(new) - _MAX_LINES} more")
    parts += [f"Over: {title}" for title in over[:_MAX_LINES]]
    title = new[0].title if len(new) == 1 else f"{len(new)} alerts, {len(over)} over"
    return f"ocsf_pipeline: {title}", "\n\n".join(parts)


@dataclass(frozen=True)
class FailedRun:
    """A run that failed, in words."""

    run_id: str
    job: str
    partition: str
    error: str


def write_failures(failed: Sequence[FailedRun]) -> tuple[str, str]:
    """Return title and text of one message about all of them, alike errors together."""
    groups: dict[tuple[str, str], list[FailedRun]] = {}
    for run in failed:
        groups.setdefault((run.job, run.error[:_MAX_ERROR_CHARS]), []).append(run)
    parts = []
    for (job, error), runs in list(groups.items())[:_MAX_LINES]:
        places = ", ".join(run.partition or run.run_id[:8] for run in runs[:5])
        more = f" and {len(runs) - 5} more" if len(runs) > 5 else ""
        parts.append(f"{show(job)} ({places}{more}):\n{_flatten(error)}")
    if len(groups) > _MAX_LINES:
        parts.append(f"… and {len(groups) - _MAX_LINES} other errors")
    noun = "run" if len(failed) == 1 else "runs"
    return f"ocsf_pipeline: {len(failed)} {noun} failed", "\n\n".join(parts)


def _flatten(error: str) -> str:
    """Return an error in one line of plain characters: it may quote a log."""
    words = " ".join(error.split())
    return "".join(char if char.isprintable() and char not in "<>@`" else "?" for char in words)
