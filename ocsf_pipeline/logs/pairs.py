"""Lists of `key=value`: plain ones, and the extensions of CEF and LEEF, as JSON object text.

Belongs here: where a pair begins and its value ends. Does not belong here: telling formats apart.

Most rows are regular: as many `=` as pairs, no escapes. Those are turned into JSON by replacing
marks in the whole text; the others are taken apart pair by pair, at several times the cost.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from ocsf_pipeline.logs.frames import compute_where, spread
from ocsf_pipeline.logs.jsontext import (
    ESCAPED_MARK,
    PAIR_MARK,
    VALUE_MARK,
    build_pairs_from_marks,
    strip_control_column,
)
from ocsf_pipeline.logs.plain_pairs import write_plain_pairs

# ASCII classes throughout: Unicode ones make the automata several times larger and slower.
KEY = r"[A-Za-z_@][A-Za-z0-9_.\-@/]*"
_LEAD = " \t,;|([{"
PAIR_START = rf"(?:^|[ \t,;|(\[{{]){KEY}="
_QUOTED = r'"[^"\\]*(?:\\.[^"\\]*)*"|\'[^\']*\''
_PAIR = rf"{PAIR_START}(?:{_QUOTED}|[^ \t,;\"']*)"
# Bars between pairs: values may hold spaces, commas and semicolons.
_BARRED = rf"{KEY}=[^|=]*\|{KEY}=[^|=]*\|{KEY}="
_BARRED_PAIR = rf"(?:^|[|]|[: ]){KEY}=(?:{_QUOTED}|[^|]*)"
_EXTENSION_PAIR = r"[A-Za-z_][A-Za-z0-9_.\-\[\]]*=[^=]*(?: |$)"
_IS_PAIR = r"^[A-Za-z_][A-Za-z0-9_.\-\[\]]*="
# The kernel's stamp stands in a `msg` of its own; what follows may be in another.
_AUDIT_STAMP = r"msg=audit\(([0-9.]+):([0-9]+)\):?"
_AUDIT_INNER = r"(?:^| )msg='|'(?:$| )"
_LEEF = (
    r"LEEF: ?([12])\.0\|([^|]*)\|([^|]*)\|([^|]*)\|([^|]*)\|"
    r"(?:(0?x[0-9A-Fa-f]{2}|[^A-Za-z0-9_\s])\|)?"
)
_LEEF_DELIMITERS = "^|;,#~"
Pairs = dict[str, pl.Series | None]


def extract_kv(body: pl.Series) -> Pairs:
    """Return the pairs of bodies that are lists of them, and what stands before the first."""
    inside, message, left = write_plain_pairs(body)
    if not len(left):
        return {"message": message, "_inside": inside}
    others = extract_kv_by_pattern(body[left])
    quick = np.setdiff1d(np.arange(len(body)), left, assume_unique=True)
    read = {"message": message, "_inside": inside}
    joined: Pairs = {}
    for name, column in others.items():
        parts = [(left, column)] if column is not None else []
        if name in read:
            parts.append((quick, read[name][quick]))
        joined[name] = spread(parts, len(body), pl.String())
    return joined


def extract_kv_by_pattern(body: pl.Series) -> Pairs:
    """Do what `extract_kv` does, by expressions alone."""
    text = strip_control_column(body)
    frame = text.to_frame("text")
    audit = frame.select(pl.col("text").str.contains("msg=audit(", literal=True))["text"]
    stamp: Pairs = {}
    if audit.any():
        groups = compute_where(frame, audit, pl.col("text").str.extract_groups(_AUDIT_STAMP))
        stamps = groups.struct.unnest()
        stamp = {"audit_time": stamps["1"], "audit_id": stamps["2"]}
        plain = pl.col("text").str.replace(_AUDIT_STAMP, "").str.replace_all(_AUDIT_INNER, " ")
        unpacked = compute_where(frame, audit, plain)
        frame = frame.select(pl.when(audit).then(unpacked).otherwise("text").alias("text"))
    barred = frame.select(pl.col("text").str.contains(_BARRED))["text"]
    pattern = pl.col("text").str.extract_all(_PAIR)
    pairs = compute_where(frame, ~barred, pattern)
    if barred.any():
        other = compute_where(frame, barred, pl.col("text").str.extract_all(_BARRED_PAIR))
        pairs = pl.select(pl.when(barred).then(other).otherwise(pairs)).to_series()
    joined = pairs.list.join(PAIR_MARK)
    found = pl.DataFrame({"text": frame["text"], "joined": joined, "count": pairs.list.len()})
    lead = pl.col("text").str.extract(rf"^([^=]*?)[ \t,;|(\[{{]*{KEY}=").str.strip_chars()
    # Where the pairs are the lesser part, what stands between and behind them is the message.
    is_prose = pl.col("joined").str.len_bytes() * 2 < pl.col("text").str.len_bytes()
    message = found.select(
        pl.when(is_prose).then("text").when(lead.str.len_bytes() > 1).then(lead).alias("lead")
    )["lead"]
    return {"message": message, **stamp, "_inside": _finish_pairs(found)}


def _finish_pairs(found: pl.DataFrame) -> pl.Series:
    """Turn pairs joined by PAIR_MARK (`joined`, `count` of them) into the inside of an object."""
    joined = pl.col("joined")
    regular = found.select(
        (joined.str.count_matches("=", literal=True) == pl.col("count"))
        & (pl.col("count") > 0)
        & ~joined.str.contains(r"[\\'\t\r\n]")
    )["joined"].fill_null(value=False)
    leads = [f"{PAIR_MARK}{lead}" for lead in _LEAD]
    closed = [f'"{lead}' for lead in leads]
    quick = pl.concat_str(
        pl.lit('"'),
        joined.str.strip_chars_start(_LEAD)
        .str.strip_suffix('"')
        .str.replace_many(
            [*closed, f'"{PAIR_MARK}', *leads, PAIR_MARK, '="', "="],
            ['","'] * (2 * len(leads) + 2) + ['":"', '":"'],
            leftmost=True,
        ),
        pl.lit('"'),
    )
    inside = compute_where(found, regular, quick)
    if regular.all():
        return inside
    element = pl.element().str.strip_chars_start(_LEAD + ":")
    marked = (
        joined.str.split(PAIR_MARK)
        .list.eval(
            # A bare value holds no quotes, so a quote at its end closes one at its beginning.
            (pl.lit(PAIR_MARK) + element.str.replace("=", VALUE_MARK, literal=True))
            .str.strip_suffix('"').str.strip_suffix("'")
        )
        .list.join("")
        .str.replace_many(
            [f'{VALUE_MARK}"', f"{VALUE_MARK}'", '\\"'], [VALUE_MARK, VALUE_MARK, '"']
        )
    )  # fmt: skip
    has_pairs = pl.col("count") > 0
    marks = pl.when(has_pairs).then(build_pairs_from_marks(marked))
    slow = compute_where(found, ~regular, marks)
    return pl.select(pl.when(regular).then(inside).otherwise(slow).alias("inside")).to_series()


def extract_cef(body: pl.Series) -> Pairs:
    """Return the header's parts and the extension of CEF bodies."""
    text = strip_control_column(body).to_frame("text")
    bars = pl.col("text").str.replace_all("\\|", ESCAPED_MARK, literal=True)
    cells = (
        text.select(bars.alias("bars"))
        .select(pl.col("bars").str.extract(r"(CEF:[\s\S]*)$").str.splitn("|", 8).alias("cells"))
        .unnest("cells")
    )

    def cell(number: int) -> pl.Series:
        value = pl.col(f"field_{number}").str.replace_all(ESCAPED_MARK, "|", literal=True)
        return cells.select(value.str.replace_all("\\\\", "\\", literal=True).alias("v"))["v"]

    extension = cells.select(
        pl.col("field_7").fill_null("").str.strip_chars()
        .str.replace_all(ESCAPED_MARK, "\\|", literal=True).alias("text")
    )  # fmt: skip
    return {
        "deviceVendor": cell(1),
        "deviceProduct": cell(2),
        "deviceVersion": cell(3),
        "deviceEventClassId": cell(4),
        "name": cell(5),
        "cefSeverity": cell(6),
        "_inside": _read_extension(extension),
    }


