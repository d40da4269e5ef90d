"""Which hours have objects that are new, rewritten or late: what the drop sensor decides.

Belongs here: comparing what lies in the object store with what the tables hold, in bounded work per
tick. Does not belong here: Dagster's cursors and run requests (`defs`), when to look at which hour
(`drop_schedule`).

The truth is the record that each written hour leaves (`listings`), not a memory of keys: an hour is
due when its listing (keys and versions) differs from it. So nothing is missed whatever the order in
which objects arrive, and nothing loops: a finished run makes the two equal. No clock but the
sensor's own is trusted: an hour is quiet when two looks at it, some time apart, saw the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from ocsf_pipeline.logs.layout import (
    format_hour_folder,
    format_partition,
    parse_hour,
    parse_partition,
)
from ocsf_pipeline.ports import ObjectRef, ObjectStore, PortError, TransientPortError
from ocsf_pipeline.steps.batches import load_hour
from ocsf_pipeline.steps.drop_schedule import (
    DropCursor,
    Watched,
    floor_hour,
    list_crossed,
    list_newest,
)
from ocsf_pipeline.steps.listings import digest_listing, read_listing

_PAGE = 1_000
_RETRY_SECONDS = 300.0  # after a listing that failed
_FAILURE_PAGES = 25  # what it counts for: it may have taken a minute of trying
_LONGEST_DELAY = 86_400.0


@dataclass(frozen=True)
class DropOptions:
    """Bounds and patience of the sensor."""

    prefix: str = ""
    window_hours: int = 72
    """Objects deleted from younger hours take their events with them; from older ones they do not:
    that is a bucket's retention at work."""
    settle_seconds: float = 30.0
    """An hour is requested when its listing has not changed for so long …"""
    max_wait_seconds: float = 900.0
    """… or when it has differed for so long, still filling or not."""
    pages_per_tick: int = 300
    """Requests to the object store after which a tick stops looking."""
    max_watched: int = 300
    max_requests: int = 50
    earliest: datetime = datetime(2025, 1, 1, tzinfo=UTC)
    """Older hours are no partitions."""


@dataclass(frozen=True)
class Attempts:
    """Finished runs that one listing of an hour had."""

    count: int = 0
    last_ended: datetime | None = None


class RunHistory(Protocol):
    """What the sensor asks about runs."""

    def list_busy_hours(self) -> set[datetime]:
        """Return the hours that a run is queued or under way for."""
        ...

    def count_attempts(self, digests: Sequence[str]) -> Mapping[str, Attempts]:
        """Return the finished runs by the digest of the listing they were requested for."""
        ...


@dataclass(frozen=True)
class DueHour:
    """An hour whose objects differ from what the tables hold, to be requested now."""

    hour: datetime
    digest: str
    """Of the listing: equal listings give equal digests."""
    object_count: int
    attempt: int = 0
    """How many runs of this very listing there were before."""


@dataclass
class DropTick:
    """What one tick of the sensor found."""

    due: list[DueHour]
    cursor: DropCursor
    looked_count: int = 0
    object_count: int = 0
    page_count: int = 0
    """Requests to object storage; a listing that failed counts for many."""
    failures: dict[str, str] = field(default_factory=dict)
    """By partition: hours whose listing failed, and why."""
    days_outside: list[str] = field(default_factory=list)
    """Folders of days that no partition covers: in the future, or before the first partition."""


def find_due_hours(
    objects: ObjectStore,
    artefacts: ObjectStore,
    runs: RunHistory,
    cursor: DropCursor,
    now: datetime,
    options: DropOptions,
) -> DropTick:
    """Look at the hours whose turn it is; return those to request, and the next cursor.

    Raises PortError when the store cannot be listed at all: the cursor stays as it was.
    """
    return _Tick(objects, artefacts, runs, cursor, now, options).run()


def delay_attempt(count: int) -> float:
    """Return the seconds to wait after `count` runs of one listing that did not help."""
    return float(min(60.0 * 4.0 ** (count - 1), _LONGEST_DELAY))


