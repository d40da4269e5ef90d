"""Which format the body of a text line has, and its fields as JSON object text.

Belongs here: CEF, LEEF, key=value, XML, access logs, free text. Does not belong here: JSON lines
(already their own fields), rows under a header (`columns`), syslog headers (`syslog`).
"""

from __future__ import annotations

import polars as pl

from ocsf_pipeline.logs.jsontext import (
    ESCAPED_MARK,
    PAIR_MARK,
    VALUE_MARK,
    build_pairs,
    build_pairs_from_marks,
    canonicalize_json,
    strip_control,
)

_ACCESS = (
    r"^(?:(\S+:\d+|[\w.\-]+\.[a-z]{2,}) )?(\S+) (\S+) (\S+|\S+ \S+) \[([^\]]+)\] "
    r'"((?:[^"\\]|\\.)*)" (\d{3}) (\d+|-)(?: "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)")?(.*)$'
)
# ASCII classes throughout: Unicode ones make the automata several times larger and slower.
_KEY = r"[A-Za-z_@][A-Za-z0-9_.\-@/]*"
_PAIR = (
    rf"(?:^|[ \t,;|(\[{{]){_KEY}="
    r'(?:"[^"\\]*(?:\\.[^"\\]*)*"|\'[^\']*\'|[^ \t,;"\']*)'
)
_PAIR_START = rf"(?:^|[ \t,;|(\[{{]){_KEY}="
_PAIR_LEAD = " \t,;|([{"
_LEAF = (
    r"<[A-Za-z0-9_:.\-]+(?:[ \t][^<>]*)?>[^<>]+</"
    r"|[ \t][A-Za-z0-9_:.\-]+=(?:\"[^\"<>]*\"|'[^'<>]*')"
)


def recognize_formats(body: pl.Expr) -> pl.Expr:
    """Return the format of each body: json, cef, leef, xml, access, kv or text."""
    pairs = body.str.count_matches(_PAIR_START)
    return (
        pl.when(body.str.starts_with("{")).then(pl.lit("json"))
        .when(body.str.contains(r"CEF: ?\d\|")).then(pl.lit("cef"))
        .when(body.str.contains(r"LEEF: ?[12]\.0\|")).then(pl.lit("leef"))
        .when(body.str.contains(r"^<[A-Za-z?][\s\S]*>\s*$")).then(pl.lit("xml"))
        .when(body.str.contains(r'^\S+ .*\[[^\]]+\] "[A-Z]+ .*" \d{3} ')).then(pl.lit("access"))
        .when((pairs >= 3) | ((pairs == 2) & body.str.contains(rf"^{_KEY}=")))
        .then(pl.lit("kv"))
        .otherwise(pl.lit("text"))
    )  # fmt: skip


def extract_fields(rows: pl.DataFrame) -> pl.DataFrame:
    """Add `fields` (JSON object text) to rows of `format`, `body` and the header's columns.

    A body that cannot be read as its format becomes `{"message": …}` with format `text`, so that no
    log is lost to a malformed pair.
    """
    parts = []
    for (name,), part in rows.with_row_index("_row").partition_by("format", as_dict=True).items():
        parts.append(part.with_columns(_EXTRACTORS[str(name)](part).alias("fields")))
    if not parts:
        return rows.with_columns(pl.lit(None, dtype=pl.String).alias("fields"))
    joined = pl.concat(parts).sort("_row").drop("_row")
    failed = pl.col("fields").is_null() | ~pl.col("fields").str.starts_with("{")
    if not joined.select(failed.any()).item():
        return joined
    plain = pl.concat_str(pl.lit("{"), build_pairs(message=pl.col("body")), pl.lit("}"))
    return joined.with_columns(
        pl.when(failed).then(plain).otherwise(pl.col("fields")).alias("fields"),
        pl.when(failed).then(pl.lit("text")).otherwise(pl.col("format")).alias("format"),
    )


def _header_pairs() -> pl.Expr:
    return build_pairs(
        program=pl.col("program"), pid=pl.col("pid"), syslog_host=pl.col("header_host")
    )


def _close(frame: pl.DataFrame, *insides: pl.Expr) -> pl.Series:
    """Join the insides of objects that are not empty into one object."""
    # Columns first: an expression used twice is computed twice.
    parts = frame.select(inside.alias(str(number)) for number, inside in enumerate(insides))
    present = [
        pl.when(pl.col(name).str.len_bytes() > 0).then(pl.col(name)) for name in parts.columns
    ]
    joined = pl.concat_str(present, separator=",", ignore_nulls=True)
    fields = pl.concat_str(pl.lit("{"), joined, pl.lit("}"))
    return parts.select(fields.alias("fields"))["fields"]


def _extract_json(part: pl.DataFrame) -> pl.Series:
    body = canonicalize_json(pl.col("body"))
    return part.select(body.alias("fields"))["fields"]


