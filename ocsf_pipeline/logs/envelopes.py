"""Envelopes: shippers that put the original log into a JSON object of their own.

Belongs here: telling JSON lines from other text, checking them, and taking the original out of what
Vector, Docker, Fluent Bit, Filebeat, Splunk's HEC, CloudWatch and OpenTelemetry wrap around it.
Does not belong here: what the original says, the pass that opens the commonest (`payloads`).
"""

from __future__ import annotations

import functools
import operator

import numpy as np
import polars as pl

from ocsf_pipeline.logs.frames import compute_where, spread
from ocsf_pipeline.logs.jsontext import check_json, compact_json
from ocsf_pipeline.logs.meanings import OUTER_KEYS
from ocsf_pipeline.logs.payloads import open_payloads
from ocsf_pipeline.logs.survey import KeyMeanings, Survey

# A brace alone may begin a GUID or a template; a quote or a closing brace after it means JSON.
_JSON_START = r'^\s*\{\s*["}]'
_MAX_LAYERS = 3
ENVELOPE_SCHEMA = pl.Schema(dict.fromkeys(OUTER_KEYS, pl.String))
_ALONE = r'^\{"(?:line|raw|_raw|message|log)": ?"(?:[^"\\]|\\.)*"\}\s*$'
_CLOUDWATCH = r'^\{"id": ?"[0-9]+", ?"timestamp": ?[0-9]+, ?"message": ?"'
# Fields of Beats that hold what was parsed out of the message: they say more than it does.
_PARSED_BY_BEAT = (
    r'"(?:winlog|process|source|destination|user|dns|http|auditd|rule|threat|system|network|'
    r'registry|url|client|server|code|action)": ?[{"]'
)
_LINE = "_line"
OPENED_COLUMNS = ("fields", "format", "envelope_time", "envelope_host")


def open_lines(lines: pl.DataFrame, keys: KeyMeanings) -> pl.DataFrame:
    """Tell JSON lines from others, check them, and take the original out of envelopes.

    Adds `fields` (JSON lines only), `format` (json, invalid, or null for other text),
    `envelope_time` and `envelope_host`; replaces `raw` where an envelope held it as text. The order
    of the rows is not kept.
    """
    parts = _open_layer(lines, keys, 0)
    opened = pl.concat(parts, how="diagonal") if len(parts) > 1 else parts[0]
    if _LINE in opened.columns:  # payloads that are objects were written anew: keep what came
        return opened.with_columns(pl.coalesce(_LINE, "raw").alias("raw")).drop(_LINE)
    return opened


def _null_columns(*names: str) -> list[pl.Expr]:
    return [pl.lit(None, dtype=pl.String).alias(name) for name in names]


def _open_layer(lines: pl.DataFrame, keys: KeyMeanings, layer: int) -> list[pl.DataFrame]:
    is_json = lines["raw"].str.starts_with('{"')
    if not is_json.all():
        spaced = compute_where(lines, ~is_json, pl.col("raw").str.contains(_JSON_START))
        is_json = is_json | spaced.fill_null(value=False)
    parts = []
    if not is_json.all():
        absent = [name for name in OPENED_COLUMNS if name not in lines.columns]
        parts.append(lines.filter(~is_json).with_columns(_null_columns(*absent)))
    if not is_json.any():
        return parts or [lines.with_columns(_null_columns(*OPENED_COLUMNS))]
    candidates = lines if is_json.all() else lines.filter(is_json)
    survey = keys.survey(candidates["raw"])
    is_bare = survey.is_plain & ~survey.may_wrap
    if is_bare.any():
        bare = candidates if is_bare.all() else candidates.filter(is_bare)
        parts.append(_finish_layer(bare.with_columns(pl.col("raw").alias("fields")), None))
        if is_bare.all():
            return parts
    finished, opened = _open_wrapped(candidates, survey, keys, layer)
    if not finished.is_empty():
        # Inside an envelope what only looks like JSON is text: nothing was cut off.
        parts.append(_finish_layer(finished, "invalid" if layer == 0 else None))
    if opened:
        inside = pl.concat(opened, how="diagonal") if len(opened) > 1 else opened[0]
        parts += _open_layer(inside, keys, layer + 1)
    return parts


