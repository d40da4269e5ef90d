"""Mixed logs by the million, made from the sample logs: whole columns at a time, by a seed.

Belongs here: finding what varies in a sample (addresses, ids, times, users) and varying it. Does
not belong here: where the objects go (`measure`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl
import zstandard

JSON_SHARE = 0.6
OBJECT_EVENTS = 125_000
_ENVELOPED_JSON = 1 / 3
"""Of the logs in Vector envelopes; the other objects hold bare JSON logs."""
_POOL = 20_000
_USERS = (
    "amara",
    "bodil",
    "chidi",
    "dagny",
    "emeka",
    "freja",
    "gustav",
    "halima",
    "imani",
    "jonas",
)

Rng = np.random.Generator
Fill = Callable[[str, int, Rng, datetime], pl.Series]
"""(text in the sample, rows, generator, hour) -> the texts that stand there instead."""


def _random_digits(text: str, count: int, rng: Rng, _hour: datetime) -> pl.Series:
    first = rng.integers(1, 10, count).astype(str).astype(object)
    if len(text) == 1:
        return pl.Series(first, dtype=pl.String)
    rest = pl.Series(rng.integers(0, 10 ** min(len(text) - 1, 17), count)).cast(pl.String)
    return pl.Series(first, dtype=pl.String) + rest.str.zfill(len(text) - 1)


def _random_hex(text: str, count: int, rng: Rng, _hour: datetime) -> pl.Series:
    digits = len(text.replace("-", ""))
    raw = rng.bytes(min(count, _POOL) * (digits // 2 + 1)).hex()
    width = (digits // 2 + 1) * 2
    pool = [raw[at : at + digits] for at in range(0, len(raw), width)]
    if "-" in text:
        pool = [f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}" for h in pool]
    if text.upper() == text:
        pool = [item.upper() for item in pool]
    return _pick(pool, count, rng)


def _random_address(_text: str, count: int, rng: Rng, _hour: datetime) -> pl.Series:
    octets = rng.integers(1, 255, (min(count, _POOL), 3))
    return _pick([f"10.{a}.{b}.{c}" for a, b, c in octets.tolist()], count, rng)


def _random_user(text: str, count: int, rng: Rng, _hour: datetime) -> pl.Series:
    domain = text.partition("@")[2]
    numbers = rng.integers(1, 400, min(count, 4_000)).tolist()
    return _pick([f"{_USERS[n % 10]}{n}@{domain}" for n in numbers], count, rng)


def _random_time(pattern: str) -> Fill:
    def fill(_text: str, count: int, rng: Rng, hour: datetime) -> pl.Series:
        return _spread_times(count, rng, hour).dt.strftime(pattern)

    return fill


def _random_epoch(text: str, count: int, rng: Rng, hour: datetime) -> pl.Series:
    unit = 10 ** (len(text) - 10)
    seconds = int(hour.timestamp()) + rng.integers(0, 3_600, count)
    return pl.Series(seconds * unit + rng.integers(0, unit, count)).cast(pl.String)


# What varies between two logs of one event, and how. The first that matches a place wins.
_VARYING: tuple[tuple[str, Fill], ...] = (
    (r"(?i:\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b)", _random_hex),
    (r"\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d", _random_time("%Y-%m-%dT%H:%M:%S")),
    (r"\b20\d\d-\d\d-\d\d \d\d:\d\d:\d\d", _random_time("%Y-%m-%d %H:%M:%S")),
    (r"\b[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d", _random_time("%b %e %H:%M:%S")),
    (r"\b\d\d/[A-Z][a-z]{2}/20\d\d:\d\d:\d\d:\d\d", _random_time("%d/%b/%Y:%H:%M:%S")),
    (r"\b1[67]\d{8}(?:\d{3}){0,3}\b", _random_epoch),
    (r"\b(?:10|192\.0|198\.51|203\.0|172\.16|192\.168)(?:\.\d{1,3}){2,3}\b", _random_address),
    (r"\b[a-z][a-z0-9._-]+@[a-z0-9.-]+\.[a-z]{2,}\b", _random_user),
    (r"\b[0-9a-f]{32,64}\b|\b[0-9A-F]{32,64}\b", _random_hex),
    (r"(?<![/.\d])\d{7,15}\b", _random_digits),
)
_PLACES = re.compile("|".join(f"({pattern})" for pattern, _fill in _VARYING))


@dataclass(frozen=True)
class LogTemplate:
    """One sample log, cut where it varies."""

    pieces: tuple[str, ...]
    """Constant text; one more than there are places."""
    places: tuple[tuple[str, Fill], ...]
    is_json: bool

    def fill(self, count: int, rng: Rng, hour: datetime) -> pl.Series:
        """Return `count` logs of this template."""
        parts: list[pl.Series | pl.Expr] = [pl.lit(self.pieces[0])]
        columns: list[pl.Series] = []
        for number, (text, fill) in enumerate(self.places):
            columns.append(fill(text, count, rng, hour).alias(str(number)))
            parts += [pl.col(str(number)), pl.lit(self.pieces[number + 1])]
        frame = pl.DataFrame(columns) if columns else pl.DataFrame({"none": [None] * count})
        filled = frame.select(pl.concat_str(parts).alias("raw"))["raw"]
        return filled if len(filled) == count else filled.new_from_index(0, count)


def cut_template(raw: str) -> LogTemplate:
    """Cut one log of one line where it varies."""
    pieces, places, done = [], [], 0
    for match in _PLACES.finditer(raw):
        pieces.append(raw[done : match.start()])
        places.append((match[0], _VARYING[(match.lastindex or 1) - 1][1]))
        done = match.end()
    return LogTemplate((*pieces, raw[done:]), tuple(places), raw.lstrip().startswith("{"))


def cut_templates(raws: Sequence[str]) -> list[LogTemplate]:
    """Cut all logs of one line; logs of several lines are left out, NDJSON cannot hold them."""
    return [cut_template(raw.strip()) for raw in raws if "\n" not in raw.strip()]


@dataclass(frozen=True)
class MadeObject:
    """One object of an hour, ready to be stored."""

    name: str
    body: bytes
    event_count: int
    text_bytes: int


def make_objects(
    templates: Sequence[LogTemplate],
    event_count: int,
    hour: datetime,
    seed: int,
    is_skewed: bool = False,
) -> Iterator[MadeObject]:
    """Yield the objects of an hour with `event_count` logs in all, JSON_SHARE of them JSON.

    Every other object is NDJSON of bare JSON logs; the rest are Vector's envelopes with JSON logs
    and others in `message`. All are compressed with zstd. Templates are equally frequent, or, if
    skewed, the n-th of a random order is n times as rare as the first.
    """
    json_logs = [item for item in templates if item.is_json]
    other_logs = [item for item in templates if not item.is_json]
    if not json_logs or not other_logs:
        raise ValueError("the samples must hold JSON logs and others")
    rng = np.random.default_rng(seed)
    if is_skewed:
        json_logs, other_logs = _shuffle(json_logs, rng), _shuffle(other_logs, rng)
    spread = _spread_skewed if is_skewed else _spread
    # bare : enveloped so that bare + enveloped / 3 makes up JSON_SHARE.
    bare = round(event_count * (JSON_SHARE - _ENVELOPED_JSON) / (1 - _ENVELOPED_JSON))
    for kind, total in (("bare", bare), ("vector", event_count - bare)):
        for number, count in enumerate(_split(total, OBJECT_EVENTS)):
            inner = count if kind == "bare" else round(count * _ENVELOPED_JSON)
            logs = [*_fill_all(json_logs, spread(inner, len(json_logs)), rng, hour)]
            logs += _fill_all(other_logs, spread(count - inner, len(other_logs)), rng, hour)
            raw = pl.concat(logs).sample(fraction=1, shuffle=True, seed=int(rng.integers(1 << 31)))
            lines = raw if kind == "bare" else _wrap(raw, rng, hour)
            text = (lines.str.join("\n").item() + "\n").encode()
            body = zstandard.ZstdCompressor(level=3).compress(text)
            yield MadeObject(f"{kind}-{seed}-{number:03}.log.zst", body, count, len(text))


def _wrap(raw: pl.Series, rng: Rng, hour: datetime) -> pl.Series:
    """Put logs into the envelopes that Vector's file source writes."""
    count = len(raw)
    hosts = _pick([f"host-{number:03}" for number in range(200)], count, rng)
    times = _spread_times(count, rng, hour).dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
    frame = pl.DataFrame({"host": hosts, "message": raw, "timestamp": times})
    envelope = pl.struct(
        "host", "message", pl.lit("file").alias("source_type"), "timestamp"
    ).struct.json_encode()
    return frame.select(envelope.alias("line"))["line"]


