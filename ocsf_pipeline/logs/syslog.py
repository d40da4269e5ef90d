"""Syslog headers: RFC 5424, RFC 3164 and their many relatives.

Belongs here: taking the header off a line. Does not belong here: what the rest of the line is.
"""

from __future__ import annotations

import polars as pl

_RFC5424 = (
    r"(?s)^<(\d{1,3})>\d{1,2} (\S+) (\S+) (\S+) (\S+) (\S+) "
    r"(-|(?:\[(?:[^\]\\]|\\.)*\])+)(?: (.*))?$"
)
# ASCII classes and no counted repeats where possible: the automata stay small and fast.
_D = "[0-9]"
_TIME = (
    rf"[*.]?[A-Z][a-z][a-z] +{_D}{_D}?,? (?:20{_D}{_D},? )?{_D}{_D}:{_D}{_D}:{_D}{_D}(?:[.,]{_D}+)?"
    rf"(?: 20{_D}{_D})?(?: [A-Z][A-Z][A-Z][A-Z]?)?"
    rf"|20{_D}{_D}-{_D}{_D}-{_D}{_D}[T ]{_D}{_D}:{_D}{_D}:{_D}{_D}(?:[.,]{_D}+)?"
    rf"(?:Z|[+-]{_D}{_D}:?{_D}{_D})?"
)
_RFC3164 = (
    r"(?s)^(?:<([0-9]+)>)?(?:[0-9]+: )?"
    rf"(?:(?:[A-Za-z0-9_.\-]+: )?({_TIME})(?::[ \t]*|[ \t]+))?(.*)$"
)
# After a time: an optional host, then an optional `program[pid]:`.
_WORD = r"[A-Za-z0-9_.\-]"
_HOST = rf"(?s)^(?:: *)?(?:([A-Za-z0-9_]{_WORD}*(?::[0-9A-Fa-f:]+)?)[ \t]+)?(?:: *)?(.*)$"
_TAG = r"(?s)^(?:([A-Za-z_][A-Za-z0-9_./\-]*)(?:\(([^) ]+)\))?(?:\[([0-9]+)\])?: ?)?(.*)$"
_NOT_A_HOST = (
    r"^(?:[A-Za-z_][A-Za-z0-9_./\-]*\[[0-9]+\]:|[A-Za-z_][A-Za-z0-9_./\-]*: |%|CEF:|LEEF:"
    rf"|{_WORD}+=)"
)

HEADER_COLUMNS = ("pri", "header_time", "header_host", "program", "pid", "body")


def split_headers(lines: pl.DataFrame, column: str) -> pl.DataFrame:
    """Add HEADER_COLUMNS (String, null where absent) and `structured_data` to `lines`.

    `body` is what follows the header: the whole line where there is no header.
    """
    modern = pl.col(column).str.extract_groups(_RFC5424)
    older = pl.col(column).str.extract_groups(_RFC3164)
    is_modern = pl.col(column).str.contains(r"^<[0-9]+>[0-9]+ \S+ \S+ \S+ \S+ \S+ [-\[]")
    parts = []
    indexed = lines.with_row_index("_row").with_columns(is_modern.alias("_modern"))
    first = indexed.filter(pl.col("_modern"))
    if not first.is_empty():
        parts.append(_read_modern(first, modern))
    second = indexed.filter(~pl.col("_modern"))
    if not second.is_empty():
        parts.append(_read_older(second, older))
    if not parts:
        empty = [pl.lit(None, dtype=pl.String).alias(name) for name in HEADER_COLUMNS]
        return lines.with_columns(*empty, pl.lit(None, dtype=pl.String).alias("structured_data"))
    return pl.concat(parts, how="diagonal").sort("_row").drop("_row", "_modern")


def _read_modern(lines: pl.DataFrame, groups: pl.Expr) -> pl.DataFrame:
    def field(number: int) -> pl.Expr:
        value = pl.col("_g").struct.field(str(number))
        return pl.when(value != "-").then(value)

    return (
        lines.with_columns(groups.alias("_g"))
        .with_columns(
            pl.col("_g").struct.field("1").alias("pri"),
            field(2).alias("header_time"),
            field(3).alias("header_host"),
            field(4).alias("program"),
            field(5).alias("pid"),
            field(7).alias("structured_data"),
            pl.col("_g").struct.field("8").fill_null("").str.strip_chars_start("\ufeff")
            .alias("body"),
        )
        .drop("_g")
    )  # fmt: skip


def _read_older(lines: pl.DataFrame, groups: pl.Expr) -> pl.DataFrame:
    """Take off priority and time, then host, then program, each only where the one before was."""
    frame = lines.with_columns(groups.alias("_g")).with_columns(
        pl.col("_g").struct.field("1").alias("pri"),
        pl.col("_g").struct.field("2").alias("header_time"),
        pl.col("_g").struct.field("3").alias("_rest"),
    )
    has_host = (
        pl.col("header_time").is_not_null()
        & ~pl.col("_rest").str.contains(_NOT_A_HOST)
        & ~pl.col("_rest").str.starts_with("{")
    )
    frame = frame.with_columns(
        pl.when(has_host).then(pl.col("_rest")).str.extract_groups(_HOST).alias("_h")
    ).with_columns(
        pl.col("_h").struct.field("1").alias("header_host"),
        pl.coalesce(pl.col("_h").struct.field("2"), pl.col("_rest")).alias("_rest"),
    )
    has_header = pl.col("header_time").is_not_null() | pl.col("pri").is_not_null()
    bare_tag = pl.col("_rest").str.contains(r"^[a-z_][\w./\-]*\[\d+\]: ")
    tagged = (has_header | bare_tag) & ~pl.col("_rest").str.contains(r"^(?:CEF|LEEF):")
    return (
        frame.with_columns(
            pl.when(tagged).then(pl.col("_rest")).str.extract_groups(_TAG).alias("_t")
        )
        .with_columns(
            pl.col("_t").struct.field("1").alias("program"),
            pl.coalesce(pl.col("_t").struct.field("3"), pl.lit(None, dtype=pl.String)).alias("pid"),
            pl.coalesce(pl.col("_t").struct.field("4"), pl.col("_rest")).alias("body"),
            pl.lit(None, dtype=pl.String).alias("structured_data"),
        )
        .drop("_g", "_h", "_t", "_rest")
    )
