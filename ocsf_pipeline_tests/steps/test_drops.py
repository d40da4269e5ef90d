"""The drop sensor over a simulated month, at the scale of 100,000 objects a day, and its clocks."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ocsf_pipeline.logs.layout import format_hour_folder, format_partition, parse_hour
from ocsf_pipeline.ports import PermanentPortError
from ocsf_pipeline.steps.batches import load_hour
from ocsf_pipeline.steps.drop_schedule import DropCursor, floor_hour, list_crossed
from ocsf_pipeline.steps.drops import DropOptions, DropTick, delay_attempt, find_due_hours
from ocsf_pipeline.steps.listings import digest_listing, read_listing
from ocsf_pipeline_tests.fakes.month import HOUR, START, Month


@settings(max_examples=2, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32))
def test_in_the_end_every_object_is_in_exactly_one_up_to_date_hour(seed: int) -> None:
    month = Month(seed)
    month.live()
    homes: Counter[tuple[str, str]] = Counter()
    for hour in month.changes:
        held = [(item.key, item.version) for item in load_hour(month.artefacts, hour).objects]
        homes.update(held)
        folder = format_hour_folder(month.options.prefix, hour)
        listed = {(ref.key, ref.version) for ref in month.store.truth(folder)}
        assert listed <= set(held), f"missed in {hour}"
        assert (read_listing(month.artefacts, hour) or "") == digest_listing(held), "not written"
        assert all(parse_hour(key) == hour for key, _version in held)
    live = [ref for refs in month.store.hours.values() for ref in refs.values()]
    assert {homes[ref.key, ref.version] for ref in live} == {1}

    per_hour = Counter(hour for _when, hour in month.requests)
    for hour, count in per_hour.items():
        # One look too many for each listing that lagged; a failed run is run again.
        most = 2 * month.changes[hour] + month.runs.failures[hour] + 2
        assert count <= most, f"{hour} was requested {count} times"
    last = max(when for when, _hour in month.requests)
    assert last < START + timedelta(days=month.days + 3), "still requesting when all is quiet"
    assert month.most_pages <= month.options.pages_per_tick + 30
    assert month.longest_cursor < 8_000


class Idle:
    """No run was ever there."""

    def list_busy_hours(self) -> set:
        return set()

    def count_attempts(self, digests: object) -> dict:
        return {}


def tick(month: Month, cursor: DropCursor, now: object, options: DropOptions) -> DropTick:
    return find_due_hours(month.store, month.artefacts, Idle(), cursor, now, options)  # type: ignore[arg-type]


def write_all(month: Month, prefix: str) -> None:
    """Make the tables hold everything that lies in the store."""
    from ocsf_pipeline.steps.listings import record_listing
    from ocsf_pipeline_tests.fakes.month import write_manifest

    for folder, refs in month.store.hours.items():
        hour = parse_hour(f"{folder}/object")
        assert hour is not None
        entries = {ref.key: ref.version for ref in refs.values()}
        write_manifest(month.artefacts, hour, entries)
        record_listing(month.artefacts, hour, entries.items())


def test_a_hundred_thousand_objects_a_day_cost_a_few_pages_a_tick() -> None:
    """Ten days of them, and two years of thinner archive, all written: ticks of half a minute."""
    month = Month(0)
    options = DropOptions(prefix="logs")
    now = START + timedelta(days=740)
    for number in range(240):
        hour = now - (number + 1) * HOUR
        for place in range(4_167 if number < 30 else 42):
            month.store.put(f"{format_hour_folder('logs', hour)}/{place:05}.json.zst", hour)
    for number in range(240, 740 * 24):
        hour = now - (number + 1) * HOUR
        month.store.put(f"{format_hour_folder('logs', hour)}/0.json.zst", hour)
    write_all(month, "logs")
    cursor = DropCursor(looked_until=now.timestamp())
    pages, seconds = [], []
    for number in range(1, 61):
        start = time.perf_counter()
        found = tick(month, cursor, now + number * timedelta(seconds=30), options)
        seconds.append(time.perf_counter() - start)
        cursor = DropCursor.from_text(found.cursor.to_text())
        assert not found.due
        pages.append(found.page_count)
    assert statistics.mean(pages) < 25
    assert max(pages) < 60
    assert statistics.mean(seconds) < 0.5
    assert len(cursor.to_text()) < 200


def test_a_lost_cursor_costs_a_bounded_sweep_over_everything() -> None:
    month = Month(0)
    options = DropOptions(prefix="logs", settle_seconds=0)
    now = START + timedelta(days=60)
    for number in range(60 * 24):
        month.store.put(f"{format_hour_folder('logs', START + number * HOUR)}/a", now)
    write_all(month, "logs")
    forgotten = START + timedelta(days=3, hours=7)
    month.store.put(f"{format_hour_folder('logs', forgotten)}/late", now)
    cursor, ticks, found = DropCursor(), 0, []
    while not found:
        result = tick(month, cursor, now + ticks * timedelta(seconds=30), options)
        assert result.page_count <= options.pages_per_tick + 2
        cursor, found = result.cursor, result.due
        ticks += 1
    assert [item.hour for item in found] == [forgotten]
    assert ticks < 15


@pytest.mark.parametrize("late_hours", [0.01, 0.5, 1, 3, 10, 50, 300])
def test_a_late_object_is_found_within_a_twentieth_of_its_lateness(late_hours: float) -> None:
    month = Month(0)
    options = DropOptions(prefix="logs", settle_seconds=0)
    start = START + timedelta(days=20)
    arrives = start + timedelta(minutes=17)
    hour = floor_hour(arrives - timedelta(hours=late_hours)) - HOUR
    for number in range(24 * 20):
        month.store.put(f"{format_hour_folder('logs', START + number * HOUR)}/a", START)
    write_all(month, "logs")
    cursor = DropCursor(looked_until=start.timestamp())
    now = start
    step = timedelta(seconds=30)
    while True:
        now += step
        if now >= arrives and len(month.store.truth(format_hour_folder("logs", hour))) < 2:
            month.store.put(f"{format_hour_folder('logs', hour)}/late", START)
        found = tick(month, cursor, now, options)
        cursor = found.cursor
        if found.due:
            break
    assert [item.hour for item in found.due] == [hour]
    assert now - arrives <= (now - hour - HOUR) * 0.05 + 2 * step


def test_an_hour_that_is_filling_waits_but_not_for_ever() -> None:
    month = Month(0)
    options = DropOptions(prefix="logs", settle_seconds=30, max_wait_seconds=900)
    folder = format_hour_folder("logs", START)
    cursor, now, requested = DropCursor(), START, []
    while now < START + HOUR:
        now += timedelta(seconds=30)
        # The store's clock is a day ahead: nothing may wait for it.
        month.store.put(f"{folder}/{now:%M%S}", now + timedelta(days=1))
        found = tick(month, cursor, now, options)
        requested += [now for _item in found.due]
        cursor = DropCursor.from_text(found.cursor.to_text())
    assert [when - START for when in requested] == [
        timedelta(seconds=930 + 900 * number) for number in range(3)
    ]
    found = tick(month, cursor, now + timedelta(seconds=30), options)
    assert [item.hour for item in found.due] == [START], "quiet now: not waited any longer"


def test_a_request_that_does_not_help_is_repeated_at_growing_distances() -> None:
    delays = [delay_attempt(count) for count in range(1, 9)]
    assert delays == [60, 240, 960, 3_840, 15_360, 61_440, 86_400, 86_400]


def test_one_hour_that_cannot_be_listed_keeps_no_other_waiting() -> None:
    month = Month(0)
    options = DropOptions(prefix="logs", settle_seconds=0)
    now = START + 3 * HOUR
    for number in range(3):
        month.store.put(f"{format_hour_folder('logs', START + number * HOUR)}/a", now)
    bad = format_hour_folder("logs", START + 2 * HOUR)
    listed = month.store.list_objects

    def list_objects(prefix: str) -> object:
        if prefix == bad:
            raise PermanentPortError("a name that cannot be read")
        return listed(prefix)

    month.store.list_objects = list_objects  # type: ignore[method-assign, assignment]
    found = tick(month, DropCursor(), now, options)
    assert [item.hour for item in found.due] == [START + HOUR, START]
    assert found.failures == {format_partition(START + 2 * HOUR): "a name that cannot be read"}


def test_what_retention_deletes_is_no_news_but_what_a_person_deletes_is() -> None:
    month = Month(0)
    options = DropOptions(prefix="logs", settle_seconds=0, window_hours=72)
    folder = format_hour_folder("logs", START)
    for name in "abc":
        month.store.put(f"{folder}/{name}", START)
    write_all(month, "logs")
    month.store.delete(f"{folder}/a")
    early, later = START + 10 * HOUR, START + 100 * HOUR
    assert [item.hour for item in tick(month, DropCursor(), early, options).due] == [START]
    assert tick(month, DropCursor(), later, options).due == []
    month.store.put(f"{folder}/late", START)
    assert [item.hour for item in tick(month, DropCursor(), later, options).due] == [START]
    for name in ("b", "c", "late"):
        month.store.delete(f"{folder}/{name}")
    assert [item.hour for item in tick(month, DropCursor(), early, options).due] == [START]


def test_days_that_no_partition_covers_are_told() -> None:
    month = Month(0)
    for day in ("dt=2099-01-01", "dt=1999-01-01", "dt=2026-13-01", "tmp"):
        month.store.put(f"logs/{day}/hour=00/a", START)
    found = tick(month, DropCursor(), START + HOUR, DropOptions(prefix="logs"))
    assert found.days_outside == ["dt=1999-01-01", "dt=2099-01-01"]


def test_a_clock_that_was_wrong_for_a_while_does_no_lasting_harm() -> None:
    month = Month(0)
    options = DropOptions(prefix="logs", settle_seconds=0)
    month.store.put(f"{format_hour_folder('logs', START)}/a", START)
    now = START + 50 * HOUR
    ahead = DropCursor(looked_until=(now + timedelta(days=400)).timestamp())
    assert [item.hour for item in tick(month, ahead, now, options).due] == [START]


@given(
    st.lists(st.floats(1, 90_000), min_size=1, max_size=40),
    st.integers(0, 3_600),
)
def test_no_look_falls_between_two_ticks(pauses: list[float], offset: int) -> None:
    """Whatever the distances of the ticks, each hour is looked at as if there were one tick."""
    days = [START + timedelta(days=number) for number in range(8)]
    begin = (START + timedelta(days=4)).timestamp() + offset
    since, looked = begin, set()
    for pause in pauses:
        looked |= set(list_crossed(days, since, since + pause))
        since += pause
    assert looked == set(list_crossed(days, begin, since))