def _read_extension(extension: pl.DataFrame) -> pl.Series:
    """Return the pairs of CEF extensions, whose values hold spaces, as an object's inside."""
    text = pl.col("text")
    pairs = extension.select(text, text.str.extract_all(_EXTENSION_PAIR).alias("pairs"))
    regular = pairs.select(
        (text.str.count_matches("=", literal=True) == pl.col("pairs").list.len())
        & ~text.str.contains(r'[\\"\t\r\n]')
    )["text"].fill_null(value=False)
    joined = pl.col("pairs").list.join(PAIR_MARK).str.strip_chars_end(" ")
    quick = pl.concat_str(
        pl.lit('"'),
        joined.str.replace_many([f" {PAIR_MARK}", PAIR_MARK, "="], ['","', '","', '":"']),
        pl.lit('"'),
    )
    inside = compute_where(pairs, regular, pl.when(pl.col("pairs").list.len() > 0).then(quick))
    if regular.all():
        return inside
    # Values hold spaces: a word that begins with `key=` begins a pair, any other continues one.
    words = text.str.replace_many(
        ["\\\\", "\\=", "\\n", "\\r", "\\|"], ["\\", ESCAPED_MARK, "\n", "\r", "|"]
    ).str.split(" ")
    other = compute_where(pairs, ~regular, _finish_extension(_mark_pairs(words)))
    return pl.select(pl.when(regular).then(inside).otherwise(other).alias("i")).to_series()


