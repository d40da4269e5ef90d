"""The compiled search for times agrees with the pattern, or leaves the text to it."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ocsf_pipeline.logs.describe import TIME_IN_TEXT
from ocsf_pipeline.logs.found_times import TIME_HEAD, find_times
from ocsf_pipeline.samples.labels import read_benchmark_logs, read_sample_logs

untimed = settings(max_examples=600, deadline=None)
FORMS = st.sampled_from(
    [
        "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y/%m/%d T %H:%M:%S", "%Y-%m-%d%H:%M:%S",
        "%b %d %H:%M:%S", "%b  %d %H:%M:%S", "%b %d, %Y, %H:%M:%S", "%a %b %d %H:%M:%S %Y",
        "%a, %b %d %H:%M:%S", "%a,  %b %d %H:%M:%S", "%a, %d %b %Y %H:%M:%S",
        "%a %d %b %Y %H:%M:%S", "%a %a %b %d %H:%M:%S", "%a, 123 %b %Y %H:%M:%S",
        "%d/%b/%Y:%H:%M:%S", "%d-%b %Y %H:%M:%S", "1%d/%b/%Y:%H:%M:%S", "%d.%m.%Y, %H:%M:%S",
        "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %H:%M:%Spm", "%m/%d/1%Y %H:%M:%S",
        "%m/%d/%Y 1:2:3", "%Y%m%dT%H%M%S", "%Y%m%dT%H%M%S.123Z", "%Y%m%dT%H%M%S.Z", "%Y%m%dT%H%M",
        "%H:%M:%S", "%Y-%m-%d",
    ]
)  # fmt: skip
MOMENTS = st.datetimes(datetime(1998, 1, 1), datetime(2034, 1, 1))  # noqa: DTZ001
NUMBERS = st.builds(
    lambda first, digits: f"{first}{digits}",
    st.sampled_from(["1", "13", "12", "2"]),
    st.sampled_from([7, 8, 9, 10, 11, 12, 14, 15, 16, 17, 18, 19]).flatmap(
        lambda count: st.text("0123456789", min_size=count, max_size=count)
    ),
)
TAILS = st.sampled_from(
    [
        "", "Z", "+0200", " +02:00", ".1", ".123", ".123456", ".1234567", ".123456789",
        ".1234567890", ",123", ".", ".x", ".5x", ".5é", ".5_", "é", "_", "x", "k", "·",
        " UTC and more words", "é" * 20, "日" * 15 + '"', "}", "|", ";", '"', " AM", "Pm", " p.m.",
        "  am", "\n", "\x00", ":", ":5", ":05", " 2026 and what follows it", "\N{NO-BREAK SPACE}",
    ]
)  # fmt: skip
LEADS = st.sampled_from(
    [
        "", " ", "\t", "[", "(", '"', "<", "|", ",", "=", ":", "x", "é", "-", "'", "\n", "\xa0",
        "1", "A", " A",
    ]
)  # fmt: skip
DAMAGE = st.sampled_from(["", "0", "9", " ", ":", "-", "/", ".", ",", "é", "J", "j", "\x00", "\n"])


@st.composite
def times(draw: st.DrawFn) -> str:
    """A time behind something, often damaged in one place."""
    text = draw(MOMENTS.flatmap(lambda moment: FORMS.map(moment.strftime)) | NUMBERS)
    text += draw(TAILS)
    if draw(st.booleans()):
        place = draw(st.integers(0, len(text) - 1))
        text = text[:place] + draw(DAMAGE) + text[place + draw(st.integers(0, 1)) :]
    return draw(LEADS) + text


FILLINGS = st.sampled_from(
    [
        "", "word ", "Apr ", "192.0.2.1 ", "é日 ", "10:00:01 ", "2026 ", "%ASA-6-302013: ", "12 ",
        "1/2 ",
    ]
)  # fmt: skip
LONG = st.builds(  # times at the end of what is asked, counted in characters
    lambda filling, count, text: (filling * TIME_HEAD)[: TIME_HEAD - count] + text + filling * 9,
    st.sampled_from(["x ", "é ", "日本 ", "1 ", "Nov 22 "]),
    st.integers(-2, 60),
    times(),
)
TEXTS = st.one_of(
    st.lists(times() | FILLINGS, max_size=6).map("".join),
    LONG,
    st.text(max_size=30),
    st.text('0123456789TZ:/-., NovSat"é', max_size=40),
)


def find_both(texts: pl.Series) -> tuple[list[str | None], list[str | None], int]:
    """Return what the pass finds, what the pattern finds in the same rows, how many it left."""
    found, unread = find_times(texts, np.ones(len(texts), dtype=np.bool_))
    slow = texts.str.head(TIME_HEAD).str.extract(TIME_IN_TEXT)
    return found.to_list(), slow.scatter(unread, None).to_list(), len(unread)


@untimed
@given(st.lists(TEXTS | st.none(), max_size=8))
@example(["x" * 379 + " 2026-11-22 10:00:01" + tail for tail in ("é", "日" * 3, "xé", "é" * 20)])
@example(["1795222010.é", "1795222010.5é", "1795222010é", None, "", "Sat, Nov 22 10:00:01"])
def test_what_the_pass_finds_the_pattern_finds_too(texts: list[str | None]) -> None:
    found, slow, _left = find_both(pl.Series(texts, dtype=pl.String))
    assert found == slow


@untimed
@given(st.lists(TEXTS | st.none(), min_size=2, max_size=8), st.data())
def test_slices_and_rows_that_are_not_asked(texts: list[str | None], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(texts) - 1))
    column = pl.Series(texts, dtype=pl.String)[start:]
    where = np.array(
        data.draw(st.lists(st.booleans(), min_size=len(column), max_size=len(column))), dtype=bool
    )
    whole, left = find_times(column, np.ones(len(column), dtype=np.bool_))
    found, left_of_asked = find_times(column, where)
    asked = pl.Series(where)
    assert found.to_list() == whole.set(~asked, None).to_list()
    assert left_of_asked.tolist() == [row for row in left.tolist() if where[row]]


@pytest.mark.parametrize(
    "form",
    [
        "%Y-%m-%dT%H:%M:%S.%fZ", "[%Y-%m-%d %H:%M:%S,%f]", "%Y/%m/%d %H:%M", "<%b %d %H:%M:%S>",
        "-- [%d/%b/%Y:%H:%M:%S +0000]", "%a %b %d %H:%M:%S %Y", "%a, %d %b %Y %H:%M:%S GMT",
        "%m/%d/%Y %I:%M:%S %p", "%Y%m%dT%H%M%SZ", "%s", "%s.123", "%s123", "%s123456 é",
        "user=é|%s123456789", "no time 10:00 but words é",
    ],
)  # fmt: skip
def test_it_vouches_for_the_common_notations(form: str) -> None:
    moments = [datetime(2026, 1, 1) + timedelta(hours=7 * step) for step in range(1_200)]  # noqa: DTZ001
    found, slow, left = find_both(pl.Series([f"{moment:{form}} and so on" for moment in moments]))
    assert left == 0
    assert found == slow
    assert (None in found) == form.startswith("no time")


@pytest.mark.parametrize("size", [0, 3])
def test_no_texts_and_nulls(size: int) -> None:
    found, left = find_times(pl.Series([None] * size, dtype=pl.String), np.ones(size, dtype=bool))
    assert found.to_list() == [None] * size
    assert found.dtype == pl.String
    assert len(left) == 0


def test_samples_have_the_times_that_the_pattern_finds() -> None:
    raws = [sample.raw for sample in (*read_sample_logs(), *read_benchmark_logs())]
    # From each place of a text on: times stand at its beginning, in its middle, across its end.
    texts = [raw[cut:] for raw in raws for cut in range(0, min(len(raw), 200), 7)]
    found, slow, left = find_both(pl.Series(raws + texts))
    assert found == slow
    assert left < len(found) / 1_000
    assert sum(time is not None for time in found[: len(raws)]) > len(raws) / 2
