"""The compiled casts agree with slower readers on every text."""

from __future__ import annotations

import re

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from ocsf_pipeline.events.quick_values import V4, WITH_COLON, mark_addresses, read_plain_times
from ocsf_pipeline.events.values import cast_time

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_V4 = re.compile(rf"(?:{_OCTET}\.){{3}}{_OCTET}", re.ASCII)
ADDRESS_LIKE = st.one_of(
    st.ip_addresses().map(str),
    st.lists(st.integers(0, 300).map(str) | st.just("00") | st.just(""), max_size=6).map(".".join),
    st.text("0123456789.:af ", max_size=20),
)


def read_slowly(text: str) -> int | None:
    """Return epoch milliseconds by Polars' own parser, one notation after the other."""
    iso = pl.Series([text.replace(" ", "T", 1)])
    for pattern in ("%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M:%S%.f"):
        time = iso.str.to_datetime(pattern, time_unit="ms", strict=False)
        if time[0] is not None:
            return int(time.dt.epoch("ms")[0])
    return None


@settings(deadline=None)  # the first call compiles the pass
@given(st.lists(ADDRESS_LIKE | st.none(), max_size=20))
def test_addresses_are_those_that_the_pattern_finds(texts: list[str | None]) -> None:
    kinds = mark_addresses(pl.Series(texts, dtype=pl.String))
    for text, kind in zip(texts, kinds, strict=True):
        if text is not None and _V4.fullmatch(text):
            assert kind == V4
        else:
            assert kind == (WITH_COLON if text and ":" in text else 0)


@settings(deadline=None)
@given(
    st.datetimes(),
    st.sampled_from(["T", " "]),
    st.sampled_from(["", ".5", ".123456789", ".1234567890", "."]),
    st.sampled_from(["", "Z", "+02:00", "-0930", "+14:59", "+15:00", "+99:99", " UTC", "z"]),
)
def test_times_are_read_as_by_polars(moment, separator, fraction, zone) -> None:  # type: ignore[no-untyped-def]
    text = f"{moment:%Y-%m-%d}{separator}{moment:%H:%M:%S}{fraction}{zone}".rjust(19, "0")
    expected = read_slowly(text)
    quick = read_plain_times(pl.Series([text]))[0]
    assert quick is None or quick == expected
    if 1971 <= moment.year < 2200 and zone in ("", "Z", "+02:00", "-0930") and fraction != ".":
        cast = pl.select(cast_time(pl.lit(text))).item()
        assert cast == expected
        assert (quick is None) == (fraction == ".1234567890")


def test_a_column_of_mixed_notations_keeps_its_rows() -> None:
    texts = pl.Series(
        ["2026-11-23T10:00:00Z", None, "1700000000", "x", "1969-01-01T00:00:00Z",
         "2026-11-23 10:00:00.25", "2026-02-30T10:00:00Z", "1700000000123"]
    )  # fmt: skip
    times = texts.to_frame("t").select(cast_time(pl.col("t"))).to_series().to_list()
    assert times == [
        1795428000000, None, 1700000000000, None, None, 1795428000250, None, 1700000000123,
    ]  # fmt: skip
