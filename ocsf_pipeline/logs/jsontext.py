"""JSON text made, checked and read by Polars string expressions.

Belongs here: escaping text into JSON strings and back, objects from `key value` marks, making sure
that text is JSON. Does not belong here: any log format. Rust regexes run in linear time whatever a
log holds.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from polars.exceptions import ComputeError

from ocsf_pipeline.logs.frames import compute_where
from ocsf_pipeline.logs.special_bytes import find_control, find_unplain_texts

# Markers that no log line can hold: control characters are removed before they are set.
PAIR_MARK = "\x01"
VALUE_MARK = "\x02"
ESCAPED_MARK = "\x03"  # an equals sign that divides no pair

_ESCAPES = ("\\", '"', "\t", "\r", "\n")
_ESCAPED = ("\\\\", '\\"', "\\t", "\\r", "\\n")
_UNESCAPES = ("\\\\", '\\"', "\\n", "\\r", "\\t", "\\/")
_UNESCAPED = ("\\", '"', "\n", "\r", "\t", "/")
_CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
# White space around keys, or escapes of what needs none: such text must be written anew.
# Literals alone: such a pattern is searched many times as fast as one with classes.
_NOT_COMPACT = r'": |":\t|" :|" ,|" \}|" \]|, "|,\t"|\{ "|\[ "|\[ \{|\\u|\\/|\n|\r'


def escape_json(text: pl.Expr) -> pl.Expr:
    """Escape text so that it can stand between the quotes of a JSON string."""
    return text.str.replace_many(list(_ESCAPES), list(_ESCAPED)).str.replace_all(_CONTROL, " ")


def escape_column(column: pl.Series) -> pl.Series:
    """Do what `escape_json` does, on the rows that need it only: most logs hold nothing special."""
    found = find_unplain_texts(column)
    if not found.any():
        return column
    frame, needs = column.to_frame("text"), pl.Series(found)
    escaped = compute_where(frame, needs, escape_json(pl.col("text")))
    return frame.select(pl.when(needs).then(escaped).otherwise("text").alias("text"))["text"]


def unescape_column(column: pl.Series) -> pl.Series:
    r"""Undo the escapes of JSON strings; rare `\uXXXX` of control characters stay."""
    frame = column.to_frame("text")
    needs = frame.select(pl.col("text").str.contains("\\", literal=True))["text"]
    needs = needs.fill_null(value=False)
    if not needs.any():
        return column
    plain = pl.col("text").str.replace_many(list(_UNESCAPES), list(_UNESCAPED))
    return frame.select(
        pl.when(needs).then(compute_where(frame, needs, plain)).otherwise("text").alias("text")
    )["text"]


def strip_control(text: pl.Expr) -> pl.Expr:
    """Replace control characters other than white space, our markers among them, by spaces."""
    return text.str.replace_all(_CONTROL, " ")


def strip_control_column(column: pl.Series) -> pl.Series:
    """Do what `strip_control` does, where there is anything to replace."""
    rows = np.flatnonzero(find_control(column))
    if not len(rows):
        return column
    stripped = column[rows].to_frame("text").select(strip_control(pl.col("text")))["text"]
    return column.scatter(rows, stripped)


def build_pairs_from_marks(marked: pl.Expr) -> pl.Expr:
    r"""Turn `\x01key\x02value\x01key\x02value`, not yet escaped, into a JSON object's inside.

    Text without a mark, or null, gives null.
    """
    escaped = marked.str.replace_many(
        [*_ESCAPES, PAIR_MARK, VALUE_MARK, ESCAPED_MARK], [*_ESCAPED, '","', '":"', "="]
    ).str.replace_all(_CONTROL, " ")
    # The first mark opens a pair and closes none: `","` becomes `"`.
    inside = pl.concat_str(escaped.str.strip_prefix('",'), pl.lit('"'))
    return pl.when(marked.str.starts_with(PAIR_MARK)).then(inside)


def build_object(**columns: pl.Series | None) -> pl.Series:
    """Return the inside of a JSON object (`"a":"x","b":"y"`) of the values that are not null.

    A column named `_inside…` is taken as it stands: pairs already made.
    """
    frame = pl.DataFrame(
        {
            name: column if name.startswith("_inside") else escape_column(column)
            for name, column in columns.items()
            if column is not None and column.null_count() < len(column)
        }
    )
    parts = [
        pl.when(pl.col(name).str.len_bytes() > 0).then(pl.col(name))
        if name.startswith("_inside")
        else pl.concat_str(pl.lit(f'"{name}":"'), pl.col(name), pl.lit('"'))
        for name in frame.columns
    ]
    if not parts:
        length = max((len(column) for column in columns.values() if column is not None), default=0)
        return pl.Series("inside", ["{}"], dtype=pl.String).new_from_index(0, length)
    joined = pl.concat_str(parts, separator=",", ignore_nulls=True)
    return frame.select(pl.concat_str(pl.lit("{"), joined, pl.lit("}")).alias("inside"))["inside"]


def read_json(texts: pl.Series) -> pl.Series:
    """Return texts as JSON without spaces; null where they are none."""
    return compact_json(check_json(texts, pl.Schema({"message": pl.String}))[0])


def check_json(texts: pl.Series, schema: pl.Schema) -> tuple[pl.Series, pl.DataFrame]:
    """Return texts that are JSON objects (null for others), and their fields of `schema`.

    All are parsed as one block; only where one of them is broken are they looked at one by one,
    which costs four times as much.
    """
    frame = texts.to_frame("text")
    broken = frame.select(pl.col("text").str.contains(r"[\n\r]"))["text"].fill_null(value=False)
    checked = _rewrite(frame, broken)
    parsed = _parse_lines(checked, schema)
    if parsed is None:
        every = pl.Series("every", [True]).new_from_index(0, len(frame))
        checked = _rewrite(frame, every)
        parsed = _parse_lines(checked, schema)
    if parsed is None:  # the two readers disagree, as on nesting too deep: nothing is unwrapped
        parsed = pl.DataFrame(schema=schema).clear(len(frame))
    return checked, parsed


def compact_json(texts: pl.Series) -> pl.Series:
    """Write JSON anew, without spaces, where it is not compact; null where it is no JSON."""
    frame = texts.to_frame("text")
    loose = frame.select(pl.col("text").str.contains(_NOT_COMPACT))["text"].fill_null(value=False)
    return _rewrite(frame, loose)


def _rewrite(frame: pl.DataFrame, where: pl.Series) -> pl.Series:
    if not where.any():
        return frame["text"]
    rewritten = compute_where(frame, where, pl.col("text").str.json_path_match("$"))
    return frame.select(pl.when(where).then(rewritten).otherwise("text").alias("text"))["text"]


def _parse_lines(texts: pl.Series, schema: pl.Schema) -> pl.DataFrame | None:
    """Read JSON lines; None where one of them is not JSON. Null texts give rows of nulls."""
    present = texts.drop_nulls()
    if present.is_empty():
        return pl.DataFrame(schema=schema).clear(len(texts))
    try:
        parsed = pl.read_ndjson(present.str.join("\n").cast(pl.Binary).item(), schema=schema)
    except ComputeError:
        return None
    if len(parsed) != len(present):
        return None
    if len(present) == len(texts):
        return parsed
    rows = texts.is_not_null()
    position = pl.select(pl.when(rows).then(rows.cum_sum() - 1).cast(pl.UInt32)).to_series()
    return parsed.select(pl.all().gather(position))