def _mark_pairs(elements: pl.Expr) -> pl.Expr:
    """Mark the pairs in a list of `key=value` texts; others continue the value before them."""
    element = pl.element()
    pair = pl.lit(PAIR_MARK) + element.str.replace("=", VALUE_MARK, literal=True)
    return elements.list.eval(
        pl.when(element.str.contains(_IS_PAIR)).then(pair).otherwise(pl.lit(" ") + element)
    )


def _finish_extension(marked: pl.Expr) -> pl.Expr:
    """Join marked pairs and return the inside of their JSON object; null where there are none."""
    return build_pairs_from_marks(marked.list.join("").str.replace(r"^[^\x01]*", ""))


def extract_leef(body: pl.Series) -> Pairs:
    """Return the header's parts and the attributes of LEEF bodies."""
    text = strip_control_column(body).to_frame("text")
    frame = text.select(
        pl.col("text").str.extract_groups(_LEEF).alias("g"),
        pl.col("text").str.replace(rf"^[\s\S]*?{_LEEF}", "").alias("rest"),
    ).unnest("g")
    # The delimiter is a tab unless LEEF 2.0 names one; collectors often turn tabs into spaces.
    rest, delimiter = pl.col("rest"), pl.col("6")
    plain = pl.col("rest")
    for character in _LEEF_DELIMITERS:
        is_named = (delimiter == character) | delimiter.str.to_lowercase().str.ends_with(
            f"x{ord(character):02x}"
        )
        plain = (
            pl.when(is_named)
            .then(rest.str.replace_all(character, "\t", literal=True))
            .otherwise(plain)
        )
    frame = frame.with_columns(plain.alias("rest"))
    words = pl.when(rest.str.contains("\t", literal=True)).then(rest.str.split("\t"))
    elements = words.otherwise(rest.str.split(" "))
    inside = frame.select(_finish_extension(_mark_pairs(elements)).alias("inside"))["inside"]
    return {
        "deviceVendor": frame["2"],
        "deviceProduct": frame["3"],
        "deviceVersion": frame["4"],
        "deviceEventClassId": frame["5"],
        "_inside": inside,
    }