def _mark_pairs(elements: pl.Expr) -> pl.Expr:
    """Mark the pairs in a list of `key=value` texts; others continue the value before them."""
    element = pl.element()
    is_pair = element.str.contains(r"^[A-Za-z_][A-Za-z0-9_.\-\[\]]*=")
    pair = pl.lit(PAIR_MARK) + element.str.replace("=", VALUE_MARK, literal=True)
    return elements.list.eval(pl.when(is_pair).then(pair).otherwise(pl.lit(" ") + element))


def _finish_extension(marked: pl.Expr) -> pl.Expr:
    """Join marked pairs and return the inside of their JSON object; null where there are none."""
    return build_pairs_from_marks(marked.list.join("").str.replace(r"^[^\x01]*", ""))


def _extract_cef(part: pl.DataFrame) -> pl.Series:
    bars = strip_control(pl.col("body")).str.replace_all("\\|", ESCAPED_MARK, literal=True)
    cells = bars.str.slice(bars.str.find("CEF:", literal=True)).str.splitn("|", 8)
    frame = part.select("program", "pid", "header_host", cells.alias("g")).unnest("g")

    def part_text(number: int) -> pl.Expr:
        return pl.col(f"field_{number}").str.replace_all(ESCAPED_MARK, "|", literal=True)

    header = build_pairs(
        deviceVendor=part_text(1), deviceProduct=part_text(2), deviceVersion=part_text(3),
        deviceEventClassId=part_text(4), name=part_text(5), cefSeverity=part_text(6),
    )  # fmt: skip
    # Values hold spaces: a word that begins with `key=` begins a pair, any other continues one.
    words = (
        part_text(7).fill_null("").str.strip_chars()
        .str.replace_many(["\\=", "\\n"], [ESCAPED_MARK, "\n"]).str.split(" ")
    )  # fmt: skip
    extension = _finish_extension(_mark_pairs(words)).str.replace_all(
        ESCAPED_MARK, "=", literal=True
    )
    return _close(frame, header, extension, _header_pairs())


def _extract_leef(part: pl.DataFrame) -> pl.Series:
    groups = strip_control(pl.col("body")).str.extract_groups(
        r"(?s)LEEF: ?([12])\.0\|([^|]*)\|([^|]*)\|([^|]*)\|([^|]*)\|"
        r"(?:(x[0-9A-Fa-f]{2}|[^\w\s])\|)?(.*)$"
    )
    frame = part.select("program", "pid", "header_host", groups.alias("g")).unnest("g")
    header = build_pairs(
        deviceVendor=pl.col("2"), deviceProduct=pl.col("3"), deviceVersion=pl.col("4"),
        deviceEventClassId=pl.col("5"),
    )  # fmt: skip
    # The delimiter is a tab unless LEEF 2.0 names one; collectors often turn tabs into spaces.
    text = pl.col("7").fill_null("")
    named = pl.when(pl.col("6") == "^").then(text.str.replace_all("^", "\t", literal=True))
    tabbed = named.when(pl.col("6") == "|").then(text.str.replace_all("|", "\t", literal=True))
    split = tabbed.otherwise(text)
    has_tabs = split.str.contains("\t", literal=True)
    elements = pl.when(has_tabs).then(split.str.split("\t")).otherwise(split.str.split(" "))
    extension = _finish_extension(_mark_pairs(elements))
    return _close(frame, header, extension, _header_pairs())


def _extract_kv(part: pl.DataFrame) -> pl.Series:
    text = strip_control(pl.col("body"))
    element = pl.element().str.strip_chars_start(_PAIR_LEAD)
    value_mark = pl.lit(PAIR_MARK) + element.str.replace("=", VALUE_MARK, literal=True)
    marked = text.str.extract_all(_PAIR).list.eval(
        # A bare value holds no quotes, so a quote at its end closes one at its beginning.
        value_mark.str.strip_suffix('"').str.strip_suffix("'")
    )
    joined = marked.list.join("").str.replace_many(
        [f'{VALUE_MARK}"', f"{VALUE_MARK}'", '\\"'], [VALUE_MARK, VALUE_MARK, '"']
    )
    # What stands before the first pair names the event in many logs: keep it as the message.
    lead = text.str.extract(rf"^([^=]*?)[ \t,;|(\[{{]*{_KEY}=").str.strip_chars()
    message = build_pairs(message=pl.when(lead.str.len_bytes() > 1).then(lead))
    return _close(part, message, build_pairs_from_marks(joined), _header_pairs())


