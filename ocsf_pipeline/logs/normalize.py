"""Records of one object -> normalised records with a template id, and quarantine.

Belongs here: putting the parts together for one frame of records: envelopes, formats, fields,
times, hosts, templates. Does not belong here: reading objects (`read`), any single format.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from ocsf_pipeline.logs.formats import extract_fields, recognize_formats
from ocsf_pipeline.logs.jsontext import canonicalize_json, extract_json_value, unescape_json
from ocsf_pipeline.logs.quarantine import select_quarantine
from ocsf_pipeline.logs.records import NORMALIZED_SCHEMA, QUARANTINE_SCHEMA, UTC_TIME
from ocsf_pipeline.logs.shapes import (
    build_structured_shapes,
    build_text_shapes,
    build_unnamed_shapes,
    names_event,
)
from ocsf_pipeline.logs.syslog import HEADER_COLUMNS, split_headers
from ocsf_pipeline.logs.templates import Template, identify_template
from ocsf_pipeline.logs.times import TIME_PATTERN, parse_times

_TIME_KEYS = (
    r"(?:[a-z0-9_@\-]+\.)*(?:@?timestamp|event_?time(?:stamp)?|_?time|ts|date_?time|datetime|"
    r"created?_?(?:at|time|date|on|date_?time)?|creation_?(?:time|date)|published|occur+ed_?(?:at|on)?|"
    r"start_?time|logged_?(?:at|on|time)|when|generated_?(?:time|at|on)|time_?generated|utc_?time|systemtime|"
    r"rt|device_?receipt_?time|devicetime|time_?created|activity_?date_?time|received_?(?:time|at)|"
    r"event_?date(?:time)?|log_?time|request_?time|timereceived|inserted_?at|first_?seen|detected_?at|"
    r"epoch|unix_?time|date|detection_?time|update_?time|last_?event|effective_at|alert_?time|"
    r"startedatetime|start|timestamp_?ms|originated_?at|report_?time|last_?modified|_ts)"
)
_TIME_IN_TEXT = rf"(?:^|[ \t\[(\"<|,=:])({TIME_PATTERN})"
_TIME_VALUE = extract_json_value(_TIME_KEYS, TIME_PATTERN)
_HOST_VALUE = extract_json_value(
    r"(?:[a-z0-9_]+\.)*(?:host_?name|computer_?name|computer|host|device_?name|dvchost|devname|"
    r"agent_?hostname|endpoint_?name|machine_?name|node_?name|syslog_host|sensor_?name|dvc)",
    r'[^",}\]{\[\\]{1,253}',
)
_NESTED_HOST = (
    r'"(?i:host|device|computer|agent|endpoint)":\{[^{}]{0,400}?"(?i:name|hostname)":"([^"\\]+)"'
)
_SEVERITY_VALUE = extract_json_value(
    r"(?:[a-z0-9_]+\.)*(?:severity(?:_?(?:name|label|level|id))?|log_?level|level(?:_?name)?|sev|"
    r"cefseverity|risk_?level|priority|threat_?level|alert_?severity|crscore)",
    r'[^",}\]{\[\\]{1,24}',
)
_MESSAGE_VALUE = (
    r'"(?i:message|msg|short_?message|full_?message|description|event_?message|displaymessage|'
    r'summary|title|eventdescription)":"((?:[^"\\]|\\.)*)"'
)
_SYSLOG_SEVERITIES = (
    "emergency", "alert", "critical", "error", "warning", "notice", "informational", "debug",
)  # fmt: skip

# A brace alone may begin a GUID or a template; a quote or a closing brace after it means JSON.
_JSON_START = r'^\s*\{\s*["}]'

# Envelopes: shippers that put the original line into one string of a JSON object of their own.
_ENVELOPE = (
    r'"message":"[\s\S]*"source_type":"|"source_type":"[\s\S]*"message":"'  # Vector
    r'|^\{"log":"[\s\S]*"stream":"std(?:out|err)"|"stream":"std(?:out|err)"[\s\S]*"log":"'  # Docker
    r'|^\{"date":[\d.]+,"log":"'  # Fluent Bit
    r'|^\{"(?:line|raw|_raw|message|log)":"(?:[^"\\]|\\.)*"\}$'
)
_ENVELOPE_SCHEMA = {
    "message": pl.String, "log": pl.String, "line": pl.String, "raw": pl.String, "_raw": pl.String,
    "timestamp": pl.String, "time": pl.String, "host": pl.String, "hostname": pl.String,
}  # fmt: skip


@dataclass(frozen=True)
class ObjectContext:
    """What is known of the object that records come from."""

    key: str
    version: str
    hour: datetime
    observed_time: datetime
    """When the object was stored; the observed time of records whose envelope has none."""

    @property
    def uid_prefix(self) -> str:
        """Beginning of every event_uid of this object: 20 hex digits of key and version."""
        return hashlib.sha256(f"{self.key}\0{self.version}".encode()).hexdigest()[:20]


@dataclass
class TemplateRegistry:
    """Shapes met so far and their templates; grows with new shapes, never with logs."""

    _templates: dict[str, Template] = field(default_factory=dict)
    max_shapes: int = 200_000
    """Beyond this the memory is emptied: templates are derived anew, with the same ids."""

    def resolve_shapes(self, shapes: pl.Series) -> pl.DataFrame:
        """Return shape, template_id, vendor, product for each distinct shape."""
        distinct = shapes.unique()
        if len(self._templates) > self.max_shapes:
            self._templates.clear()
        for shape in distinct:
            if shape not in self._templates:
                self._templates[shape] = identify_template(shape)
        known = [self._templates[shape] for shape in distinct]
        return pl.DataFrame(
            {
                "shape": distinct,
                "template_id": [template.template_id for template in known],
                "_vendor": [template.vendor for template in known],
                "_product": [template.product for template in known],
            },
            schema={"shape": pl.String, "template_id": pl.String, "_vendor": pl.String,
                    "_product": pl.String},
        )  # fmt: skip


@dataclass(frozen=True)
class NormalizedFrame:
    """What one frame of records became: every record is in exactly one of the two."""

    records: pl.DataFrame
    """NORMALIZED_SCHEMA."""
    quarantine: pl.DataFrame
    """QUARANTINE_SCHEMA."""


def normalize_records(
    lines: pl.DataFrame, context: ObjectContext, registry: TemplateRegistry
) -> NormalizedFrame:
    """Normalise records (position, offset_bytes, raw; optionally `fields` of columns).

    Records that came under a column header carry their `fields` already, as JSON object text.
    """
    has_fields = "fields" in lines.columns
    opened = lines if has_fields else _open_json(lines)
    if has_fields:
        opened = opened.with_columns(
            pl.lit("csv").alias("format"), *_null_columns("envelope_time", "envelope_host")
        )
    broken = opened.filter(pl.col("format") == "invalid")
    good = opened.filter(pl.col("format").ne_missing("invalid")) if not broken.is_empty() else opened
    structured = _read_bodies(good)
    records = _finish(structured, context, registry)
    quarantine = select_quarantine(broken, "invalid_json", context.key, context.hour)
    return NormalizedFrame(records, quarantine.cast(QUARANTINE_SCHEMA))


def _null_columns(*names: str) -> list[pl.Expr]:
    return [pl.lit(None, dtype=pl.String).alias(name) for name in names]


def _open_json(lines: pl.DataFrame) -> pl.DataFrame:
    """Tell JSON lines from others, check them, and take the original out of envelopes.

    Adds `fields` (JSON lines only), `format` (json, invalid, or null for other text),
    `envelope_time`, `envelope_host`; replaces `raw` where an envelope held it.
    """
    is_json = pl.col("raw").str.contains(_JSON_START)
    frame = lines.with_columns(
        canonicalize_json(pl.when(is_json).then(pl.col("raw"))).alias("fields"),
        is_json.alias("_json"),
    ).with_columns(
        pl.when(pl.col("_json") & pl.col("fields").is_null())
        .then(pl.lit("invalid"))
        .when("_json")
        .then(pl.lit("json"))
        .alias("format"),
        *_null_columns("envelope_time", "envelope_host"),
    )
    enveloped = frame["fields"].str.contains(_ENVELOPE).fill_null(value=False)
    if not enveloped.any():
        return frame.drop("_json")
    inner = _open_envelopes(frame.filter(enveloped))
    return pl.concat([frame.filter(~enveloped), inner], how="diagonal").drop("_json")


def _open_envelopes(frame: pl.DataFrame) -> pl.DataFrame:
    envelope = pl.read_ndjson(
        frame["fields"].str.join("\n").item().encode(), schema=_ENVELOPE_SCHEMA, ignore_errors=True
    )
    inside = pl.coalesce("message", "log", "line", "raw", "_raw").str.strip_chars_end("\r\n")
    opened = envelope.select(
        inside.alias("inside"),
        pl.coalesce("timestamp", "time").alias("envelope_time"),
        pl.coalesce("host", "hostname").alias("envelope_host"),
    )
    frame = frame.drop("envelope_time", "envelope_host").hstack(opened)
    held = pl.col("inside").is_not_null() & pl.col("inside").str.contains(r"\S")
    is_json = held & pl.col("inside").str.contains(_JSON_START)
    inner_fields = canonicalize_json(pl.when(is_json).then(pl.col("inside")))
    return frame.with_columns(inner_fields.alias("_inner")).with_columns(
        # A message that only looks like JSON is text: its envelope was sound, nothing is cut off.
        pl.when(held).then(pl.col("_inner")).otherwise(pl.col("fields")).alias("fields"),
        pl.when(held & pl.col("_inner").is_null())
        .then(pl.lit(None, dtype=pl.String))
        .otherwise(pl.lit("json"))
        .alias("format"),
        pl.when(held).then(pl.col("inside")).otherwise(pl.col("raw")).alias("raw"),
    ).drop("_inner", "inside")  # fmt: skip


def _read_bodies(frame: pl.DataFrame) -> pl.DataFrame:
    """Read headers and bodies of everything that is not structured yet."""
    done = frame.filter(pl.col("format").is_not_null()).with_columns(
        *_null_columns(*HEADER_COLUMNS)
    )
    text = frame.filter(pl.col("format").is_null())
    if text.is_empty():
        return done
    split = split_headers(text.drop("fields", "format"), "raw").drop("structured_data")
    read = extract_fields(split.with_columns(recognize_formats(pl.col("body")).alias("format")))
    is_syslog = (pl.col("format") == "text") & (
        pl.col("header_time").is_not_null() | pl.col("pri").is_not_null()
    )
    read = read.with_columns(
        pl.when(is_syslog).then(pl.lit("syslog")).otherwise(pl.col("format")).alias("format")
    )
    return pl.concat([done, read], how="diagonal") if not done.is_empty() else read


def _finish(
    frame: pl.DataFrame, context: ObjectContext, registry: TemplateRegistry
) -> pl.DataFrame:
    """Add times, host, severity, message, identity and template: the columns of a record."""
    is_text = frame["format"].is_in(["text", "syslog", "access"])
    parts = [
        describe(part)
        for describe, part in (
            (_describe_text, frame.filter(is_text)),
            (_describe_structured, frame.filter(~is_text)),
        )
        if not part.is_empty()
    ]
    if not parts:
        return pl.DataFrame(schema=NORMALIZED_SCHEMA)
    described = pl.concat(parts, how="diagonal") if len(parts) > 1 else parts[0]
    return _select_record(_add_times(described, context), context, registry)


def _describe_text(frame: pl.DataFrame) -> pl.DataFrame:
    """Text says what it is in its header and its words."""
    body = pl.coalesce("body", "raw")
    severity_number = pl.col("pri").cast(pl.Int32, strict=False) % 8
    is_access = pl.col("format") == "access"
    request = pl.col("fields").str.extract(r'"http_method":"([A-Z]+)"').fill_null("")
    return frame.with_columns(
        pl.when(is_access)
        .then(pl.concat_str(pl.lit("access log "), request))
        .otherwise(body)
        .alias("_words"),
        body.str.slice(0, 300).str.extract(_TIME_IN_TEXT).alias("_own_time"),
        pl.coalesce("header_host", "envelope_host").alias("host"),
        severity_number.replace_strict(
            list(range(8)), list(_SYSLOG_SEVERITIES), default=None, return_dtype=pl.String
        ).alias("severity"),
        body.alias("message"),
    ).with_columns(
        build_text_shapes(pl.col("_words"), pl.col("program")).alias("shape"),
        pl.coalesce("header_time", "_own_time").alias("_own_time"),
    )  # fmt: skip


def _describe_structured(frame: pl.DataFrame) -> pl.DataFrame:
    """Structured logs say what they are in their fields."""
    fields = pl.col("fields")
    frame = frame.with_columns(
        build_structured_shapes(fields, pl.col("format")).alias("shape"),
        fields.str.extract(_TIME_VALUE).alias("_own_time"),
        pl.coalesce("header_host", fields.str.extract(_HOST_VALUE)).alias("host"),
        fields.str.extract(_SEVERITY_VALUE).str.to_lowercase().alias("severity"),
        unescape_json(fields.str.extract(_MESSAGE_VALUE)).alias("message"),
    )
    frame = _amend(
        frame,
        pl.col("host").is_null(),
        pl.coalesce(fields.str.extract(_NESTED_HOST), "envelope_host").alias("host"),
    )
    frame = _amend(
        frame,
        ~names_event(pl.col("shape")),
        build_unnamed_shapes(fields, pl.col("format")).alias("shape"),
    )
    raw_time = pl.col("raw").str.slice(0, 400).str.extract(_TIME_IN_TEXT)
    return _amend(
        frame,
        pl.col("_own_time").is_null(),
        pl.coalesce(_split_date_and_time(fields), "header_time", raw_time).alias("_own_time"),
    )


def _amend(frame: pl.DataFrame, where: pl.Expr, column: pl.Expr) -> pl.DataFrame:
    """Compute `column` anew for the rows of `where` only: cheaper than a branch for all rows."""
    mask = frame.select(where.fill_null(value=False).alias("mask"))["mask"]
    if not mask.any():
        return frame
    amended = frame.filter(mask).with_columns(column)
    return pl.concat([frame.filter(~mask), amended])


def _split_date_and_time(fields: pl.Expr) -> pl.Expr:
    """`"date":"2026-11-22","time":"10:00:01"`: one time in two fields."""
    date = fields.str.extract(r'"date":"(\d{4}-\d{2}-\d{2})"')
    clock = fields.str.extract(r'"time":"(\d{2}:\d{2}:\d{2})"')
    return pl.concat_str(date, clock, separator=" ", ignore_nulls=False)


def _add_times(frame: pl.DataFrame, context: ObjectContext) -> pl.DataFrame:
    observed = pl.Series("observed", [context.observed_time], dtype=UTC_TIME)
    envelope = frame["envelope_time"]
    reference = observed.new_from_index(0, len(frame))
    if envelope.null_count() < len(frame):
        reference = parse_times(envelope, reference).fill_null(observed[0])
    time = parse_times(frame["_own_time"], reference)
    if time.null_count():
        time = time.fill_null(parse_times(frame["header_time"], reference))
    return frame.with_columns(time.alias("_time"), reference.alias("observed_time"))


def _select_record(
    frame: pl.DataFrame, context: ObjectContext, registry: TemplateRegistry
) -> pl.DataFrame:
    templates = registry.resolve_shapes(frame["shape"])
    joined = frame.join(templates, on="shape", how="left", maintain_order="left")
    position = pl.col("position").cast(pl.UInt64)
    return (
        joined.sort("position")
        .select(
            pl.concat_str(pl.lit(context.uid_prefix + "-"), position.cast(pl.String)).alias(
                "event_uid"
            ),
            pl.lit(context.key).alias("object_key"),
            position,
            pl.lit(context.hour).cast(UTC_TIME).alias("hour"),
            pl.coalesce("_time", "observed_time").alias("time"),
            pl.col("_time").is_null().alias("time_is_observed"),
            pl.col("observed_time"),
            pl.col("host"),
            pl.col("_vendor").alias("vendor"),
            pl.col("_product").alias("product"),
            pl.col("severity"),
            pl.col("message"),
            pl.col("format"),
            pl.col("fields"),
            pl.col("raw"),
            pl.col("template_id"),
        )
        .cast(NORMALIZED_SCHEMA)
    )