class _Tick:
    """One tick; its fields are what all its parts share."""

    def __init__(
        self,
        objects: ObjectStore,
        artefacts: ObjectStore,
        runs: RunHistory,
        cursor: DropCursor,
        now: datetime,
        options: DropOptions,
    ) -> None:
        self._objects, self._artefacts, self._runs = objects, artefacts, runs
        self._now, self._seconds, self._options = now, now.timestamp(), options
        is_ahead = (cursor.looked_until or 0.0) > self._seconds + _RETRY_SECONDS
        # A clock that was set back: what was looked at "in the future" is looked at again.
        self._cursor = DropCursor() if is_ahead else cursor
        self._watched = {name: replace(item) for name, item in self._cursor.watched.items()}
        self._busy = runs.list_busy_hours()
        self._seen: set[datetime] = set()
        self._ready: list[DueHour] = []
        self._tick = DropTick([], cursor)

    def run(self) -> DropTick:
        days = self._list_days()
        for hour in list_newest(self._now):
            self._visit(hour)
        for name, item in sorted(self._watched.items(), key=lambda pair: pair[1].look_at):
            if item.look_at > self._seconds or self._is_spent():
                break
            self._visit(parse_partition(name))
        sweep = self._sweep(days)
        self._tick.due = self._choose()
        self._forget_surplus()
        sweep.watched = self._watched
        self._tick.cursor = sweep
        return self._tick

    def _list_days(self) -> list[datetime]:
        """Return the days that may have hours: those with a folder, and those of the window."""
        today = floor_hour(self._now).replace(hour=0)
        window = self._options.window_hours // 24 + 2
        days = {today - timedelta(days=number) for number in range(window)}
        self._tick.page_count += 1
        start = f"{self._options.prefix.strip('/')}/" if self._options.prefix.strip("/") else ""
        for name in self._objects.list_folders(self._options.prefix):
            day = parse_hour(f"{start}{name}/hour=00/object")
            if day is None:
                continue
            if self._options.earliest.replace(hour=0) <= day <= today:
                days.add(day)
            else:
                self._tick.days_outside.append(name)
        return [day for day in days if day + timedelta(days=1) > self._options.earliest]

    def _sweep(self, days: Sequence[datetime]) -> DropCursor:
        """Do the looks that are due by age, as far as the tick's work reaches."""
        cursor = self._cursor
        until = cursor.sweep_until if cursor.sweep_until is not None else self._seconds
        start = cursor.sweep_next if cursor.sweep_until is not None else ""
        for hour in list_crossed(days, cursor.looked_until, until, start):
            is_full = len(self._watched) >= self._options.max_watched
            if self._is_spent() or (is_full and format_partition(hour) not in self._watched):
                return DropCursor(cursor.looked_until, until, format_partition(hour))
            self._visit(hour)
        return DropCursor(until)

    def _is_spent(self) -> bool:
        return self._tick.page_count >= self._options.pages_per_tick

    def _visit(self, hour: datetime) -> None:
        """Look at an hour, unless that was done or a run of it is about to change it."""
        if hour in self._seen or hour < self._options.earliest:
            return
        self._seen.add(hour)
        partition = format_partition(hour)
        if hour in self._busy:
            # What arrives meanwhile is compared when the run has ended.
            self._watch(partition, Watched("", self._seconds, self._seconds, self._seconds))
            return
        try:
            folder = format_hour_folder(self._options.prefix, hour)
            refs = list(self._objects.list_objects(folder))
        except PortError as error:
            if isinstance(error, TransientPortError) and not self._tick.looked_count:
                raise
            self._tick.failures[partition] = str(error)
            self._tick.page_count += _FAILURE_PAGES
            retry_at = self._seconds + _RETRY_SECONDS
            self._watch(partition, Watched("", self._seconds, self._seconds, retry_at))
            return
        self._tick.looked_count += 1
        self._tick.object_count += len(refs)
        self._tick.page_count += 2 + len(refs) // _PAGE
        digest = digest_listing((ref.key, ref.version) for ref in refs)
        if self._is_written(hour, refs, digest):
            self._watched.pop(partition, None)
        else:
            self._consider(hour, digest, len(refs))

    def _watch(self, partition: str, item: Watched) -> None:
        """Keep what is known of an hour, or begin to."""
        known = self._watched.setdefault(partition, item)
        known.look_at = item.look_at

    def _is_written(self, hour: datetime, refs: Sequence[ObjectRef], digest: str) -> bool:
        """Whether the tables hold what is listed, or more of an hour that retention empties."""
        written = read_listing(self._artefacts, hour)
        if digest == (written or ""):
            return True
        window = timedelta(hours=self._options.window_hours)
        if written is None or self._now - hour <= window:
            return False
        held = {(item.key, item.version) for item in load_hour(self._artefacts, hour).objects}
        listed = {(ref.key, ref.version) for ref in refs}
        return listed <= held and digest_listing(held) == written

    def _consider(self, hour: datetime, digest: str, count: int) -> None:
        """Watch an hour that differs; it is ready when it is quiet, or has waited long enough."""
        now = self._seconds
        digest = digest or f"nothing-{format_partition(hour)}"
        item = self._watched.setdefault(format_partition(hour), Watched(digest, now, now, now))
        if item.digest != digest:
            item.digest, item.changed = digest, now
        item.look_at = now
        is_quiet = now - item.changed >= self._options.settle_seconds
        if is_quiet or now - item.since >= self._options.max_wait_seconds:
            self._ready.append(DueHour(hour, digest, count))

    def _choose(self) -> list[DueHour]:
        """Return what is requested now: what was tried in vain waits longer each time."""
        attempts = self._runs.count_attempts([item.digest for item in self._ready])
        chosen: list[DueHour] = []
        for item in self._ready:
            if len(chosen) + len(self._busy) >= 4 * self._options.max_requests:
                break
            tried = attempts.get(item.digest, Attempts())
            watched = self._watched[format_partition(item.hour)]
            wait_until = 0.0
            if tried.count and tried.last_ended is not None:
                wait_until = tried.last_ended.timestamp() + delay_attempt(tried.count)
            if wait_until > self._seconds:
                watched.look_at = wait_until
            elif len(chosen) < self._options.max_requests:
                watched.since = self._seconds
                chosen.append(DueHour(item.hour, item.digest, item.object_count, tried.count))
        return chosen

    def _forget_surplus(self) -> None:
        """Make room among the watched: those that wait longest come back by their age."""
        surplus = len(self._watched) - self._options.max_watched * 3 // 4
        if surplus <= 0:
            return
        patient = sorted(self._watched, key=lambda name: -self._watched[name].look_at)
        for name in patient[:surplus]:
            if self._watched[name].look_at > self._seconds + 2 * _RETRY_SECONDS:
                del self._watched[name]
