"""When the drop sensor looks at which hour, and what it remembers between ticks.

Belongs here: the cursor and the order of looking. Does not belong here: listing and comparing
(`drops`).

The running hour and the one before are looked at on every tick. Any other hour is looked at each
time that its age has grown by a twentieth since the last look: an hour that ended 2 hours ago every
6 minutes, one of last month every 36 hours. So an object that comes L late is found within L/20,
however large L, and the hours to look at per tick grow with the logarithm of the archive. Nothing
has to be remembered for it but the time of the last tick.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ocsf_pipeline.logs.layout import format_partition, parse_partition

HOUR = timedelta(hours=1)
GROWTH = 0.05
"""An hour is looked at again when its age has grown by this share."""
_SECONDS = 3_600
_YEARS = 40
# Ages in whole seconds, so that no rounding lets an hour slip between two ticks.
_STEPS = tuple(
    round(_SECONDS * (1 + GROWTH) ** number)
    for number in range(math.ceil(math.log(_YEARS * 24 * 366) / math.log1p(GROWTH)))
)


@dataclass
class Watched:
    """An hour that differs from the tables, and what is known of it. Times: seconds since 1970."""

    digest: str
    since: float
    """When it was first seen to differ, or last requested."""
    changed: float
    """When its listing was last seen to change."""
    look_at: float
    """Not to be looked at before."""


@dataclass
class DropCursor:
    """What the sensor remembers between ticks; losing it costs time, never objects."""

    looked_until: float | None = None
    """Every look that was due until then is done; None when nothing was looked at yet."""
    sweep_until: float | None = None
    """The time up to which the sweep in progress does the looks that are due."""
    sweep_next: str = ""
    """The hour (partition key) where it goes on, towards older ones; '' for the newest."""
    watched: dict[str, Watched] = field(default_factory=dict)
    """By partition key."""

    def to_text(self) -> str:
        """Return the cursor as Dagster keeps it."""
        watched = {
            name: [item.digest, int(item.since), int(item.changed), int(item.look_at)]
            for name, item in self.watched.items()
        }
        document = {
            "looked_until": self.looked_until,
            "sweep_until": self.sweep_until,
            "sweep_next": self.sweep_next,
            "watched": watched,
        }
        return json.dumps(document, separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str | None) -> DropCursor:
        """Read a cursor; anything unreadable is an empty one."""
        try:
            document: dict[str, Any] = json.loads(text or "{}")
            for name in document.get("watched", {}):
                parse_partition(name)
            return cls(
                _optional(document.get("looked_until")),
                _optional(document.get("sweep_until")),
                str(document.get("sweep_next", "")),
                {
                    name: Watched(str(item[0]), *(float(value) for value in item[1:4]))
                    for name, item in document.get("watched", {}).items()
                },
            )
        except (json.JSONDecodeError, AttributeError, IndexError, TypeError, ValueError):
            return cls()


def _optional(value: object) -> float | None:
    return None if value is None else float(str(value))


def floor_hour(now: datetime) -> datetime:
    """Return the start of the hour of `now`, UTC."""
    return now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def list_newest(now: datetime) -> list[datetime]:
    """Return the hours that are looked at on every tick."""
    return [floor_hour(now), floor_hour(now) - HOUR]


def list_crossed(
    days: Collection[datetime], since: float | None, until: float, start: str = ""
) -> list[datetime]:
    """Return the hours of `days` to look at because of their age, newest first, from `start` on.

    Those whose age has passed a step between `since` (None: never looked at) and `until`.
    """
    if since is None or until - since > _SECONDS * 24:
        hours = _list_by_hour(days, since, until)
    else:
        hours = _list_by_step(days, since, until)
    ordered = sorted(hours, reverse=True)
    return [hour for hour in ordered if not start or format_partition(hour) <= start]


def _list_by_hour(
    days: Collection[datetime], since: float | None, until: float
) -> Iterator[datetime]:
    """For many hours, as at the start: ask each whether it has passed a step."""
    for hour in (day + number * HOUR for day in days for number in range(24)):
        ended = hour.timestamp() + _SECONDS
        passed = bisect_right(_STEPS, until - ended) - 1
        if passed >= 0 and (since is None or since - ended < _STEPS[passed]):
            yield hour


def _list_by_step(days: Collection[datetime], since: float, until: float) -> Iterator[datetime]:
    """For a short time, whatever the size of the archive: ask each step which hour passes it."""
    known = set(days)
    found = set()
    oldest = min(days).timestamp() if days else until
    for step in _STEPS[: bisect_right(_STEPS, until - oldest)]:
        ended = math.floor((since - step) / _SECONDS) * _SECONDS + _SECONDS
        while ended <= until - step:
            found.add(datetime.fromtimestamp(ended - _SECONDS, UTC))
            ended += _SECONDS
    return (hour for hour in found if hour.replace(hour=0) in known)
