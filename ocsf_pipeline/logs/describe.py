"""What every log says beyond its fields: template, time, host, severity, message.

Belongs here: finding those in structured logs, by the keys that their template names, and in text.
Does not belong here: reading formats, the identity of templates. Adds DESCRIBED_COLUMNS.
"""

from __future__ import annotations

import polars as pl

from ocsf_pipeline.logs import found
from ocsf_pipeline.logs.found_times import TIME_HEAD, find_times
from ocsf_pipeline.logs.frames import compute_by_key
from ocsf_pipeline.logs.jsontext import unescape_column
from ocsf_pipeline.logs.meanings import MeaningTable
from ocsf_pipeline.logs.nested_names import find_nested_names
from ocsf_pipeline.logs.registry import ResolvedShapes, TemplateRegistry
from ocsf_pipeline.logs.shapes import (
    build_structured_shapes,
    build_text_shapes,
    extract_nested_names,
    mask_words,
    refine_shapes,
)
from ocsf_pipeline.logs.survey import Survey
from ocsf_pipeline.logs.templates import identify_refined, identify_template
from ocsf_pipeline.logs.times import TIME_PATTERN
from ocsf_pipeline.logs.values import HOST_OBJECT, ValueReader

TIME_IN_TEXT = rf"(?:^|[ \t\[(\"<|,=:])({TIME_PATTERN})"
# A clock alone is no time; a day with a clock, or a number of seconds, is.
_DATED = r"^[0-9]{8}T|^[0-9]{9,19}(?:\.[0-9]+)?\s*$|(?:[0-9]{4}|[A-Z][a-z][a-z]).*[0-9]:[0-9][0-9]"
_SYSLOG_SEVERITIES = (
    "emergency", "alert", "critical", "error", "warning", "notice", "informational", "debug",
)  # fmt: skip
TEXT_FORMATS = ("text", "syslog", "access")
DESCRIBED_COLUMNS = (
    "own_time", "host", "severity", "message", "template_id", "vendor", "product",
)  # fmt: skip
_REFINED = 1
_STRING_TYPE = pl.String()


def describe_text(frame: pl.DataFrame, registry: TemplateRegistry) -> pl.DataFrame:
    """Text says what it is in its header and its words."""
    is_access = frame["format"] == "access"
    request = frame["fields"].str.extract(r'"http_method":"([A-Z]+)"').fill_null("")
    is_http = frame["fields"].str.contains('"http_version":', literal=True)
    protocol = pl.select(pl.when(is_http).then(pl.lit(" HTTP")).otherwise(pl.lit(""))).to_series()
    words = frame.select(
        pl.when(is_access)
        .then(pl.concat_str(pl.lit("access log "), request, protocol))
        .otherwise("body")
        .alias("_words"),
        "program",
    )
    resolved = registry.resolve_shapes(build_text_shapes(words), identify_template)
    own_time = _find_times(frame["body"], frame["header_time"].is_null())
    return frame.select(
        pl.all(),
        pl.coalesce("header_time", own_time).alias("own_time"),
        pl.coalesce("header_host", "envelope_host").alias("host"),
        _read_priority(frame).alias("severity"),
        pl.col("body").alias("message"),
        *_describe_template(resolved),
    )


def _read_priority(frame: pl.DataFrame) -> pl.Series:
    """Return the severity that a syslog priority names."""
    number = frame["pri"].cast(pl.Int32, strict=False) % 8
    return pl.Series("severity", _SYSLOG_SEVERITIES).gather(number)


def _describe_template(resolved: ResolvedShapes) -> list[pl.Series]:
    return [
        resolved.column(lambda template: template.template_id).alias("template_id"),
        resolved.column(lambda template: template.vendor).alias("vendor"),
        resolved.column(lambda template: template.product).alias("product"),
    ]


