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
    build_object,
    build_pairs,
    canonicalize_json,
    strip_control,
)

_ACCESS = (
    r'^(?:(\S+:\d+|[\w.\-]+\.[a-z]{2,}) )?(\S+) (\S+) (\S+|\S+ \S+) \[([^\]]+)\] '
    r'"((?:[^"\\]|\\.)*)" (\d{3}) (\d+|-)(?: "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)")?(.*)$'
)
_KEY = r"[A-Za-z_@][\w.\-@/]{0,63}"
_PAIR = rf'(?:^|[\s,;|(\[{{]){_KEY}=(?:"(?:[^"\\]|\\.)*"|\'[^\']*\'|[^\s,;|"\']*)'
_LEAF = (
    r"<[\w:.\-]+(?:\s[^<>]*)?>[^<>]+</"
    r"|\s[\w:.\-]+=(?:\"[^\"<>]*\"|'[^'<>]*')"
)


def recognize_formats(body: pl.Expr) -> pl.Expr:
    """Return the format of each body: json, cef, leef, xml, access, kv or text."""
    pairs = body.str.count_matches(_PAIR)
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
        read = part.with_columns(_EXTRACTORS[str(name)](part).alias("fields"))
        parts.append(read.with_columns(canonicalize_json(pl.col("fields")).alias("fields")))
    if not parts:
        return rows.with_columns(pl.lit(None, dtype=pl.String).alias("fields"))
    joined = pl.concat(parts).sort("_row").drop("_row")
    failed = pl.col("fields").is_null() | ~pl.col("fields").str.starts_with("{")
    plain = pl.concat_str(pl.lit("{"), build_pairs(message=pl.col("body")), pl.lit("}"))
    return joined.with_columns(
        pl.when(failed).then(plain).otherwise(pl.col("fields")).alias("fields"),
        pl.when(failed).then(pl.lit("text")).otherwise(pl.col("format")).alias("format"),
    )


def _header_pairs() -> pl.Expr:
    return build_pairs(
        program=pl.col("program"), pid=pl.col("pid"), syslog_host=pl.col("header_host")
    )


def _close(*insides: pl.Expr) -> pl.Expr:
    """Join the insides of objects that are not empty into one object."""
    present = [pl.when(inside.str.len_bytes() > 0).then(inside) for inside in insides]
    joined = pl.concat_str(present, separator=",", ignore_nulls=True)
    return pl.concat_str(pl.lit("{"), joined, pl.lit("}"))


def _inside(json_object: pl.Expr) -> pl.Expr:
    return json_object.str.slice(1).str.strip_suffix("}")


def _extract_json(part: pl.DataFrame) -> pl.Series:
    body = canonicalize_json(pl.col("body"))
    return part.select(body.alias("fields"))["fields"]


def _mark_extension(text: pl.Expr) -> pl.Expr:
    """Mark the keys of a CEF extension, whose values may hold spaces and `\\=`."""
    return (
        text.str.replace_all("\\=", ESCAPED_MARK, literal=True)
        .str.replace_all(
            r"(?:^|\s+)([A-Za-z_][\w.\-\[\]]{0,63})=", f"{PAIR_MARK}${{1}}{VALUE_MARK}"
        )
        .str.replace_all(ESCAPED_MARK, "=", literal=True)
        .str.replace_all("\\n", "\n", literal=True)
    )


def _extract_cef(part: pl.DataFrame) -> pl.Series:
    groups = strip_control(pl.col("body")).str.extract_groups(
        r"(?s)CEF: ?\d\|((?:[^|\\]|\\.)*)\|((?:[^|\\]|\\.)*)\|((?:[^|\\]|\\.)*)\|"
        r"((?:[^|\\]|\\.)*)\|((?:[^|\\]|\\.)*)\|([^|]*)(?:\|(.*))?$"
    )
    frame = part.select("program", "pid", "header_host", groups.alias("g")).unnest("g")

    def part_text(number: int) -> pl.Expr:
        return pl.col(str(number)).str.replace_all("\\|", "|", literal=True)

    header = build_pairs(
        deviceVendor=part_text(1), deviceProduct=part_text(2), deviceVersion=part_text(3),
        deviceEventClassId=part_text(4), name=part_text(5), cefSeverity=part_text(6),
    )  # fmt: skip
    marked = _mark_extension(pl.col("7").fill_null("").str.strip_chars())
    has_pairs = marked.str.contains(PAIR_MARK, literal=True)
    first_mark = marked.str.replace(r"^[^\x01]*", "")
    extension = pl.when(has_pairs).then(_inside(build_object(first_mark)))
    return frame.select(_close(header, extension, _header_pairs()).alias("fields"))["fields"]


def _extract_leef(part: pl.DataFrame) -> pl.Series:
    groups = strip_control(pl.col("body")).str.extract_groups(
        r"(?s)LEEF: ?([12])\.0\|([^|]*)\|([^|]*)\|([^|]*)\|([^|]*)\|(?:(x[0-9A-Fa-f]{2}|[^\w\s])\|)?"
        r"(.*)$"
    )
    frame = part.select("program", "pid", "header_host", groups.alias("g")).unnest("g")
    header = build_pairs(
        deviceVendor=pl.col("2"), deviceProduct=pl.col("3"), deviceVersion=pl.col("4"),
        deviceEventClassId=pl.col("5"),
    )  # fmt: skip
    # The delimiter is a tab unless LEEF 2.0 names one; collectors often turn tabs into spaces.
    text = pl.col("7").fill_null("")
    caret = pl.when(pl.col("6") == "^").then(text.str.replace_all("^", "\t", literal=True))
    split = caret.otherwise(text)
    marked = split.str.replace_all(
        r"(?:^|[\t|]+|\s{2,}| )([A-Za-z_][\w.\-]{0,63})=", f"{PAIR_MARK}${{1}}{VALUE_MARK}"
    ).str.replace(r"^[^\x01]*", "")
    has_pairs = marked.str.contains(PAIR_MARK, literal=True)
    extension = pl.when(has_pairs).then(_inside(build_object(marked)))
    return frame.select(_close(header, extension, _header_pairs()).alias("fields"))["fields"]


