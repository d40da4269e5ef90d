"""Rows under a header: CSV and TSV with a header line, Zeek, W3C extended.

Belongs here: recognising the header, reading rows by it into JSON object text. Does not belong
here: lines without a header (`formats`).
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass

import polars as pl

_CELL = re.compile(r"^[A-Za-z_@#$][\w .\-/()@:%#]{0,63}$")
_TELLING = re.compile(
    r"(?i)(ip|addr|address|port|time|date|timestamp|user|username|action|status|id|host|hostname|"
    r"src|dst|source|dest|destination|proto|protocol|event|type|severity|message|bytes|level|name|"
    r"version|start|end|category|description|method|uri|url|query)"
)
_VALUES = re.compile(r"=|\d:\d\d")  # pairs and times: a row, not the names of its columns
_DELIMITERS = ("\t", ",", ";", "|", " ")
_MIN_COLUMNS = 3
_MIN_SPACED_COLUMNS = 5


@dataclass(frozen=True)
class Header:
    """How the rows of an object are to be read."""

    names: tuple[str, ...]
    delimiter: str
    is_quoted: bool
    null_texts: tuple[str, ...] = ("", "-")
    comment: str | None = None
    """Lines that begin with this are not logs."""
    header_line: str | None = None
    """The line that names the columns, to be left out where it is not a comment."""
    constants: tuple[tuple[str, str], ...] = ()
    """What comment lines say of all rows: Zeek's `_path`, the `software` of W3C logs."""
    date_and_time: bool = False
    """W3C: the columns `date` and `time` together are the time."""


def recognize_header(head: str) -> Header | None:
    """Find the header in the first text of an object; None when its rows have none."""
    lines = [line.rstrip("\r") for line in head.split("\n") if line.strip()][:40]
    if not lines:
        return None
    if lines[0].startswith("#"):
        return _read_comment_header(lines)
    return _read_header_line(lines)


def _read_comment_header(lines: list[str]) -> Header | None:
    delimiter = "\t" if any(line.startswith("#separator") for line in lines) else None
    constants = _read_constants(lines)
    for line in lines:
        if line.startswith("#fields"):  # Zeek
            mark = delimiter or "\t"
            names = _make_unique(line.split(mark)[1:])
            return (
                Header(names, mark, False, ("-", "(empty)", ""), "#", None, constants)
                if names
                else None
            )
        if line.startswith(("#Fields:", "#Fields ")):  # W3C extended
            rest = line.split(":", 1)[-1].strip()
            mark = "\t" if "\t" in rest else " "
            names = _make_unique(rest.split(mark))
            return Header(
                names, mark, mark == " ", ("-", ""), "#", None, constants, "date" in names
            )
    return None


def _make_unique(names: list[str]) -> tuple[str, ...]:
    counts = dict.fromkeys(names, 0)
    unique = []
    for name in names:
        counts[name] += 1
        unique.append(name if counts[name] == 1 else f"{name}_{counts[name]}")
    return tuple(unique) if len(set(unique)) == len(unique) else ()


def _read_constants(lines: list[str]) -> tuple[tuple[str, str], ...]:
    found = []
    for line in lines:
        match = re.match(r"#(path|Software)[:\t ]+(.{1,200})$", line)
        if match:
            found.append(("_path" if match[1] == "path" else "software", match[2].strip()))
    return tuple(found)


def _read_header_line(lines: list[str]) -> Header | None:
    for delimiter in _DELIMITERS:
        cells = [cell.strip().strip('"') for cell in _split_cells(lines[0], delimiter)]
        least = _MIN_SPACED_COLUMNS if delimiter == " " else _MIN_COLUMNS
        if len(cells) < least or not all(_CELL.match(cell) for cell in cells):
            continue
        if len(set(cells)) != len(cells) or _VALUES.search(lines[0]):
            continue
        telling = sum(bool(_TELLING.search(cell)) for cell in cells)
        # Words of prose pass for names: ask for telling ones, more where spaces divide them.
        if telling * (2 if delimiter == " " else 4) < len(cells) or not telling:
            continue
        if len(lines) > 1 and len(_split_cells(lines[1], delimiter)) != len(cells):
            continue
        return Header(tuple(cells), delimiter, delimiter != "\t", header_line=lines[0])
    return None


def _split_cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:  # a carriage return or a cell beyond the reader's limit: no header
        return []


def split_rows(lines: pl.DataFrame, header: Header) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return (rows with `fields` as JSON object text, lines whose columns do not match).

    `lines` has position, offset_bytes, raw; header and comment lines are dropped.
    """
    if header.comment:
        lines = lines.filter(~pl.col("raw").str.starts_with(header.comment))
    if header.header_line is not None:
        lines = lines.filter(pl.col("raw") != header.header_line)
    if header.is_quoted:
        lines = _join_open_quotes(lines)
    bare = pl.col("raw").str.replace_all(r'"[^"]*"', "") if header.is_quoted else pl.col("raw")
    count = bare.str.count_matches(header.delimiter, literal=True) + 1
    matches = lines.select((count == len(header.names)).alias("ok"))["ok"]
    rows, odd = lines.filter(matches), lines.filter(~matches)
    if rows.is_empty():
        return rows.with_columns(pl.lit(None, dtype=pl.String).alias("fields")), odd
    names = [re.sub(r'["\\\x00-\x1f]', "_", name) for name in header.names]
    cells = pl.read_csv(
        rows["raw"].str.join("\n").item().encode(),
        has_header=False,
        new_columns=names,
        separator=header.delimiter,
        quote_char='"' if header.is_quoted else None,
        schema=dict.fromkeys(names, pl.String),
        null_values=list(header.null_texts),
        truncate_ragged_lines=True,
        ignore_errors=True,
    )
    if header.date_and_time and "time" in names:
        both = pl.concat_str("date", "time", separator=" ", ignore_nulls=False)
        cells = cells.with_columns(both.alias("timestamp"))
    constants = [pl.lit(value).alias(name) for name, value in header.constants]
    cells = cells.with_columns(constants) if constants else cells
    fields = (
        pl.struct(pl.all()).struct.json_encode()
        .str.replace_all(r'"[^"\\]+":null,?', "")
        .str.replace(r",\}$", "}")
    )  # fmt: skip
    if len(cells) != len(rows):  # quotes that the reader sees otherwise: none can be trusted
        return rows.clear().with_columns(pl.lit(None, dtype=pl.String).alias("fields")), lines
    return rows.with_columns(cells.select(fields.alias("fields"))["fields"]), odd


def _join_open_quotes(lines: pl.DataFrame) -> pl.DataFrame:
    """Put lines together where a quoted cell holds a line break."""
    odd = lines["raw"].str.count_matches('"', literal=True) % 2 == 1
    if not odd.any():
        return lines
    open_before = (odd.cum_sum() - odd.cast(pl.UInt32)) % 2 == 1
    return (
        lines.with_columns((~open_before).cum_sum().alias("_record"))
        .group_by("_record", maintain_order=True)
        .agg(pl.first("position"), pl.first("offset_bytes"), pl.col("raw").str.join("\n"))
        .drop("_record")
    )