def _open_wrapped(
    lines: pl.DataFrame, survey: Survey, keys: KeyMeanings, layer: int
) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """Return the lines that are no envelopes, with `fields`, and what envelopes hold, as lines."""
    may_open = (survey.has_keys & survey.may_wrap.to_numpy()) if layer < _MAX_LAYERS else None
    is_left = (~survey.is_plain | survey.may_wrap).to_numpy()
    finished, opened = [], []
    if may_open is not None and may_open.any():
        payloads = open_payloads(survey.keys, np.flatnonzero(may_open), keys.table)
        is_left[payloads.rows] = is_left[payloads.others] = False
        if len(payloads.rows):
            opened.append(_take_inner(lines[payloads.rows], payloads.said))
        if len(payloads.others):
            others = lines[payloads.others]
            finished.append(others.with_columns(pl.col("raw").alias("fields")))
    if is_left.any():
        left = lines if is_left.all() else lines.filter(is_left)
        texts, parsed = check_json(left["raw"], ENVELOPE_SCHEMA)
        left = left.with_columns(compact_json(texts).alias("fields"))
        if layer < _MAX_LAYERS:
            inner = find_inner(left["raw"], parsed)
            held = inner["inner"].is_not_null()
            if held.any():
                enveloped = left if held.all() else left.filter(held)
                opened.append(_take_inner(enveloped.drop("fields"), inner.filter(held)))
                left = left.filter(~held)
        finished.append(left)
    done = pl.concat(finished) if finished else lines.clear()
    return done, opened


def _finish_layer(frame: pl.DataFrame, otherwise: str | None) -> pl.DataFrame:
    absent = [name for name in OPENED_COLUMNS[2:] if name not in frame.columns]
    is_good = pl.col("fields").is_not_null()
    format_name = pl.when(is_good).then(pl.lit("json")).otherwise(pl.lit(otherwise, pl.String))
    return frame.with_columns(format_name.alias("format"), *_null_columns(*absent))


def find_inner(raw: pl.Series, parsed: pl.DataFrame) -> pl.DataFrame:
    """Return `inner` (null where there is no envelope), `is_object`, and what the envelope says."""
    frame = parsed.with_columns(raw.alias("_line"))
    left = pl.Series("left", [True]).new_from_index(0, len(frame))
    is_object = ~left
    parts = []
    for is_meant, payload in _RULES:
        found = is_meant(frame.with_columns(left.alias("_left")))
        if found is None:
            continue
        found = found & left
        rows = np.flatnonzero(found.to_numpy())
        if len(rows):
            part = frame if len(rows) == len(frame) else frame[rows]
            parts.append((rows, part.select(payload.str.strip_chars_end("\r\n").alias("p"))["p"]))
            left = left & ~found
            if is_meant is _is_hec:
                is_object = found
    inner = spread(parts, len(frame), pl.String()).alias("inner")
    host = pl.coalesce("host", "hostname")
    if frame["agent"].null_count() < len(frame):
        host = (
            pl.when(host.str.starts_with("{"))
            .then(host.str.json_path_match("$.name"))
            .otherwise(host)
        )
    return frame.select(
        pl.when(inner.str.contains(r"\S")).then(inner).alias("inner"),
        (is_object & inner.str.starts_with("{")).alias("is_object"),
        pl.coalesce("timestamp", "time", "@timestamp", "date").alias("envelope_time"),
        host.alias("envelope_host"),
    )


