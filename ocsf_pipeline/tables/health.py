"""What is unusual in the tables: a class at another volume than ever, a source gone silent.

Belongs here: judging counts per hour, and the query that shows the reason. Does not belong here:
running queries (`steps.health`), telling people (adapters). Names come out of logs, which attackers
write: what is shown is cut to plain characters, what goes into SQL is a number or encoded.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

HISTORY_HOURS = 7 * 24
_LEAST_HISTORY = 24
"""Hours that must be known before anything is judged."""
_UNUSUAL = 6.0
"""Robust deviations from the median of the logarithm; below it is noise."""
_LEAST_SPREAD = 0.15
"""Of the logarithm: what is as steady as clockwork may still vary by a third."""
_LEAST_CHANGE = 200
"""Events; fewer are nobody's alert."""
_PLAIN = re.compile(r"[^A-Za-z0-9 ._:/+-]")


@dataclass(frozen=True)
class Alert:
    """Something a person should look at."""

    key: str
    """Equal for the same trouble at different times, so that it is told once."""
    title: str
    text: str
    query: str
    """Shows the reason when run by `ocsf-pipeline query`."""


COUNTS_BY_CLASS = """
SELECT class_uid, any(class_name) AS name, hour, count() AS n FROM events
WHERE hour > {start:DateTime('UTC')} AND hour <= {end:DateTime('UTC')}
GROUP BY class_uid, hour
"""
COUNTS_BY_SOURCE = """
SELECT source AS name, hour, count() AS n FROM events
WHERE hour > {start:DateTime('UTC')} AND hour <= {end:DateTime('UTC')}
GROUP BY source, hour
"""
NEWEST_HOUR = "SELECT max(hour) AS hour, count() AS n FROM batches"


def find_unusual_classes(counts: pl.DataFrame, hour: datetime) -> list[Alert]:
    """Compare the volume of each class in `hour` with its past hours.

    `counts`: class_uid, name, hour, n, as COUNTS_BY_CLASS returns it; hours without a row count 0.
    A class is compared with the same time of day where a week is known, else with all hours.
    """
    hours = _list_known_hours(counts, hour)
    if len(hours) <= _LEAST_HISTORY:
        return []
    alerts = []
    for (uid, name), rows in counts.group_by("class_uid", "name", maintain_order=True):
        by_hour = dict(rows.select("hour", "n").rows())
        past = [by_hour.get(item, 0) for item in _choose_past(hours, hour)]
        now = int(by_hour.get(hour, 0))
        usual = _median(past)
        if abs(now - usual) >= _LEAST_CHANGE and _deviate(now, past) > _UNUSUAL:
            alerts.append(_tell_volume(int(str(uid)), str(name), hour, now, usual))
    return sorted(alerts, key=lambda alert: alert.key)


def find_silent_sources(counts: pl.DataFrame, hour: datetime) -> list[Alert]:
    """Find sources that have been quiet for longer than ever before, twice over.

    `counts`: name, hour, n, as COUNTS_BY_SOURCE returns it. A source seen in fewer than 24 hours is
    not judged: its habits are not known.
    """
    alerts = []
    for (name,), rows in counts.group_by("name", maintain_order=True):
        seen = sorted(item for item in rows["hour"].to_list() if item <= hour)
        if len(seen) < _LEAST_HISTORY:
            continue
        longest = max(later - earlier for earlier, later in itertools.pairwise(seen))
        quiet = hour - seen[-1]
        if quiet > 2 * longest:
            alerts.append(_tell_silence(str(name), seen[-1], quiet, longest))
    return sorted(alerts, key=lambda alert: alert.key)


def tell_standstill(newest: datetime, now: datetime) -> Alert:
    """Say that no hour was written for long."""
    return Alert(
        "standstill",
        f"Nothing was written since {newest:%Y-%m-%d %H:%M} UTC",
        f"The newest hour in the tables began {_format_hours(now - newest)} ago. Either nothing "
        "arrives, or runs fail: look at the sensor new_drops and at failed runs.",
        "SELECT hour, count() AS objects, sum(read_count) AS logs FROM batches "
        "GROUP BY hour ORDER BY hour DESC LIMIT 24",
    )


def show(name: str) -> str:
    """Return a name out of logs so that no messenger sees markup, a mention or a link in it."""
    return _PLAIN.sub("?", name)[:80] or "(no name)"


def _list_known_hours(counts: pl.DataFrame, hour: datetime) -> list[datetime]:
    """Return every hour from the first that has any event to `hour`."""
    if counts.is_empty():
        return []
    first = min(counts["hour"].to_list())
    count = int((hour - first) / timedelta(hours=1)) + 1
    return [first + timedelta(hours=number) for number in range(count)]


def _choose_past(hours: Sequence[datetime], hour: datetime) -> list[datetime]:
    past = [item for item in hours if item < hour]
    alike = [item for item in past if abs((item.hour - hour.hour + 12) % 24 - 12) <= 1]
    is_week_known = len(past) >= HISTORY_HOURS - 24
    return alike if is_week_known else past


def _deviate(now: int, past: Sequence[int]) -> float:
    logs = [math.log1p(value) for value in past]
    middle = _median(logs)
    spread = 1.4826 * _median([abs(value - middle) for value in logs])
    return abs(math.log1p(now) - middle) / max(spread, _LEAST_SPREAD)


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _tell_volume(uid: int, name: str, hour: datetime, now: int, usual: float) -> Alert:
    word = "More" if now > usual else "Less"
    start = hour - timedelta(hours=48)
    query = (  # numbers and a time only
        f"SELECT hour, source, count() AS events FROM events WHERE class_uid = {uid} "  # noqa: S608
        f"AND hour >= '{start:%Y-%m-%d %H}:00:00' GROUP BY hour, source ORDER BY hour, events DESC"
    )
    return Alert(
        f"class:{uid}",
        f"{word} of {show(name)} than usual: {now:,} events instead of some {usual:,.0f}",
        f"In the hour from {hour:%Y-%m-%d %H:%M} UTC. An attack, a change at a source, or "
        "templates that changed their class.",
        query,
    )


def _tell_silence(name: str, last: datetime, quiet: timedelta, longest: timedelta) -> Alert:
    start = last - timedelta(hours=24)
    query = (  # the name in hexadecimal digits: whatever it holds, it stays a string
        "SELECT hour, host, count() AS events FROM events "  # noqa: S608
        f"WHERE source = unhex('{name.encode().hex()}') AND hour >= '{start:%Y-%m-%d %H}:00:00' "
        "GROUP BY hour, host ORDER BY hour, host"
    )
    return Alert(
        f"source:{name.encode().hex()[:64]}",
        f"{show(name)} has gone silent: no event for {_format_hours(quiet)}",
        f"Its last events came in the hour from {last:%Y-%m-%d %H:%M} UTC; in the week before it "
        f"was never silent for longer than {_format_hours(longest)}. Is its shipper running?",
        query,
    )


def _format_hours(span: timedelta) -> str:
    hours = round(span / timedelta(hours=1))
    return f"{hours} hour" if hours == 1 else f"{hours} hours"
