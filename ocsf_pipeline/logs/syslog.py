"""Syslog headers: RFC 5424, RFC 3164 and their many relatives.

Belongs here: taking the header off a line, structured data as pairs. Does not belong here: what the
rest of the line is; the compiled pass that takes the common headers off (`plain_headers`), which
must read as the patterns here do.
"""

from __future__ import annotations

import polars as pl

from ocsf_pipeline.logs.frames import compute_where
from ocsf_pipeline.logs.jsontext import (
    PAIR_MARK,
    VALUE_MARK,
    build_pairs_from_marks,
    strip_control,
)
from ocsf_pipeline.logs.plain_headers import read_plain_headers

# ASCII classes and no counted repeats where possible: the automata stay small and fast. No pattern
# captures the rest of the line: a capture that long costs ten times the header.
_D = "[0-9]"
_ZONE = rf"Z|[+-]{_D}{_D}:?{_D}{_D}| UTC| GMT"
_CLOCK = rf"{_D}{_D}:{_D}{_D}:{_D}{_D}(?:[.,]{_D}+)?"
_DATE_3164 = r"[*.]?[A-Z][a-z][a-z] +[0-9][0-9]?,? "
_TIME = (
    rf"{_DATE_3164}(?:20{_D}{_D},? )?{_CLOCK}(?: 20{_D}{_D})?(?: [A-Z][A-Z][A-Z][A-Z]?\b)?"
    rf"|20{_D}{_D}[-/]{_D}{_D}[-/]{_D}{_D}[T ]{_CLOCK}(?:{_ZONE})?"
)
_RFC5424 = (
    r"^(<([0-9]+)>[0-9]+ (\S+) (\S+) (\S+) (\S+) (\S+) "
    r'(-|(?:\[(?:[^\]"\\]|"(?:[^"\\]|\\.)*")*\])+)(?: |$))'
)
_IS_RFC5424 = r"^<[0-9]+>[0-9]+ \S+ \S+ \S+ \S+ \S+ [-\[]"
_RFC3164 = (
    r"^((?:<([0-9]+)>)?(?:[0-9]+ ?: )?"
    rf"(?:(?:[A-Za-z0-9_.\-]+: )?\[?({_TIME})\]?(?::[ \t]*|[ \t]+|$))?)"
)
# After a time: an optional host, then an optional `program[pid]:`.
_WORD = r"[A-Za-z0-9_.\-]"
_HOST = rf"^((?:: *)?(?:([A-Za-z0-9_]{_WORD}*(?::[0-9A-Fa-f:]+)?)[ \t]+)?(?:: *)?)"
_TAG = r"^(([A-Za-z_][A-Za-z0-9_./\-]*)(?:\([^) ]+\))?(?:\[([0-9]+)\])?: ?)"
_NOT_A_HOST = (
    r"^(?:[A-Za-z_][A-Za-z0-9_./\-]*\[[0-9]+\]:|[A-Za-z_][A-Za-z0-9_./\-]*: |[{%]|CEF:|LEEF:"
    rf"|{_WORD}+=)"
)
_NO_TAG = r"^(?:CEF|LEEF):"
_BARE_TAG = r"^[a-z_][A-Za-z0-9_./\-]*\[[0-9]+\]: "
# Check Point writes `key:"value"` where the standard has `key="value"`.
_PARAMETER = r'[^ =:;\]"\[]+[=:]"(?:[^"\\]|\\.)*"'

HEADER_COLUMNS = (
    "pri", "header_time", "header_host", "program", "pid", "msgid", "structured_data", "body",
)  # fmt: skip


def split_headers(lines: pl.DataFrame, column: str) -> pl.DataFrame:
    """Add HEADER_COLUMNS (String, null where absent) to `lines`; the rows' order is not kept.

    `body` is what follows the header: the whole line where there is no header.
    """
    plain, rows, left = read_plain_headers(lines[column])
    if not len(rows):
        return split_headers_by_pattern(lines, column)
    none = pl.lit(None, dtype=pl.String)
    plain = plain.with_columns(none.alias("msgid"), none.alias("structured_data"))
    read = (lines[rows] if len(left) else lines).hstack(plain.select(HEADER_COLUMNS))
    if not len(left):
        return read
    return pl.concat([read, split_headers_by_pattern(lines[left], column)])