def _fill_all(
    templates: Sequence[LogTemplate], shares: Sequence[int], rng: Rng, hour: datetime
) -> Iterator[pl.Series]:
    for template, share in zip(templates, shares, strict=True):
        if share:
            yield template.fill(share, rng, hour)


def _spread(total: int, places: int) -> list[int]:
    """Share `total` over places as evenly as whole numbers allow."""
    return [total // places + (place < total % places) for place in range(places)]


def _spread_skewed(total: int, places: int) -> list[int]:
    """Share `total` so that the n-th place has an n-th of the first's, as word counts have."""
    weights = np.cumsum(1 / np.arange(1, places + 1))
    ends = np.round(weights / weights[-1] * total).astype(np.int64)
    return [int(share) for share in np.diff(ends, prepend=0)]


def _shuffle(templates: Sequence[LogTemplate], rng: Rng) -> list[LogTemplate]:
    return [templates[place] for place in rng.permutation(len(templates))]


def _split(total: int, size: int) -> list[int]:
    """Cut `total` into equal parts of about `size`."""
    return _spread(total, max(1, round(total / size))) if total else []


def _spread_times(count: int, rng: Rng, hour: datetime) -> pl.Series:
    start = hour.replace(tzinfo=None)
    micros = pl.Series(rng.integers(0, 3_600_000_000, count)).cast(pl.Duration("us"))
    return pl.Series([start], dtype=pl.Datetime("us")).new_from_index(0, count) + micros


def _pick(pool: Sequence[str], count: int, rng: Rng) -> pl.Series:
    chosen: npt.NDArray[np.int64] = rng.integers(0, len(pool), count)
    return pl.Series(list(pool), dtype=pl.String).gather(chosen)


def next_hour(hour: datetime) -> datetime:
    """Return the hour after."""
    return hour + timedelta(hours=1)
