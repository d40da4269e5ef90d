"""Hours in keys and partitions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocsf_pipeline.logs.layout import (
    format_hour_folder,
    format_partition,
    parse_hour,
    parse_partition,
)

hours = st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001
    lambda time: time.replace(minute=0, second=0, microsecond=0)
)


@given(hours, st.sampled_from(["", "logs", "/a/b/", "dt=x"]))
def test_an_hour_goes_into_a_key_and_back(hour: datetime, prefix: str) -> None:
    assert parse_hour(f"{format_hour_folder(prefix, hour)}/part.json.zst") == hour


@given(hours)
def test_an_hour_goes_into_a_partition_and_back(hour: datetime) -> None:
    assert parse_partition(format_partition(hour)) == hour


def test_hours_are_of_utc() -> None:
    local = datetime(2026, 11, 22, 1, tzinfo=timezone(timedelta(hours=2)))
    assert format_hour_folder("logs", local) == "logs/dt=2026-11-21/hour=23"
    assert format_partition(local) == "2026-11-21-23:00"


@pytest.mark.parametrize(
    "key",
    ["a.log", "dt=2026-11-22/a.log", "dt=2026-11-22/hour=24/a.log", "dt=2026-02-30/hour=01/a.log",
     "xdt=2026-11-22/hour=01/a.log", "dt=2026-11-22/hour=01/", "dt=2026-11-22/hour=01"],
)  # fmt: skip
def test_keys_outside_the_layout_have_no_hour(key: str) -> None:
    assert parse_hour(key) is None


def test_a_partition_must_be_an_hour() -> None:
    with pytest.raises(ValueError, match="does not match"):
        parse_partition("2026-11-22")