def _extract_kv(part: pl.DataFrame) -> pl.Series:
    text = strip_control(pl.col("body"))
    pairs = text.str.extract_all(_PAIR).list.join(PAIR_MARK)
    marked = (
        pl.concat_str(pl.lit(PAIR_MARK), pairs)
        .str.replace_all(
            rf"\x01[\s,;|(\[{{]?({_KEY})=", f"{PAIR_MARK}${{1}}{VALUE_MARK}"
        )
        .str.replace_all(r"\x02[\"']((?s:.*?))[\"'](\x01|$)", f"{VALUE_MARK}${{1}}${{2}}")
        .str.replace_all('\\"', '"', literal=True)
    )
    # What stands before the first pair names the event in many logs: keep it as the message.
    lead = text.str.extract(rf"^([^=]*?)[\s,;|(\[{{]*{_KEY}=").str.strip_chars()
    message = build_pairs(message=pl.when(lead.str.len_bytes() > 1).then(lead))
    return part.select(
        _close(message, _inside(build_object(marked)), _header_pairs()).alias("fields")
    )["fields"]


def _extract_xml(part: pl.DataFrame) -> pl.Series:
    """Leaf elements and attributes, flat; `<Data Name="X">v</Data>` is field X.

    No XML parser sees the text, so there are no entities to expand.
    """
    leaves = strip_control(pl.col("body")).str.extract_all(_LEAF).list.join(PAIR_MARK)
    marked = (
        pl.concat_str(pl.lit(PAIR_MARK), leaves)
        .str.replace_all(
            r"\x01<(?:\w+:)?Data\s+Name=[\"']([^\"']+)[\"']\s*>([^<>\x01]*)</",
            f"{PAIR_MARK}${{1}}{VALUE_MARK}${{2}}",
        )
        .str.replace_all(
            r"\x01<(?:\w+:)?([\w.\-]+)(?:\s[^<>\x01]*)?>([^<>\x01]*)</",
            f"{PAIR_MARK}${{1}}{VALUE_MARK}${{2}}",
        )
        .str.replace_all(
            r"\x01\s(?:\w+:)?([\w.\-]+)=[\"']([^\"'<>\x01]*)[\"']",
            f"{PAIR_MARK}${{1}}{VALUE_MARK}${{2}}",
        )
        .str.replace_many(
            ["&lt;", "&gt;", "&quot;", "&apos;", "&amp;", "&#xD;", "&#xA;", "&#13;", "&#10;"],
            ["<", ">", '"', "'", "&", "\r", "\n", "\r", "\n"],
        )
    )
    provider = build_pairs(
        Provider=pl.col("body").str.extract(r"<Provider\s[^>]*?Name=[\"']([^\"']+)[\"']")
    )
    return part.select(_close(provider, _inside(build_object(marked))).alias("fields"))["fields"]


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
    fields = pl.when(pl.col("7").is_not_null()).then(_close(pairs, _header_pairs()))
    return frame.select(fields.alias("fields"))["fields"]


def _extract_text(part: pl.DataFrame) -> pl.Series:
    """Free text keeps its message; what it says plainly (`from 192.0.2.1 port 22`) gets a name."""
    body = strip_control(pl.col("body"))
    ip = r"(?:\d{1,3}\.){3}\d{1,3}|[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){3,7}"
    endpoint = body.str.extract_groups(
        rf"(?i)(?:from|src|source|client|rhost|peer|by)[ :=]+(?:\w+[:/])?\[?({ip})\]?(?:(?:[/:(]| port )(\d{{1,5}})\b)?"
    )
    target = body.str.extract_groups(
        rf"(?i)(?:\bto|dst|dest|destination|->)[ :=]+(?:[\w\-]+[:/])?\[?({ip})\]?(?:(?:[/:(]| port )(\d{{1,5}})\b)?"
    )
    user = body.str.extract(
        r"(?i)\b(?:for(?: invalid| illegal)? user|invalid user|user(?:name)?|account|for)\b[ :=]+[\"'<]?"
        r"([A-Za-z_][\w.\-\\@$]{0,63})[\"'>]?(?:\s|$|[,;()])"
    )
    not_a_user = user.str.contains(
        r"(?i)^(?:the|a|an|from|by|to|on|in|at|is|was|not|unknown|invalid|user|of|and|has|with|name)$"
    )
    pairs = build_pairs(
        message=body,
        user=pl.when(~not_a_user).then(user),
        src_ip=endpoint.struct.field("1"), src_port=endpoint.struct.field("2"),
        dst_ip=target.struct.field("1"), dst_port=target.struct.field("2"),
    )  # fmt: skip
    return part.select(_close(pairs, _header_pairs()).alias("fields"))["fields"]


_EXTRACTORS = {
    "json": _extract_json,
    "cef": _extract_cef,
    "leef": _extract_leef,
    "kv": _extract_kv,
    "xml": _extract_xml,
    "access": _extract_access,
    "text": _extract_text,
}