def _extract_xml(part: pl.DataFrame) -> pl.Series:
    """Leaf elements and attributes, flat; `<Data Name="X">v</Data>` is field X.

    No XML parser sees the text, so there are no entities to expand.
    """
    element = pl.element()
    is_attribute = element.str.contains(r"^[ \t]")
    attribute = (
        element.str.replace(r"^[ \t](?:[A-Za-z0-9_]+:)?", PAIR_MARK)
        .str.replace_many(['="', "='"], [VALUE_MARK, VALUE_MARK])
        .str.strip_chars_end("\"'")
    )
    leaf = (
        element.str.strip_suffix("</")
        .str.replace(">", VALUE_MARK, literal=True)
        .str.replace(r"^<(?:[A-Za-z0-9_]+:)?(?:Data[ \t]+Name=[\"'])?", PAIR_MARK)
        .str.replace(r"(?:[\"']?[ \t][^\x02]*|[\"'])?\x02", VALUE_MARK)
    )
    marked = (
        strip_control(pl.col("body")).str.extract_all(_LEAF)
        .list.eval(pl.when(is_attribute).then(attribute).otherwise(leaf))
        .list.join("")
        .str.replace_many(
            ["&lt;", "&gt;", "&quot;", "&apos;", "&amp;", "&#xD;", "&#xA;", "&#13;", "&#10;"],
            ["<", ">", '"', "'", "&", "\r", "\n", "\r", "\n"],
        )
    )  # fmt: skip
    provider = build_pairs(
        Provider=pl.col("body").str.extract(r"<Provider\s[^>]*?Name=[\"']([^\"']+)[\"']")
    )
    return _close(part, provider, build_pairs_from_marks(marked))


def _extract_access(part: pl.DataFrame) -> pl.Series:
    frame = part.select(
        "program", "pid", "header_host", "body",
        strip_control(pl.col("body")).str.extract_groups(_ACCESS).alias("g"),
    ).unnest("g")  # fmt: skip

    def known(number: int) -> pl.Expr:
        value = pl.col(str(number))
        return pl.when(value != "-").then(value)

    request = pl.col("6").str.extract_groups(r"^([A-Z]+) (\S*)(?: (\S+))?$")
    pairs = build_pairs(
        vhost=known(1), client_ip=known(2), ident=known(3), user=known(4), timestamp=pl.col("5"),
        http_method=request.struct.field("1"), url=request.struct.field("2"),
        http_version=request.struct.field("3"), status_code=pl.col("7"), bytes=known(8),
        referer=known(9), user_agent=known(10),
        rest=pl.when(pl.col("11").str.strip_chars().str.len_bytes() > 0)
        .then(pl.col("11").str.strip_chars()),
    )  # fmt: skip
    fields = _close(frame, pairs, _header_pairs())
    return fields.set(frame["7"].is_null(), None)


_IP = r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+|[0-9a-fA-F]*:[0-9a-fA-F:]*:[0-9a-fA-F]*"
_PORT = r"\]?(?:(?:[/:(]| port )([0-9]+))?"
_SOURCE = (
    r"(?:[Ff]rom|src|[Ss]ource|client|rhost|peer|by)[ :=]+(?:[A-Za-z0-9_\-]+[:/])?"
    rf"\[?({_IP}){_PORT}"
)
_TARGET = rf"(?:\bto|dst|dest|destination|->)[ :=]+(?:[A-Za-z0-9_\-]+[:/])?\[?({_IP}){_PORT}"
_USER = (
    r"(?:[Ii]nvalid user|[Uu]ser|[Uu]sername|USER|account|for)[ :=]+[\"'<]?"
    r"([A-Za-z_][A-Za-z0-9_.\-\\@$]*)"
)
_NOT_A_USER = (
    r"^(?i:the|a|an|from|by|to|on|in|at|is|was|not|unknown|invalid|illegal|user|of|and|has|with|name|"
    r"root_?cause|account|session|service|group|access|all|this|inside|outside|tcp|udp|icmp)$"
)


def _extract_text(part: pl.DataFrame) -> pl.Series:
    """Free text keeps its message; what it says plainly (`from 192.0.2.1 port 22`) gets a name."""
    said = part.select(
        "program", "pid", "header_host",
        strip_control(pl.col("body")).alias("message"),
        pl.col("body").str.extract_groups(_SOURCE).alias("source"),
        pl.col("body").str.extract_groups(_TARGET).alias("target"),
        pl.col("body").str.extract(_USER).alias("user"),
    )  # fmt: skip
    pairs = build_pairs(
        message=pl.col("message"),
        user=pl.when(~pl.col("user").str.contains(_NOT_A_USER)).then(pl.col("user")),
        src_ip=pl.col("source").struct.field("1"), src_port=pl.col("source").struct.field("2"),
        dst_ip=pl.col("target").struct.field("1"), dst_port=pl.col("target").struct.field("2"),
    )  # fmt: skip
    return _close(said, pairs, _header_pairs())


_EXTRACTORS = {
    "json": _extract_json,
    "cef": _extract_cef,
    "leef": _extract_leef,
    "kv": _extract_kv,
    "xml": _extract_xml,
    "access": _extract_access,
    "text": _extract_text,
}