def split_headers_by_pattern(lines: pl.DataFrame, column: str) -> pl.DataFrame:
    """As `split_headers`, by the patterns alone, whatever the header; no line may be null."""
    is_modern = lines.select(pl.col(column).str.contains(_IS_RFC5424))[column]
    if not is_modern.any():
        return _read_older(lines, column)
    modern = _read_modern(lines.filter(is_modern), column)
    if is_modern.all():
        return modern
    return pl.concat([modern, _read_older(lines.filter(~is_modern), column)], how="diagonal")


def _read_modern(lines: pl.DataFrame, column: str) -> pl.DataFrame:
    groups = lines.select(pl.col(column).str.extract_groups(_RFC5424).alias("g")).unnest("g")

    def said(number: int) -> pl.Expr:
        value = pl.col(str(number))
        return pl.when(value != "-").then(value)

    header = groups.select(
        pl.col("2").alias("pri"),
        said(3).alias("header_time"),
        said(4).alias("header_host"),
        said(5).alias("program"),
        said(6).alias("pid"),
        said(7).alias("msgid"),
        said(8).alias("structured_data"),
        pl.lit(lines[column])
        .str.strip_prefix(pl.col("1").fill_null(""))
        .str.strip_chars_start("\ufeff")
        .alias("body"),
    )
    return lines.hstack(header)


def _read_older(lines: pl.DataFrame, column: str) -> pl.DataFrame:
    """Take off priority and time, then host, then program, each only where the one before was."""
    groups = lines.select(
        pl.col(column).alias("line"), pl.col(column).str.extract_groups(_RFC3164).alias("g")
    ).unnest("g")
    frame = groups.select(
        pl.col("2").alias("pri"),
        pl.col("3").alias("header_time"),
        pl.col("line").str.strip_prefix(pl.col("1").fill_null("")).alias("rest"),
    )
    has_host = frame.select(
        pl.col("header_time").is_not_null() & ~pl.col("rest").str.contains(_NOT_A_HOST)
    )["header_time"]
    frame = _take_off(frame, has_host, _HOST, ("header_host",))
    tagged = frame.select(
        (
            pl.col("header_time").is_not_null()
            | pl.col("pri").is_not_null()
            | pl.col("rest").str.contains(_BARE_TAG)
        )
        & ~pl.col("rest").str.contains(_NO_TAG)
    )["header_time"]
    frame = _take_off(frame, tagged, _TAG, ("program", "pid"))
    none = pl.lit(None, dtype=pl.String)
    return lines.hstack(
        frame.select(
            "pri", "header_time", "header_host", "program", "pid", none.alias("msgid"),
            none.alias("structured_data"), pl.col("rest").alias("body"),
        )
    )  # fmt: skip


def _take_off(
    frame: pl.DataFrame, where: pl.Series, pattern: str, names: tuple[str, ...]
) -> pl.DataFrame:
    """Take what `pattern` matches off `rest`; its groups behind the first become columns."""
    groups = compute_where(frame, where, pl.col("rest").str.extract_groups(pattern))
    taken = groups.struct.unnest()
    return frame.with_columns(
        pl.col("rest").str.strip_prefix(taken["1"].fill_null("")).alias("rest"),
        *(taken[str(number)].alias(name) for number, name in enumerate(names, start=2)),
    )


def extract_parameters(structured_data: pl.Expr) -> pl.Expr:
    """Return the parameters of RFC 5424 structured data as the inside of a JSON object.

    `[id@1 user="bob"]` gives `"sd_id":"id@1","user":"bob"`; null where there are none.
    """
    text = strip_control(structured_data)
    element = pl.element()
    pair = pl.lit(PAIR_MARK) + element.str.strip_suffix('"').str.replace(
        r'[=:]"', VALUE_MARK
    ).str.replace_many(['\\"', "\\]", "\\\\"], ['"', "]", "\\"])
    pairs = text.str.extract_all(_PARAMETER).list.eval(pair).list.join("")
    name = text.str.extract(r'^\[([^ =:\]"]+)[ \]]')
    named = pl.concat_str(pl.lit(f"{PAIR_MARK}sd_id{VALUE_MARK}"), name).fill_null("")
    marked = pl.concat_str(named, pairs)
    return build_pairs_from_marks(marked)
