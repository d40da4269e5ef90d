"""JSON text made and read by Polars string expressions.

Belongs here: escaping text into JSON strings and back, objects from `key value` markers. Does not
belong here: any log format. Rust regexes run in linear time whatever a log holds.
"""

from __future__ import annotations

import polars as pl

# Markers that no log line can hold: control characters are removed before they are set.
PAIR_MARK = "\x01"
VALUE_MARK = "\x02"
ESCAPED_MARK = "\x03"

_ESCAPES = ("\\", '"', "\t", "\r", "\n")
_ESCAPED = ("\\\\", '\\"', "\\t", "\\r", "\\n")
_UNESCAPES = ("\\\\", '\\"', "\\n", "\\r", "\\t", "\\/")
_UNESCAPED = ("\\", '"', "\n", "\r", "\t", "/")
_CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f]"


def escape_json(text: pl.Expr) -> pl.Expr:
    """Escape text so that it can stand between the quotes of a JSON string."""
    return text.str.replace_many(list(_ESCAPES), list(_ESCAPED)).str.replace_all(_CONTROL, " ")


def unescape_json(text: pl.Expr) -> pl.Expr:
    r"""Undo the escapes of a compact JSON string; rare `\uXXXX` of control characters stay."""
    return text.str.replace_many(list(_UNESCAPES), list(_UNESCAPED))


def strip_control(text: pl.Expr) -> pl.Expr:
    """Replace control characters other than white space, our markers among them, by spaces."""
    return text.str.replace_all(_CONTROL, " ")


def build_pairs_from_marks(marked: pl.Expr) -> pl.Expr:
    r"""Turn `\x01key\x02value\x01key\x02value`, not yet escaped, into a JSON object's inside.

    Text without a mark, or null, gives null.
    """
    escaped = marked.str.replace_many(
        [*_ESCAPES, PAIR_MARK, VALUE_MARK], [*_ESCAPED, '","', '":"']
    ).str.replace_all(_CONTROL, " ")
    # The first mark opens a pair and closes none: `","` becomes `"`.
    inside = pl.concat_str(escaped.str.strip_prefix('",'), pl.lit('"'))
    return pl.when(marked.str.starts_with(PAIR_MARK)).then(inside)


def build_pairs(**columns: pl.Expr) -> pl.Expr:
    """Return the inside of a JSON object (`"a":"x","b":"y"`) of the columns that are not null."""
    parts = [
        pl.concat_str(pl.lit(f'"{name}":"'), escape_json(column), pl.lit('"'))
        for name, column in columns.items()
    ]
    return pl.concat_str(parts, separator=",", ignore_nulls=True)


def canonicalize_json(text: pl.Expr) -> pl.Expr:
    """Return JSON text without spaces; null where it is not JSON."""
    return text.str.json_path_match("$")


def extract_json_value(keys: str, values: str = r'[^",}\]]+') -> str:
    """Return a pattern whose group 1 is the value of the first key of `keys` in compact JSON.

    `keys` and `values` are patterns without groups; keys match whole and in any case.
    """
    return rf'"(?i:{keys})":"?({values})'