def describe_structured(frame: pl.DataFrame, registry: TemplateRegistry) -> pl.DataFrame:
    """Structured logs say what they are in their fields."""
    survey = registry.keys.survey(frame["fields"])
    reader = ValueReader(survey, registry.keys.table)
    keys = _find_structures(frame, survey)
    resolved = registry.resolve_keys(
        keys, lambda rows: _build_shapes(frame[rows]), identify_template
    )
    if all(template.is_final for template in resolved.templates):
        return _describe_parts(frame, resolved, reader)
    final = resolved.column(lambda template: template.template_id or None).is_not_null()
    refined, coarse, finer_reader = (
        frame.filter(~final),
        resolved.filter(~final),
        reader.filter(~final),
    )
    finer = pl.DataFrame(
        {
            "key": keys.filter(~final),
            "nested": _extract_names(refined, coarse, registry.keys.table),
            "words": _extract_words(refined, coarse, finer_reader),
        }
    ).select("key", pl.col("nested").fill_null(""), mask_words(pl.col("words")))

    def refine(rows: pl.Series) -> pl.Series:
        shapes = pl.lit(_build_shapes(refined[rows]))
        whole = refine_shapes(shapes, pl.col("nested"), pl.col("words"))
        return finer[rows].select(whole.alias("s"))["s"]

    finer_keys = finer.select(pl.struct("key", "nested", "words").hash(_REFINED))["key"]
    finer_resolved = registry.resolve_keys(finer_keys, refine, identify_refined)
    parts = [_describe_parts(refined, finer_resolved, finer_reader)]
    if final.any():
        parts.append(
            _describe_parts(frame.filter(final), resolved.filter(final), reader.filter(final))
        )
    return pl.concat(parts) if len(parts) > 1 else parts[0]


def _find_structures(frame: pl.DataFrame, survey: Survey) -> pl.Series:
    """Return 64 bits per row that stand for its shape."""
    structure = survey.structure
    unknown = structure.is_null()
    if unknown.any():
        rows = unknown.arg_true()
        structure = structure.scatter(rows, _build_shapes(frame[rows]).hash())
    return frame.select((pl.lit(structure) ^ pl.col("format").hash()).alias("key"))["key"]


def _build_shapes(frame: pl.DataFrame) -> pl.Series:
    shape = build_structured_shapes(pl.col("fields"), pl.col("format"))
    return frame.select(shape.alias("s"))["s"]


def _extract_names(frame: pl.DataFrame, resolved: ResolvedShapes, table: MeaningTable) -> pl.Series:
    """Look for names in objects only where the shape has such objects."""
    opening, codes = resolved.group_by(lambda template: template.opens_name or None)
    if not opening:
        return pl.Series("name", [None], dtype=pl.String).new_from_index(0, len(frame))
    names, unread = find_nested_names(frame["fields"], codes >= 0, table)
    if not len(unread):
        return names
    return names.scatter(unread, extract_nested_names(frame["fields"][unread]))


def _extract_words(frame: pl.DataFrame, resolved: ResolvedShapes, reader: ValueReader) -> pl.Series:
    keys, codes = resolved.group_by(lambda template: template.words_key)
    return reader.read(frame["fields"], keys, codes, found.TEXT)


def _rename_repeated(frame: pl.DataFrame, resolved: ResolvedShapes) -> pl.Series | None:
    """Give the second value of a key its own name: `msg`, `msg_2`; JSON readers would keep one.

    Returns the fields written anew, null where nothing repeats; None where no row needs it.
    """
    repeats, codes = resolved.group_by(lambda template: template.repeated_keys or None)
    if not repeats:
        return None

    def rename(code: int, part: pl.DataFrame) -> pl.Series:
        fields = part["fields"]
        for key, count in repeats[code]:
            plain, hidden = f'"{key}":"', f'"{key}\x1f":"'
            for number in range(2, count + 1):
                fields = fields.str.replace(plain, hidden, literal=True)
                fields = fields.str.replace(plain, f'"{key}_{number}":"', literal=True)
                fields = fields.str.replace(hidden, plain, literal=True)
        return fields

    return compute_by_key(frame.select("fields"), codes, rename, _STRING_TYPE)


