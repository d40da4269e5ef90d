"""Volumes and silences that a person would notice, and those that nobody should be told of."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from ocsf_pipeline.tables.health import find_silent_sources, find_unusual_classes, show

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)


def count_classes(values: list[int], uid: int = 3002) -> pl.DataFrame:
    """One class, one value per hour, the last in NOW; zeros have no row, as in a query's answer."""
    rows = [
        {"class_uid": uid, "name": "Authentication", "hour": NOW - place * HOUR, "n": value}
        for place, value in enumerate(reversed(values))
        if value
    ]
    return pl.DataFrame(rows)


def steady(hours: int, level: float = 10_000, seed: int = 1) -> list[int]:
    dice = random.Random(seed)
    return [round(level * dice.lognormvariate(0, 0.1)) for _hour in range(hours)]


def daily(hours: int) -> list[int]:
    """Busy by day, quiet by night; the last hour is NOW's."""
    return [
        round(value * (10 if 8 <= (NOW - (hours - 1 - place) * HOUR).hour < 18 else 1))
        for place, value in enumerate(steady(hours, 1_000))
    ]


@pytest.mark.parametrize(
    ("values", "is_told"),
    [
        ([*steady(100), 10_500], False),
        ([*steady(100), 60_000], True),
        ([*steady(100), 900], True),
        ([*steady(100), 0], True),
        ([*steady(20), 60_000], False),  # too little is known
        ([*steady(100, 20), 150], False),  # too few to matter
        (daily(168), False),
        ([*daily(168)[:-1], 1_000], True),  # a night's volume by day
    ],
    ids=["usual", "flood", "drop", "nothing", "new", "few", "day", "night-by-day"],
)
def test_a_class_at_unusual_volume(values: list[int], is_told: bool) -> None:
    alerts = find_unusual_classes(count_classes(values), NOW)
    assert [alert.key for alert in alerts] == (["class:3002"] if is_told else [])
    if is_told:
        assert "class_uid = 3002" in alerts[0].query
        assert f"{values[-1]:,} events" in alerts[0].title


def test_ordinary_weeks_raise_next_to_nothing() -> None:
    told = sum(
        bool(find_unusual_classes(count_classes(steady(168, seed=seed)), NOW))
        for seed in range(100)
    )
    assert told == 0


def count_sources(gaps: list[int], quiet: int, name: str = "sshd") -> pl.DataFrame:
    """A source seen after each of the gaps (hours), last seen `quiet` hours before NOW."""
    hours = [NOW - quiet * HOUR]
    for gap in reversed(gaps):
        hours.append(hours[-1] - gap * HOUR)
    return pl.DataFrame([{"name": name, "hour": hour, "n": 5} for hour in sorted(hours)])


@pytest.mark.parametrize(
    ("gaps", "quiet", "is_told"),
    [
        ([1] * 100, 0, False),
        ([1] * 100, 2, False),
        ([1] * 100, 3, True),
        ([6] * 26, 12, False),  # comes every six hours
        ([6] * 26, 13, True),
        ([1] * 10, 30, False),  # its habits are not known
    ],
)
def test_a_source_gone_silent(gaps: list[int], quiet: int, is_told: bool) -> None:
    alerts = find_silent_sources(count_sources(gaps, quiet), NOW)
    assert len(alerts) == is_told


def test_names_out_of_logs_become_neither_markup_nor_sql() -> None:
    name = "x' OR 1=1 --<!channel> @all [a](http://evil)\n`"
    alert = find_silent_sources(count_sources([1] * 100, 9, name), NOW)[0]
    for text in (alert.title, alert.text):
        assert not set("<>@[]`'\n") & set(text)
    assert f"unhex('{name.encode().hex()}')" in alert.query
    assert "OR 1=1" not in alert.query
    assert len(show("x" * 1_000)) == 80
