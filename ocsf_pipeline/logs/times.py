"""Times in every common notation -> UTC microseconds, as Polars expressions over columns.

Belongs here: finding out which notation a text has, and reading it where the compiled pass over the
commonest ones (`stamps`) does not. Does not belong here: where in
a log the time stands. No clock: what a text leaves out (the year) comes from a reference column.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from ocsf_pipeline.logs.frames import compute_where, spread
from ocsf_pipeline.logs.records import UTC_TIME
from ocsf_pipeline.logs.stamps import read_stamps

_MONTH = r"(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_CLOCK = r"[0-9]{1,2}:[0-9]{2}:[0-9]{2}"

# Text that looks like a time, for use inside larger patterns (no capture groups).
TIME_PATTERN = (
    r"(?:[0-9]{4}[-/][0-9]{2}[-/][0-9]{2}[T ]+[0-9]{2}:[0-9]{2}(?::[0-9]{2})?[^\",}|;]{0,16}"
    r"|[0-9]{1,2}[/\- ][A-Z][a-z]{2}[/\- ][0-9]{4}[: ][0-9]{2}:[0-9]{2}:[0-9]{2}[^\",}|;]{0,14}"
    r"|(?:[A-Z][a-z]{2},? )?[A-Z][a-z]{2} +[0-9]{1,2},? (?:[0-9]{4},? )?"
    r"[0-9]{2}:[0-9]{2}:[0-9]{2}[^\",}|;]{0,16}"
    r"|[A-Z][a-z]{2}, [0-9]{1,2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2}[^\",}|;]{0,8}"
    r"|[0-9]{1,2}[/.][0-9]{1,2}[/.][0-9]{4},? [0-9]{1,2}:[0-9]{2}:[0-9]{2}(?: ?[AaPp][Mm])?"
    r"|[0-9]{8}T[0-9]{6}(?:\.[0-9]+)?Z?"
    # A number with more digits is no time: an account, a serial number.
    r"|(?:1[0-9]{9}(?:\.[0-9]{1,9})?|1[0-9]{12}(?:\.[0-9]{1,6})?|1[0-9]{15}|1[0-9]{18}|13[0-9]{16})\b)"
)

_MAX_AHEAD = pl.duration(days=366 * 5)
_EARLIEST_YEAR = 1990
_FILETIME_EPOCH_SECONDS = 11_644_473_600

# First match wins; (name, pattern). Each name has its reader below.
_NOTATIONS: tuple[tuple[str, str], ...] = (
    ("iso", r"^[0-9]{4}[-/][0-9]{2}[-/][0-9]{2}[T ]+[0-9]{2}:[0-9]{2}"),
    ("epoch", r"^[0-9]{9,10}(?:\.[0-9]+)?$|^[0-9]{13}(?:\.[0-9]+)?$|^[0-9]{16}$|^[0-9]{18,19}$"),
    (
        "month_first",
        rf"^(?:[A-Z][a-z]{{2}},? +)?{_MONTH} +[0-9]{{1,2}},? +(?:[0-9]{{4}},? +)?{_CLOCK}",
    ),
    (
        "day_first",
        rf"^(?:[A-Z][a-z]{{2}}, +)?[0-9]{{1,2}}[/\- ]{_MONTH}[/\- ][0-9]{{4}}[: ]+{_CLOCK}",
    ),
    ("slashed", rf"^[0-9]{{1,2}}[/.][0-9]{{1,2}}[/.][0-9]{{4}},? +{_CLOCK}"),
    ("compact", r"^[0-9]{8}T[0-9]{6}"),
)


def parse_times(texts: pl.Series, reference: pl.Series) -> pl.Series:
    """Read `texts` (String) as UTC times; null where no notation fits or the result is absurd.

    `reference` (UTC microseconds, same length) supplies the year for RFC 3164 times, which are
    taken to lie at most one day after it. A time without a zone is taken as UTC.
    """
    time, unread = read_stamps(texts, reference)
    if not len(unread):
        return time
    return time.scatter(unread, parse_times_by_notation(texts[unread], reference[unread]))


def parse_times_by_notation(texts: pl.Series, reference: pl.Series) -> pl.Series:
    """Do what `parse_times` does by expressions alone, for every notation."""
    text = texts.str.strip_chars(" \"'[]*,")
    frame = pl.DataFrame({"text": text, "reference": reference})
    quick = frame.select(_read_plain_iso(text).alias("time"))["time"]
    # The commonest notations at once, the others only where those do not fit.
    for read in (_read_plain_month, _read_other):
        rows = np.flatnonzero((quick.is_null() & text.is_not_null()).to_numpy())
        if not len(rows):
            break
        part = frame if len(rows) == len(frame) else frame[rows]
        quick = quick.fill_null(spread([(rows, read(part))], len(frame), UTC_TIME))
    frame = pl.DataFrame({"time": quick.cast(UTC_TIME), "reference": reference})
    time = pl.col("time")
    sane = (time.dt.year() >= _EARLIEST_YEAR) & (time <= pl.col("reference") + _MAX_AHEAD)
    return frame.select(pl.when(sane).then(time).alias("time"))["time"]


def _read_plain_iso(text: pl.Series) -> pl.Series:
    """`2026-11-22T10:00:01[.123456][Z]`: a fixed format is read four times as fast."""
    rest = pl.col("text").str.slice(19)
    frame = text.to_frame("text").with_columns(rest.alias("rest"))
    stamp = pl.col("text").str.head(19)
    naive = stamp.str.to_datetime(
        "%Y-%m-%dT%H:%M:%S", strict=False, time_unit="us", time_zone="UTC"
    )
    is_plain = pl.col("rest").str.contains(r"^(?:\.[0-9]{1,9})?Z?$")
    time = frame.select(pl.when(is_plain).then(naive).alias("time"))["time"]
    if not frame.select(pl.col("rest").str.starts_with(".").any()).item():
        return time
    digits = pl.col("rest").str.slice(1, 6).str.strip_chars_end("Z").str.pad_end(6, "0")
    micros = frame.select(digits.cast(pl.Int64, strict=False).fill_null(0).alias("us"))["us"]
    return pl.select(time + pl.duration(microseconds=pl.lit(micros))).to_series()


def _read_plain_month(frame: pl.DataFrame) -> pl.Series:
    """`Nov 22 10:00:01` of the reference's year, `Nov 22 2026 10:00:01`, `2026-11-22 10:00:01`."""
    year = pl.col("reference").dt.year().cast(pl.String)
    this_year = pl.concat_str(year, "text", separator=" ")
    return frame.select(
        guessed=this_year.str.to_datetime(
            "%Y %b %d %H:%M:%S", strict=False, time_unit="us", time_zone="UTC"
        ),
        given=pl.col("text").str.to_datetime(
            "%b %d %Y %H:%M:%S", strict=False, time_unit="us", time_zone="UTC"
        ),
        spaced=pl.col("text").str.to_datetime(
            "%Y-%m-%d %H:%M:%S", strict=False, time_unit="us", time_zone="UTC"
        ),
        reference=pl.col("reference"),
    ).select(
        # Of a time that lies ahead, or far back, the year is in doubt: the careful reader decides.
        pl.coalesce(
            "given",
            "spaced",
            pl.when(
                pl.col("guessed").is_between(
                    pl.col("reference") - pl.duration(days=300), pl.col("reference")
                )
            ).then("guessed"),
        ).alias("time")
    )["time"]