def _describe_parts(
    frame: pl.DataFrame, resolved: ResolvedShapes, reader: ValueReader
) -> pl.DataFrame:
    renamed = _rename_repeated(frame, resolved)
    if renamed is not None:
        reader = reader.forget(renamed.is_not_null())
        frame = frame.with_columns(renamed.fill_null(frame["fields"]).alias("fields"))
    host = _extract_host(frame, resolved, reader)
    return frame.with_columns(
        _extract_time(frame, resolved, reader).alias("own_time"),
        pl.coalesce("header_host", host, "envelope_host").alias("host"),
        _extract_severity(frame, resolved, reader)
        .fill_null(_read_priority(frame))
        .alias("severity"),
        _extract_message(frame, resolved, reader).alias("message"),
        *_describe_template(resolved),
    )


def _extract_time(frame: pl.DataFrame, resolved: ResolvedShapes, reader: ValueReader) -> pl.Series:
    keys, codes = resolved.group_by(lambda template: template.time_key)
    own = reader.read(
        frame["fields"],
        keys,
        codes,
        found.OPEN,
        {"date+time": (found.UNSURE, _read_date_and_time)},
    )
    is_time = own.str.contains(_DATED).fill_null(value=False)
    if is_time.all():
        return own
    # What the keys do not hold may stand in the header, or anywhere in the text.
    other = frame["header_time"]
    other = other.fill_null(_find_times(frame["raw"], ~is_time & other.is_null()))
    return pl.select(pl.when(is_time).then(own).otherwise(other).alias("own_time")).to_series()


def _find_times(texts: pl.Series, where: pl.Series) -> pl.Series:
    """Return the first time in the head of each text of `where`; null where none is."""
    if not where.any():
        return pl.Series("time", [None], dtype=pl.String).new_from_index(0, len(texts))
    times, unread = find_times(texts, where.to_numpy())
    if not len(unread):
        return times
    return times.scatter(unread, texts[unread].str.head(TIME_HEAD).str.extract(TIME_IN_TEXT))


def _read_date_and_time(fields: pl.Series) -> pl.Series:
    text = pl.col("fields")
    date = text.str.extract(r'"date":"([0-9]{4}[-/][0-9]{2}[-/][0-9]{2})"')
    clock = text.str.extract(r'"time":"([0-9]{2}:[0-9]{2}:[0-9]{2}[^"]{0,9})"')
    alone = text.str.extract(r'"time":"?([^"\]}]+)')
    both = pl.concat_str(date, clock, separator=" ")
    return fields.to_frame("fields").select(pl.coalesce(both, alone).alias("t"))["t"]


def _extract_host(frame: pl.DataFrame, resolved: ResolvedShapes, reader: ValueReader) -> pl.Series:
    keys, codes = resolved.group_by(lambda template: template.host_key)
    return reader.read(
        frame["fields"], keys, codes, found.NAME,
        {HOST_OBJECT: (found.NESTED_NAME, _read_host_object)},
    )  # fmt: skip


def _read_host_object(fields: pl.Series) -> pl.Series:
    return fields.str.extract(found.PATTERNS[found.NESTED_NAME])


def _extract_severity(
    frame: pl.DataFrame, resolved: ResolvedShapes, reader: ValueReader
) -> pl.Series:
    keys, codes = resolved.group_by(lambda template: template.severity_key)
    value = reader.read(frame["fields"], keys, codes, found.WORD)
    return value.str.to_lowercase()


def _extract_message(
    frame: pl.DataFrame, resolved: ResolvedShapes, reader: ValueReader
) -> pl.Series:
    keys, codes = resolved.group_by(lambda template: template.message_key)
    return unescape_column(reader.read(frame["fields"], keys, codes, found.TEXT))