def _has(frame: pl.DataFrame, payload: str, *marks: str) -> pl.Series | None:
    """Tell which rows have `payload` and one of the marks; None where no row can."""
    if frame[payload].null_count() == len(frame):
        return None
    known = [frame[name].is_not_null() for name in marks if frame[name].null_count() < len(frame)]
    if not known:
        return None
    rows = frame[payload].is_not_null() & functools.reduce(operator.or_, known)
    if payload in ("event", "body"):
        return rows
    # The block reader gives objects as text, too: a payload must have been a string.
    braced = rows & frame[payload].str.starts_with("{").fill_null(value=False)
    return rows & ~_where(frame, braced, rf'"{payload}": ?\{{', "_line")


def _where(frame: pl.DataFrame, rows: pl.Series | None, pattern: str, column: str) -> pl.Series:
    """Look for a pattern in some rows only; false elsewhere."""
    if rows is not None:
        rows = rows & frame["_left"]
    if rows is None or not rows.any():
        return pl.Series("found", [False]).new_from_index(0, len(frame))
    found = compute_where(frame, rows, pl.col(column).str.contains(pattern))
    return found.fill_null(value=False)


def _is_original(frame: pl.DataFrame) -> pl.Series | None:
    rows = _has(frame, "event", "agent", "ecs", "@timestamp")
    return None if rows is None else _where(frame, rows, r'"original": ?"', "event")


def _is_hec(frame: pl.DataFrame) -> pl.Series | None:
    return _has(frame, "event", "sourcetype", "index")


def _is_vector(frame: pl.DataFrame) -> pl.Series | None:
    return _has(frame, "message", "source_type", "@version")


def _is_beat(frame: pl.DataFrame) -> pl.Series | None:
    rows = _has(frame, "message", "agent")
    return None if rows is None else rows & ~_where(frame, rows, _PARSED_BY_BEAT, "_line")


def _is_container(frame: pl.DataFrame) -> pl.Series | None:
    return _has(frame, "log", "stream", "date", "kubernetes")


def _is_telemetry(frame: pl.DataFrame) -> pl.Series | None:
    return _has(frame, "body", "attributes", "severity_text", "severityText")


def _is_alone(frame: pl.DataFrame) -> pl.Series | None:
    rows = _has(frame, "message", "message")
    for name in ("log", "line", "raw", "_raw"):
        more = _has(frame, name, name)
        rows = more if rows is None else rows if more is None else rows | more
    return None if rows is None else _where(frame, rows, f"{_ALONE}|{_CLOUDWATCH}", "_line")


_RULES = (
    # From the line itself: what the block reader says of nested objects is not escaped throughout.
    (_is_original, pl.col("_line").str.json_path_match("$.event.original")),
    (_is_hec, pl.col("_line").str.json_path_match("$.event")),
    (_is_vector, pl.col("message")),
    (_is_beat, pl.col("message")),
    (_is_container, pl.col("log")),
    (
        _is_telemetry,
        pl.coalesce(
            pl.col("_line").str.json_path_match("$.body.stringValue"),
            pl.col("_line").str.json_path_match("$.body"),
        ),
    ),
    (_is_alone, pl.coalesce("message", "log", "line", "raw", "_raw")),
)


def _take_inner(frame: pl.DataFrame, inner: pl.DataFrame) -> pl.DataFrame:
    """Return what envelopes hold as lines of their own; an outer envelope's time and host stay."""
    said = inner.select("envelope_time", "envelope_host")
    if "envelope_time" in frame.columns:
        outer = frame.select("envelope_time", "envelope_host")
        said = pl.DataFrame(
            {name: outer[name].fill_null(said[name]) for name in said.columns},
        )
    if inner["is_object"].any():
        frame = frame.with_columns(
            pl.coalesce(
                *([_LINE] if _LINE in frame.columns else []),
                pl.when(inner["is_object"]).then(pl.col("raw")),
            ).alias(_LINE)
        )
    opened = frame.drop(*(n for n in said.columns if n in frame.columns)).hstack(said)
    return opened.with_columns(inner["inner"].alias("raw"))