def _read_other(frame: pl.DataFrame) -> pl.Series:
    """Read each text by the first notation that fits; null where none does."""
    parts = []
    left = pl.Series("left", [True]).new_from_index(0, len(frame))
    for name, pattern in _NOTATIONS:
        fits = compute_where(frame, left, pl.col("text").str.contains(pattern))
        fits = fits.fill_null(value=False)
        rows = np.flatnonzero(fits.to_numpy())
        if len(rows):
            part = frame if len(rows) == len(frame) else frame[rows]
            parts.append((rows, _READERS[name](part).cast(UTC_TIME)))
            left = left & ~fits
    return spread(parts, len(frame), UTC_TIME)


def _offset_minutes(text: pl.Expr) -> pl.Expr:
    """Minutes east of UTC, from a trailing `+0200`, `+02:00` or `-07`; 0 for `Z` or nothing."""
    groups = text.str.extract_groups(r"([+-])([0-9]{2}):?([0-9]{2})?\s*(?:\(.*\))?$")
    minutes = groups.struct.field("2").cast(pl.Int64) * 60 + groups.struct.field("3").cast(
        pl.Int64
    ).fill_null(0)
    signed = pl.when(groups.struct.field("1") == "-").then(-minutes).otherwise(minutes)
    return signed.fill_null(0)


