"""A month of drops, simulated: shippers, an object store, runs, and the sensor's own misfortunes.

Belongs here: the simulation. Does not belong here: what must hold of it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta

from ocsf_pipeline.logs.layout import format_hour_folder, parse_hour
from ocsf_pipeline.ports import ObjectRef, TransientPortError
from ocsf_pipeline.steps.artefacts import write_json
from ocsf_pipeline.steps.batches import ObjectBatch, load_hour
from ocsf_pipeline.steps.drop_schedule import DropCursor, floor_hour
from ocsf_pipeline.steps.drops import Attempts, DropOptions, DropTick, find_due_hours
from ocsf_pipeline.steps.listings import digest_listing, read_listing, record_listing
from ocsf_pipeline_tests.fakes.object_store import FakeObjectStore

START = datetime(2026, 3, 1, tzinfo=UTC)
TICK = timedelta(minutes=10)
HOUR = timedelta(hours=1)


class MonthStore:
    """As much of an object store as the sensor uses, indexed by hour; its listing may lag."""

    def __init__(self) -> None:
        self.hours: dict[str, dict[str, ObjectRef]] = {}
        self._days: Counter[str] = Counter()
        self.lagging: dict[str, list[ObjectRef]] = {}
        self.is_down = False
        self.listings = 0
        self._number = 0

    def put(self, key: str, modified: datetime) -> None:
        self._number += 1
        folder = key.rsplit("/", 1)[0]
        ref = ObjectRef(key, f"v{self._number}", 100, modified)
        if folder not in self.hours:
            self.hours[folder] = {}
            self._days[folder.rsplit("/", 1)[0]] += 1
        self.hours[folder][key] = ref

    def delete(self, key: str) -> None:
        folder = key.rsplit("/", 1)[0]
        del self.hours[folder][key]
        if not self.hours[folder]:
            del self.hours[folder]
            self._days[folder.rsplit("/", 1)[0]] -= 1

    def truth(self, folder: str) -> list[ObjectRef]:
        return sorted(self.hours.get(folder, {}).values(), key=lambda ref: ref.key)

    def list_objects(self, prefix: str) -> Iterator[ObjectRef]:
        if self.is_down:
            raise TransientPortError("the store is down")
        self.listings += 1
        yield from self.lagging.get(prefix, self.truth(prefix))

    def list_folders(self, prefix: str) -> list[str]:
        if self.is_down:
            raise TransientPortError("the store is down")
        return sorted(day.rsplit("/", 1)[-1] for day, count in self._days.items() if count)


@dataclass
class Run:
    hour: datetime
    digest: str
    ends: datetime
    listed: list[ObjectRef]


@dataclass
class SimulatedRuns:
    """Runs that take their time, and may fail before, between or after their writes."""

    store: MonthStore
    artefacts: FakeObjectStore
    options: DropOptions
    dice: random.Random
    failing: float = 0.3
    active: dict[datetime, Run] = field(default_factory=dict)
    history: dict[str, Attempts] = field(default_factory=dict)
    failures: Counter[datetime] = field(default_factory=Counter)

    def list_busy_hours(self) -> set[datetime]:
        return set(self.active)

    def count_attempts(self, digests: Sequence[str]) -> Mapping[str, Attempts]:
        return {name: self.history[name] for name in digests if name in self.history}

    def start(self, hour: datetime, digest: str, now: datetime) -> None:
        assert hour not in self.active, "two runs of one hour at a time"
        folder = format_hour_folder(self.options.prefix, hour)
        listed = list(self.store.list_objects(folder)) if not self.store.is_down else []
        ends = now + timedelta(minutes=self.dice.uniform(1, 40))
        self.active[hour] = Run(hour, digest, ends, listed)

    def finish(self, now: datetime) -> None:
        for run in [run for run in self.active.values() if run.ends <= now]:
            del self.active[run.hour]
            before = self.history.get(run.digest, Attempts())
            self.history[run.digest] = Attempts(before.count + 1, now)
            fails = self.dice.random() < self.failing
            if fails:
                self.failures[run.hour] += 1
                if self.dice.random() < 0.5:
                    continue
            self._write(run, now, is_recorded=not fails)

    def _write(self, run: Run, now: datetime, is_recorded: bool) -> None:
        entries = {ref.key: ref.version for ref in run.listed}
        if now - run.hour > timedelta(hours=self.options.window_hours):
            held = {item.key: item.version for item in load_hour(self.artefacts, run.hour).objects}
            entries = {**held, **entries}
        write_manifest(self.artefacts, run.hour, entries)
        if is_recorded:
            record_listing(self.artefacts, run.hour, entries.items())


def write_manifest(artefacts: FakeObjectStore, hour: datetime, entries: Mapping[str, str]) -> None:
    objects = [
        asdict(
            ObjectBatch(key, version, "folder", 1, 1, 1, 1, 0, ("part-00000.parquet",), "digest")
        )
        for key, version in entries.items()
    ]
    folder = format_hour_folder("logs", hour)
    write_json(artefacts, f"{folder}/manifest.json", {"objects": objects})


@dataclass
class Month:
    """The whole: `live` plays it, and counts what the tests ask for."""

    seed: int
    days: int = 30
    quiet_days: int = 4
    store: MonthStore = field(default_factory=MonthStore)
    artefacts: FakeObjectStore = field(default_factory=FakeObjectStore)
    options: DropOptions = field(
        default_factory=lambda: DropOptions(
            prefix="raw/logs", settle_seconds=600, max_wait_seconds=3_600, pages_per_tick=60,
            max_watched=60, max_requests=10,
        )
    )  # fmt: skip
    requests: list[tuple[datetime, datetime]] = field(default_factory=list)
    """(when, hour)."""
    changes: Counter[datetime] = field(default_factory=Counter)
    most_pages: int = 0
    longest_cursor: int = 0

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.runs = SimulatedRuns(self.store, self.artefacts, self.options, self.dice)

    def live(self) -> None:
        """Play the month, then some days in which nothing arrives and nothing fails."""
        text: str | None = None
        now, asleep_until = START, START
        drops_end = START + timedelta(days=self.days)
        while now < drops_end + timedelta(days=self.quiet_days):
            is_quiet = now >= drops_end
            if is_quiet:
                self.runs.failing = 0.0
                self.store.lagging.clear()
                self.store.is_down = False
            else:
                self._drop(now)
                asleep_until, text = self._suffer(now, asleep_until, text)
            self.runs.finish(now)
            if now >= asleep_until or is_quiet:
                text = self._tick(text, now)
            now += TICK

    def _drop(self, now: datetime) -> None:
        """Objects arrive on time, a little late, very late; are rewritten, and deleted."""
        dice = self.dice
        for _object in range(dice.choice((0, 0, 1, 2, 3))):
            late = dice.choice((0, 0, 0, 0, dice.expovariate(1 / 3), dice.uniform(0, 500)))
            # A shipper's clock may be wrong: the folder is of its hour, not of ours.
            hour = floor_hour(now - timedelta(hours=late) + timedelta(minutes=dice.gauss(0, 20)))
            self._put(f"{format_hour_folder(self.options.prefix, hour)}/{dice.random()}", now)
        if dice.random() < 0.05 and self.store.hours:
            folder = dice.choice(list(self.store.hours))
            key = dice.choice(list(self.store.hours[folder]))
            if dice.random() < 0.6:
                self._put(key, now)
            else:
                self._remember_lag(folder)
                self.store.delete(key)
                self.changes[parse_hour(key)] += 1  # type: ignore[index]

    def _put(self, key: str, now: datetime) -> None:
        self._remember_lag(key.rsplit("/", 1)[0])
        # The store's clock is hours off, now this way, now that way.
        self.store.put(key, now + timedelta(hours=self.dice.uniform(-3, 3)))
        self.changes[parse_hour(key)] += 1  # type: ignore[index]

    def _remember_lag(self, folder: str) -> None:
        if self.dice.random() < 0.1:
            self.store.lagging.setdefault(folder, self.store.truth(folder))

    def _suffer(
        self, now: datetime, asleep_until: datetime, text: str | None
    ) -> tuple[datetime, str | None]:
        dice = self.dice
        for folder in list(self.store.lagging):
            if dice.random() < 0.3:
                del self.store.lagging[folder]
        if dice.random() < 1 / 800:
            asleep_until = now + timedelta(hours=dice.expovariate(1 / 10))
        self.store.is_down = dice.random() < (0.8 if self.store.is_down else 0.005)
        if dice.random() < 1 / 2_000:
            text = dice.choice((None, "", "{}", "not json", '{"watched": {"x": []}}'))
        return asleep_until, text

    def _tick(self, text: str | None, now: datetime) -> str | None:
        cursor = DropCursor.from_text(text)
        try:
            tick = find_due_hours(
                self.store,
                self.artefacts,
                self.runs,
                cursor,
                now,
                self.options,  # type: ignore[arg-type]
            )
        except TransientPortError:
            return text
        self._account(tick, now)
        return tick.cursor.to_text()

    def _account(self, tick: DropTick, now: datetime) -> None:
        self.most_pages = max(self.most_pages, tick.page_count)
        self.longest_cursor = max(self.longest_cursor, len(tick.cursor.to_text()))
        for item in tick.due:
            self.requests.append((now, item.hour))
            folder = format_hour_folder(self.options.prefix, item.hour)
            seen = digest_listing((r.key, r.version) for r in self.store.list_objects(folder))
            assert seen != (read_listing(self.artefacts, item.hour) or ""), "nothing was new"
            self.runs.start(item.hour, item.digest, now)
