"""Records of one object -> normalised records with a template id, and quarantine.

Belongs here: putting the parts together for one frame of records: envelopes, formats, fields,
times, templates. Does not belong here: reading objects (`read`), any single format.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from ocsf_pipeline.logs.describe import TEXT_FORMATS, describe_structured, describe_text
from ocsf_pipeline.logs.envelopes import OPENED_COLUMNS, open_lines
from ocsf_pipeline.logs.formats import extract_fields, recognize_formats
from ocsf_pipeline.logs.quarantine import select_quarantine
from ocsf_pipeline.logs.records import NORMALIZED_SCHEMA, QUARANTINE_SCHEMA, UTC_TIME
from ocsf_pipeline.logs.registry import TemplateRegistry
from ocsf_pipeline.logs.syslog import HEADER_COLUMNS, split_headers
from ocsf_pipeline.logs.times import parse_times

__all__ = ["NormalizedFrame", "ObjectContext", "TemplateRegistry", "normalize_records"]


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
    if "fields" in lines.columns:
        absent = [pl.lit(None, dtype=pl.String).alias(name) for name in OPENED_COLUMNS[2:]]
        opened = lines.with_columns(pl.lit("csv").alias("format"), *absent)
    else:
        opened = open_lines(lines, registry.keys)
    is_broken = (opened["format"] == "invalid").fill_null(value=False)
    broken = opened.filter(is_broken) if is_broken.any() else opened.clear()
    good = opened.filter(~is_broken) if is_broken.any() else opened
    records = _describe(good, context, registry)
    quarantine = select_quarantine(broken, "invalid_json", context.key, context.hour)
    return NormalizedFrame(records, quarantine.cast(QUARANTINE_SCHEMA))


def _describe(
    frame: pl.DataFrame, context: ObjectContext, registry: TemplateRegistry
) -> pl.DataFrame:
    """Read what is not structured yet, describe text and structured logs each in their way."""
    if frame.is_empty():
        return pl.DataFrame(schema=NORMALIZED_SCHEMA)
    is_text = frame["format"].is_null()
    prose, structured = [], []
    if not is_text.all():
        header = [pl.lit(None, dtype=pl.String).alias(name) for name in HEADER_COLUMNS]
        done = frame.filter(~is_text) if is_text.any() else frame
        structured.append(done.with_columns(header).select(_DESCRIBE_SOURCES))
    if is_text.any():
        read = _read_lines(frame.filter(is_text).drop("fields", "format"))
        is_prose = read["format"].is_in(TEXT_FORMATS)
        prose.append(read.filter(is_prose).select(_DESCRIBE_SOURCES))
        structured.append(read.filter(~is_prose).select(_DESCRIBE_SOURCES))
    parts = [describe_text(part, registry) for part in prose if not part.is_empty()]
    # All structured ones together: what is done once per frame costs as much as thousands of rows.
    together = pl.concat([part for part in structured if not part.is_empty()] or [frame.clear()])
    if not together.is_empty():
        parts.append(describe_structured(together, registry))
    described = pl.concat([part.select("position", *_RECORD_SOURCES) for part in parts])
    return _select_record(described.sort("position"), context)


def _read_lines(text: pl.DataFrame) -> pl.DataFrame:
    """Read header, format and fields of lines that are no JSON."""
    split = split_headers(text, "raw")
    read = extract_fields(split.with_columns(recognize_formats(split).alias("format")))
    is_syslog = (pl.col("format") == "text") & (
        pl.col("header_time").is_not_null() | pl.col("pri").is_not_null()
    )
    format_name = pl.when(is_syslog).then(pl.lit("syslog")).otherwise("format")
    return read.with_columns(format_name.alias("format"))


_DESCRIBE_SOURCES = (
    "position", "raw", "fields", "format", "envelope_time", "envelope_host", *HEADER_COLUMNS,
)  # fmt: skip
_RECORD_SOURCES = (
    "raw", "fields", "format", "envelope_time", "header_time", "own_time", "host", "severity",
    "message", "template_id", "vendor", "product",
)  # fmt: skip


def _select_record(frame: pl.DataFrame, context: ObjectContext) -> pl.DataFrame:
    observed = pl.Series("observed", [context.observed_time], dtype=UTC_TIME)
    envelope = frame["envelope_time"]
    reference = observed.new_from_index(0, len(frame))
    if envelope.null_count() < len(frame):
        reference = parse_times(envelope, reference).fill_null(observed[0])
    time = parse_times(frame["own_time"], reference)
    if time.null_count():
        time = time.fill_null(parse_times(frame["header_time"], reference))
    position = pl.col("position").cast(pl.UInt64)
    uid = pl.concat_str(pl.lit(context.uid_prefix + "-"), position.cast(pl.String))
    return frame.select(
        uid.alias("event_uid"),
        pl.lit(context.key).alias("object_key"),
        position,
        pl.lit(context.hour).cast(UTC_TIME).alias("hour"),
        time.fill_null(reference).alias("time"),
        time.is_null().alias("time_is_observed"),
        reference.alias("observed_time"),
        *("host", "vendor", "product", "severity", "message", "format", "fields", "raw"),
        "template_id",
    ).cast(NORMALIZED_SCHEMA)