def _to_utc(naive: pl.Expr, text: pl.Expr, with_zone: bool) -> pl.Expr:
    local = naive.dt.replace_time_zone("UTC")
    return local - pl.duration(minutes=_offset_minutes(text)) if with_zone else local


def _read_iso(part: pl.DataFrame) -> pl.Series:
    text = pl.col("text")
    clock = text.str.slice(10)
    # Zones are rare enough to look first: the pattern costs more than the parse.
    with_zone = bool(part.select(clock.str.contains(r"[+-][0-9]{2}").any()).item())
    stamp = (
        text.str.extract(
            r"^([0-9]{4}[-/][0-9]{2}[-/][0-9]{2}[T ]+"
            r"[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?)"
        )
        .str.replace_all("/", "-", literal=True)
        .str.replace(r"[T ]+", "T")
        .str.replace(",", ".", literal=True)
    )
    naive = stamp.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", strict=False, time_unit="us")
    minutes_only = stamp.str.to_datetime("%Y-%m-%dT%H:%M", strict=False, time_unit="us")
    if part.select((stamp.str.len_bytes() < 19).any()).item():
        naive = naive.fill_null(minutes_only)
    return part.select(_to_utc(naive, clock, with_zone).alias("time"))["time"]


def _read_epoch(part: pl.DataFrame) -> pl.Series:
    whole = pl.col("text").str.extract(r"^([0-9]+)").cast(pl.Int64, strict=False)
    fraction = pl.col("text").str.extract(r"\.([0-9]{1,9})$")
    fraction_part = ("0." + fraction).cast(pl.Float64, strict=False).fill_null(0.0)
    digits = pl.col("text").str.extract(r"^([0-9]+)").str.len_bytes()
    filetime = whole // 10 - _FILETIME_EPOCH_SECONDS * 1_000_000
    micros = (
        pl.when(digits <= 10).then(whole * 1_000_000 + (fraction_part * 1e6).round().cast(pl.Int64))
        .when(digits == 13).then(whole * 1_000 + (fraction_part * 1e3).round().cast(pl.Int64))
        .when(digits == 16).then(whole)
        .when(digits == 18).then(filetime)
        .otherwise(whole // 1_000)
    )  # fmt: skip
    return part.select(pl.from_epoch(micros, "us").dt.replace_time_zone("UTC").alias("time"))[
        "time"
    ]


def _read_month_first(part: pl.DataFrame) -> pl.Series:
    """`Nov 22 10:00:01[.123]`, `Nov 22 2026 10:00:01`, `Sun Nov 22 10:00:00 2026`."""
    groups = pl.col("text").str.extract_groups(
        rf"({_MONTH}) +([0-9]{{1,2}}),? +(?:([0-9]{{4}}),? +)?({_CLOCK})(?:[.,]([0-9]{{1,6}}))?"
        r"(?: ?[A-Z]{2,4})?(?: ([0-9]{4})\b)?"
    )
    frame = part.select("text", "reference", groups.alias("g")).unnest("g")
    given = pl.coalesce("3", "6").cast(pl.Int32, strict=False)
    latest = pl.col("reference") + pl.duration(days=1)
    latest_year = latest.dt.year()

    def stamp(year: pl.Expr) -> pl.Expr:
        text = pl.concat_str(
            year.cast(pl.String), pl.col("1").str.slice(0, 3).str.to_titlecase(),
            pl.col("2").str.zfill(2), pl.col("4").str.zfill(8), separator=" ",
        )  # fmt: skip
        read = text.str.to_datetime("%Y %b %d %H:%M:%S", strict=False, time_unit="us")
        return read.dt.replace_time_zone("UTC")

    fraction = (("0." + pl.col("5")).cast(pl.Float64) * 1e6).round().fill_null(0).cast(pl.Int64)
    this_year = stamp(latest_year)
    guessed = (
        pl.when(this_year <= latest)
        .then(this_year)
        .otherwise(stamp(latest_year - 1))
        .fill_null(stamp(latest_year - 1))
    )  # 29 February of last year has no counterpart in this one
    time = pl.when(given.is_not_null()).then(stamp(given)).otherwise(guessed)
    zone = pl.duration(minutes=_offset_minutes(pl.col("text")))
    return frame.select((time + pl.duration(microseconds=fraction) - zone).alias("time"))["time"]


def _read_day_first(part: pl.DataFrame) -> pl.Series:
    """`22/Nov/2026:10:00:01 +0000`, `22-Nov-2026 10:00:01`, `Sun, 22 Nov 2026 10:00:01 GMT`."""
    groups = pl.col("text").str.extract_groups(
        rf"([0-9]{{1,2}})[/\- ]({_MONTH})[/\- ]([0-9]{{4}})[: ]+({_CLOCK})"
    )
    stamp = pl.concat_str(
        pl.col("1").str.zfill(2), pl.col("2").str.slice(0, 3).str.to_titlecase(),
        pl.col("3"), pl.col("4").str.zfill(8), separator=" ",
    )  # fmt: skip
    naive = stamp.str.to_datetime("%d %b %Y %H:%M:%S", strict=False, time_unit="us")
    frame = part.select("text", groups.alias("g")).unnest("g")
    return frame.select(_to_utc(naive, pl.col("text"), with_zone=True).alias("time"))["time"]


def _read_slashed(part: pl.DataFrame) -> pl.Series:
    """`11/22/2026 10:00:01 AM`; `22.11.2026 10:00:01`: dots, or a first part above 12, say day."""
    groups = pl.col("text").str.extract_groups(
        rf"^([0-9]{{1,2}})([/.])([0-9]{{1,2}})[/.]([0-9]{{4}}),? +({_CLOCK})\s*((?i:[ap]m))?"
    )
    frame = part.select(groups.alias("g")).unnest("g")
    first, second = pl.col("1").str.zfill(2), pl.col("3").str.zfill(2)
    day_leads = (pl.col("2") == ".") | (pl.col("1").cast(pl.Int32) > 12)
    hour = pl.col("5").str.zfill(8).str.slice(0, 2).cast(pl.Int32)
    half = pl.col("6").str.to_lowercase()
    hour_of_day = (
        pl.when(half == "pm").then(hour % 12 + 12).when(half == "am").then(hour % 12)
        .otherwise(hour)
    )  # fmt: skip
    stamp = pl.concat_str(
        pl.col("4"), pl.when(day_leads).then(second).otherwise(first),
        pl.when(day_leads).then(first).otherwise(second),
        hour_of_day.cast(pl.String).str.zfill(2) + pl.col("5").str.zfill(8).str.slice(2),
        separator=" ",
    )  # fmt: skip
    naive = stamp.str.to_datetime("%Y %m %d %H:%M:%S", strict=False, time_unit="us")
    return frame.select(naive.dt.replace_time_zone("UTC").alias("time"))["time"]


def _read_compact(part: pl.DataFrame) -> pl.Series:
    stamp = pl.col("text").str.slice(0, 15)
    naive = stamp.str.to_datetime("%Y%m%dT%H%M%S", strict=False, time_unit="us")
    return part.select(naive.dt.replace_time_zone("UTC").alias("time"))["time"]


_READERS = {
    "iso": _read_iso,
    "epoch": _read_epoch,
    "month_first": _read_month_first,
    "day_first": _read_day_first,
    "slashed": _read_slashed,
    "compact": _read_compact,
}
