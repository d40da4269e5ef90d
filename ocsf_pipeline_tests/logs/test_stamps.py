"""The compiled pass reads times as the expressions do, or leaves them to those."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocsf_pipeline.logs.records import UTC_TIME
from ocsf_pipeline.logs.stamps import read_stamps
from ocsf_pipeline.logs.times import parse_times_by_notation

untimed = settings(max_examples=400, deadline=None)
MOMENTS = st.one_of(
    st.datetimes(datetime(1988, 1, 1), datetime(2034, 1, 1)),  # noqa: DTZ001
    st.sampled_from([datetime(2028, 2, 29, 12), datetime(2026, 12, 31, 23, 59), datetime(2027, 1, 1)]),  # noqa: DTZ001, E501
)  # fmt: skip
REFERENCES = st.one_of(
    MOMENTS, st.sampled_from([datetime(2028, 3, 1), datetime(2026, 12, 31, 12), datetime(1900, 1, 1)])  # noqa: DTZ001, E501
)  # fmt: skip
FORMS = st.sampled_from(
    [
        "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y/%m/%dT%H:%M:%S", "%Y-%m/%d %H:%M:%S",
        "%b %d %H:%M:%S", "%b  %d %H:%M:%S", "%b %d %Y %H:%M:%S", "%d/%b/%Y:%H:%M:%S",
        "%d-%b-%Y %H:%M:%S", "%a %b %d %H:%M:%S %Y", "%m/%d/%Y %H:%M:%S", "%Y%m%dT%H%M%S",
    ]
)  # fmt: skip
TAILS = st.sampled_from(
    [
        "", "Z", "+0200", "-03:30", "+05", " +0200", ".1", ".123", ",123456", ".123456789Z",
        ".12345678901Z", ".5+01:00", " UTC", " GMT", '"', "],", " x", ".", "+99:99", "z", " AM",
    ]
)  # fmt: skip
EPOCHS = st.builds(
    lambda number, digits, tail: f"{number:0{digits}d}"[:digits] + tail,
    st.integers(600_000_000, 2_000_000_000_000_000_000),
    st.sampled_from([8, 9, 10, 11, 13, 16, 18, 19]),
    st.sampled_from(["", ".5", ".123456", ".1234567", ".123", ".", "x", '"', ","]),
)


@st.composite
def stamps(draw: st.DrawFn) -> str:
    """A time of some notation, often damaged in one place."""
    text = draw(MOMENTS).strftime(draw(FORMS)) + draw(TAILS)
    text = draw(st.sampled_from(["{}", " {}", '"{}', "*{}", "[{}"])).format(text)
    if draw(st.booleans()):
        place = draw(st.integers(0, len(text) - 1))
        put = draw(st.sampled_from(["", "0", "9", "6", " ", ":", "-", "/", "é", "J", "\x00"]))
        text = text[:place] + put + text[place + draw(st.integers(0, 1)) :]
    return text


def read_both(texts: list[str | None], reference: datetime) -> tuple[pl.Series, pl.Series, int]:
    """Return what the pass read, what the expressions read in the same rows, how many it left."""
    column = pl.Series("texts", texts, dtype=pl.String)
    reference = reference.replace(tzinfo=UTC)
    observed = pl.Series("reference", [reference] * len(texts), dtype=UTC_TIME)
    read, unread = read_stamps(column, observed)
    slow = parse_times_by_notation(column, observed)
    return read, slow.scatter(unread, None), len(unread)


@untimed
@given(st.lists(stamps() | EPOCHS | st.text(max_size=30) | st.none(), max_size=12), REFERENCES)
def test_what_it_reads_the_expressions_read_alike(
    texts: list[str | None], reference: datetime
) -> None:
    read, slow, _unread_count = read_both(texts, reference)
    assert read.to_list() == slow.to_list()


@pytest.mark.parametrize(
    "form",
    [
        "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%d %H:%M:%S,%f", "%s",
        "%Y-%m-%dT%H:%M:%S+02:00", "%b %d %H:%M:%S", "%b %d %Y %H:%M:%S", "%d/%b/%Y:%H:%M:%S +0000",
    ],
)  # fmt: skip
def test_it_reads_the_common_notations_itself(form: str) -> None:
    moments = [datetime(2026, 1, 1) + timedelta(hours=7 * step) for step in range(1_200)]  # noqa: DTZ001
    texts: list[str | None] = [moment.strftime(form) for moment in moments]
    read, slow, unread_count = read_both(texts, datetime(2026, 12, 31))  # noqa: DTZ001
    assert unread_count == 0
    assert read.null_count() == 0
    assert read.to_list() == slow.to_list()
