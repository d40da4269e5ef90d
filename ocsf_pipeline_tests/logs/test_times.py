"""Times of every notation go to UTC microseconds and stay what they were."""

# ruff: noqa: E501 - logs stand on one line, as they came

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocsf_pipeline.logs.records import UTC_TIME
from ocsf_pipeline.logs.times import parse_times
from ocsf_pipeline_tests.fakes.log_objects import read_record

REFERENCE = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
quick = settings(max_examples=80, deadline=None, derandomize=True)
times = st.datetimes(datetime(1995, 1, 1), datetime(2029, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
seconds = times.map(lambda time: time.replace(microsecond=0))
millis = times.map(lambda time: time.replace(microsecond=time.microsecond // 1000 * 1000))
zones = st.integers(-14 * 4, 14 * 4).map(
    lambda quarters: timezone(timedelta(minutes=15 * quarters))
)


def parse(*texts: str | None, reference: datetime = REFERENCE) -> list[datetime | None]:
    column = pl.Series("texts", texts, dtype=pl.String)
    observed = pl.Series("reference", [reference] * len(texts), dtype=UTC_TIME)
    return parse_times(column, observed).to_list()


def month_day(time: datetime, day: str = "02d") -> str:
    return f"{MONTHS[time.month - 1]} {time.day:{day}}"


@quick
@given(times, zones)
def test_iso_8601_goes_and_comes_back(time: datetime, zone: timezone) -> None:
    local = time.astimezone(zone)
    naive = time.replace(tzinfo=None).isoformat()
    offset = local.isoformat()
    compact_offset = offset[:-3] + offset[-2:]
    assert parse(
        f"{naive}Z", naive, naive.replace("T", " "), naive.replace(".", ","), f"{naive}+00:00",
        offset, compact_offset, f" {offset} ", f'"{naive}Z"', f"{naive.replace('T', ' ')} UTC",
        f"{naive.replace('-', '/')}",
    ) == [time] * 11  # fmt: skip


@quick
@given(seconds)
def test_iso_without_seconds_keeps_the_minute(time: datetime) -> None:
    minute = time.replace(second=0)
    assert (
        parse(minute.strftime("%Y-%m-%d %H:%M"), minute.strftime("%Y-%m-%dT%H:%MZ")) == [minute] * 2
    )


@quick
@given(times.filter(lambda time: time.year >= 2002))
def test_epochs_of_every_unit_go_and_come_back(time: datetime) -> None:
    micros = (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    whole = time.replace(microsecond=0)
    milli = time.replace(microsecond=time.microsecond // 1000 * 1000)
    filetime = (micros + 11_644_473_600_000_000) * 10
    assert parse(
        str(micros // 1_000_000), str(micros // 1000), str(micros), str(micros * 1000),
        str(filetime), f"{micros // 1_000_000}.{time.microsecond:06d}",
        f"{micros // 1000}.{time.microsecond % 1000:03d}",
    ) == [whole, milli, time, time, time, time, time]  # fmt: skip


@quick
@given(seconds, zones)
def test_times_with_named_months_go_and_come_back(time: datetime, zone: timezone) -> None:
    local = time.astimezone(zone)
    offset = local.strftime("%z")
    clock = time.strftime("%H:%M:%S")
    assert parse(
        f"{month_day(time)} {time.year} {clock}",
        f"{month_day(time, 'd')}, {time.year} {clock}",
        f"Sun {month_day(time, '2d')} {clock} {time.year}",
        f"Sun {month_day(time, '2d')} {clock} UTC {time.year}",
        f"{time:%d}/{MONTHS[time.month - 1]}/{time.year}:{clock} +0000",
        f"{local:%d}/{MONTHS[local.month - 1]}/{local.year}:{local:%H:%M:%S} {offset}",
        f"{time:%d}-{MONTHS[time.month - 1]}-{time.year} {clock}",
        f"Sun, {time.day} {MONTHS[time.month - 1]} {time.year} {clock} GMT",
        f"{local.day} {MONTHS[local.month - 1]} {local.year} {local:%H:%M:%S} {offset}",
    ) == [time] * 9  # fmt: skip


@quick
@given(seconds)
def test_times_of_numbers_alone_go_and_come_back(time: datetime) -> None:
    afternoon = f"{(time.hour - 1) % 12 + 1}:{time:%M:%S} {'PM' if time.hour > 11 else 'AM'}"
    assert (
        parse(
            f"{time.month}/{time.day}/{time.year} {afternoon}",
            f"{time:%d.%m.%Y %H:%M:%S}",
            f"{time:%Y%m%dT%H%M%S}Z",
        )[1:]
        == [time] * 2
    )
    if time.day <= 12:
        assert parse(f"{time.month}/{time.day}/{time.year} {afternoon}") == [time]


@quick
@given(times, st.integers(-60 * 24 * 360, 60 * 23))
def test_rfc_3164_takes_the_year_that_lies_next_before_the_reference(
    reference: datetime, minutes: int
) -> None:
    time = (reference + timedelta(minutes=minutes)).replace(microsecond=0)
    text = f"{month_day(time, '2d')} {time:%H:%M:%S}"
    assert parse(text, f"{text}.250", reference=reference) == [
        time,
        time + timedelta(milliseconds=250),
    ]


def test_the_turn_of_the_year_and_leap_days_are_guessed() -> None:
    january = datetime(2026, 1, 1, 0, 5, tzinfo=UTC)
    assert parse("Dec 31 23:59:59", reference=january) == [
        datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC)
    ]
    december = datetime(2025, 12, 31, 23, 59, tzinfo=UTC)
    assert parse("Jan  1 00:00:01", reference=december) == [
        datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC)
    ]
    leap = datetime(2028, 3, 1, tzinfo=UTC)
    assert parse("Feb 29 12:00:00", reference=leap) == [datetime(2028, 2, 29, 12, tzinfo=UTC)]
    after = datetime(2029, 1, 5, tzinfo=UTC)
    assert parse("Feb 29 12:00:00", reference=after) == [datetime(2028, 2, 29, 12, tzinfo=UTC)]


@pytest.mark.parametrize(
    "text",
    ["", "-", "yesterday", "2026-13-45T10:00:00Z", "Foo 22 10:00:01", "99999999999999999999",
     "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "12:00:01", "1", "32/Nov/2026:10:00:00 +0000"],
)  # fmt: skip
def test_what_is_no_sane_time_is_null(text: str) -> None:
    assert parse(text) == [None]


@quick
@given(st.lists(st.one_of(st.none(), st.text(max_size=40))))
def test_any_text_is_a_time_or_null(texts: list[str | None]) -> None:
    assert len(parse(*texts)) == len(texts)


def test_a_log_without_a_time_takes_the_observed_time_and_says_so() -> None:
    record = read_record("nothing here says when", REFERENCE)
    assert (record["time"], record["time_is_observed"]) == (REFERENCE, True)


T = datetime(2026, 11, 22, 10, 0, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "log",
    [
        "<134>Nov 22 10:00:01 fw1 %ASA-6-302013: Built outbound TCP connection",
        "<134>Nov 22 2026 10:00:01 fw1 : %ASA-6-302013: Built outbound TCP connection",
        "<34>1 2026-11-22T10:00:01Z host app - - - plain words",
        "2026-11-22T10:00:01+00:00 host sshd[1]: hello there",
        "2026-11-22 10:00:01 UTC [123] LOG:  connection received",
        "2026-11-22T12:00:01+02:00 sshd[1]: hello there",
        '192.0.2.1 - bob [22/Nov/2026:10:00:01 +0000] "GET /a HTTP/1.1" 200 123',
        "date=2026-11-22 time=10:00:01 type=traffic subtype=forward action=accept",
        "CEF:0|V|P|1|7|n|3|rt=Nov 22 2026 10:00:01 src=1.2.3.4",
        "CEF:0|V|P|1|7|n|3|rt=1795341601000 src=1.2.3.4",
        "LEEF:1.0|V|P|1|7|devTime=2026-11-22T10:00:01Z\tsrc=1.2.3.4",
        '{"eventTime":"2026-11-22T10:00:01Z","created":"2020-01-01T00:00:00Z"}',
        '{"created":"2020-01-01T00:00:00Z","eventTime":"2026-11-22T10:00:01Z"}',
        '{"ts":1795341601.0,"uid":"C1"}',
        '{"time": 1795341601, "host": "h", "sourcetype": "st", "event": {"action": "x_y"}}',
        "type=USER_LOGIN msg=audit(1795341601.000:45): pid=1 uid=0 res=failed",
        '<Event><System><TimeCreated SystemTime="2026-11-22T10:00:01.0Z"/><EventID>1</EventID></System></Event>',
        '{"TimeGenerated":"2026-11-22T10:00:01.0000000Z","EventID":4624}',
        '{"timestamp":"Sun Nov 22 10:00:01 2026","status":"open"}',
        '{"when":"11/22/2026 10:00:01 AM","action":"login_ok"}',
    ],
)
def test_the_time_of_each_format_is_found(log: str) -> None:
    record = read_record(log, datetime(2026, 11, 22, 10, 5, tzinfo=UTC))
    assert (record["time"], record["time_is_observed"]) == (T, False)
