"""Which format the body of a text line has, and its fields as JSON object text.

Belongs here: telling formats apart, JSON bodies, XML, access logs, free text. Does not belong here:
lists of pairs, CEF and LEEF among them (`pairs`), rows under a header (`columns`), syslog headers
(`syslog`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

from ocsf_pipeline.logs.elements import write_xml_pairs
from ocsf_pipeline.logs.frames import compute_where
from ocsf_pipeline.logs.jsontext import (
    PAIR_MARK,
    VALUE_MARK,
    build_object,
    build_pairs_from_marks,
    escape_column,
    read_json,
    strip_control,
    strip_control_column,
)
from ocsf_pipeline.logs.pairs import extract_cef, extract_kv, extract_leef
from ocsf_pipeline.logs.plain_pairs import mark_pairs
from ocsf_pipeline.logs.syslog import extract_parameters

_ACCESS = (
    r"^(?:(\S+:\d+|[\w.\-]+\.[a-z]{2,}) )?(\S+) (\S+) (\S+|\S+ \S+) \[([^\]]+)\] "
    r'"((?:[^"\\]|\\.)*)" (\d{3}) (\d+|-)(?: "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)")?(.*)$'
)
_LEAF = (
    r"<[A-Za-z0-9_:.\-]+(?:[ \t][^<>]*)?>[^<>]+</"
    r"|<(?:[A-Za-z0-9_]+:)?Data[ \t]+Name=[\"'][^<>\"']+[\"'](?:/>|></)"
    r"|[ \t][A-Za-z0-9_:.\-]+=(?:\"[^\"<>]*\"|'[^'<>]*')"
)
_NAMED_DATA = r"^<(?:[A-Za-z0-9_]+:)?Data[ \t]+Name=[\"']([^\"']+)[\"'][^>]*>"
_ELEMENT = r"^<(?:[A-Za-z0-9_]+:)?([^\s>]*)[^>]*>"
_JSON_TAIL = r"^[^{}]*? ?(\{\"[\s\S]*\})\s*$"


def recognize_formats(split: pl.DataFrame) -> pl.Series:
    """Return the format of each `body`: json, cef, leef, xml, access, kv or text."""
    text = pl.col("body")
    frame = split.select("body", "structured_data")
    kinds = frame.select(
        (text.str.starts_with("{") | text.str.ends_with("}")).alias("json"),
        text.str.contains("CEF:", literal=True).alias("cef"),
        text.str.contains("LEEF:", literal=True).alias("leef"),
        text.str.starts_with("<").alias("xml"),
        text.str.contains('] "', literal=True).alias("access"),
        text.str.contains("=", literal=True).alias("kv"),
    )
    # A cheap look first, the pattern where it may match.
    patterns = {
        "json": text.str.contains(_JSON_TAIL),
        "cef": text.str.contains(r"CEF: ?\d\|"),
        "leef": text.str.contains(r"LEEF: ?[12]\.0\|"),
        # A pattern from begin to end would walk through whole documents.
        "xml": text.str.contains(r"^<[A-Za-z?]") & text.str.strip_chars_end().str.ends_with(">"),
        "access": text.str.contains(r'^\S+ .*\[[^\]]+\] "[A-Z]+ .*" \d{3} '),
    }
    fits = [(name, compute_where(frame, kinds[name], looks)) for name, looks in patterns.items()]
    fits.append(("kv", kinds["kv"] & mark_pairs(frame["body"])))
    if frame["structured_data"].null_count() < len(frame):  # pairs in the header, nothing behind it
        only_header = (text == "") & pl.col("structured_data").is_not_null()
        fits.insert(0, ("kv", frame.select(only_header)["body"]))
    # The first that fits; `text` where none does.
    fitting = [column.fill_null(value=False).to_numpy() for _name, column in fits]
    codes = np.select(fitting, range(len(fits)), default=len(fits))
    return pl.Series("format", [*(name for name, _column in fits), "text"])[codes]


def extract_fields(rows: pl.DataFrame) -> pl.DataFrame:
    """Add `fields` (JSON object text) to rows of `format`, `body` and the header's columns.

    A body that cannot be read as its format becomes `{"message": …}` with format `text`, so that no
    log is lost to a malformed pair.
    """
    if rows.is_empty():
        return rows.with_columns(pl.lit(None, dtype=pl.String).alias("fields"))
    parts = []
    for (name,), part in rows.partition_by("format", as_dict=True).items():
        parts.append(part.with_columns(_EXTRACTORS[str(name)](part).alias("fields")))
    joined = pl.concat(parts) if len(parts) > 1 else parts[0]
    failed = joined.select(
        pl.col("fields").is_null() | ~pl.col("fields").str.starts_with("{")
    )["fields"]  # fmt: skip
    if not failed.any():
        return joined
    plain = joined.filter(failed).with_columns(pl.lit("text").alias("format"))
    plain = plain.with_columns(build_object(message=plain["body"]).alias("fields"))
    return pl.concat([joined.filter(~failed), plain])


def header_pairs(part: pl.DataFrame) -> dict[str, pl.Series]:
    """Return what a syslog header says, as columns for `build_object`."""
    parameters = part["structured_data"]
    if parameters.null_count() < len(parameters):
        parameters = compute_where(
            part, parameters.is_not_null(), extract_parameters(pl.col("structured_data"))
        )
    return {
        "program": part["program"],
        "pid": part["pid"],
        "msgid": part["msgid"],
        "syslog_host": part["header_host"],
        "_inside_header": parameters,
    }


def _extract_json(part: pl.DataFrame) -> pl.Series:
    """JSON, or JSON behind some words that the program put before it."""
    tail = part["body"].str.extract(_JSON_TAIL)
    fields = read_json(tail)
    lead = part.select(
        pl.col("body").str.strip_suffix(tail.fill_null("")).str.strip_chars(" \t:-")
    )["body"]
    has_lead = (lead.str.len_bytes() > 0) & ~fields.str.contains('^\\{\\}|"message":')
    if not has_lead.any():
        return fields
    frame = pl.DataFrame({"fields": fields, "lead": escape_column(lead)})
    whole = pl.concat_str(
        pl.lit('{"message":"'), "lead", pl.lit('",'), pl.col("fields").str.strip_prefix("{")
    )
    return frame.select(pl.when(has_lead).then(whole).otherwise("fields").alias("f"))["f"]


def _extract_cef(part: pl.DataFrame) -> pl.Series:
    return build_object(**extract_cef(part["body"]), **header_pairs(part))


def _extract_leef(part: pl.DataFrame) -> pl.Series:
    return build_object(**extract_leef(part["body"]), **header_pairs(part))


def _extract_kv(part: pl.DataFrame) -> pl.Series:
    return build_object(**extract_kv(part["body"]), **header_pairs(part))


def _extract_xml(part: pl.DataFrame) -> pl.Series:
    """Leaf elements and attributes, flat; `<Data Name="X">v</Data>` is field X.

    No XML parser sees the text, so there are no entities to expand.
    """
    provider = part["body"].str.extract(r"<Provider\s[^>]*?Name=[\"']([^\"']+)[\"']")
    inside, unsure = write_xml_pairs(part["body"])
    if len(unsure):
        inside = inside.scatter(unsure, extract_xml_pairs(part["body"][unsure]))
    fields = build_object(Provider=provider, _inside=inside, **header_pairs(part))
    return fields.set(inside.is_null(), None)


def extract_xml_pairs(bodies: pl.Series) -> pl.Series:
    """Return the inside of a JSON object per XML text; null where it has no pairs."""
    element = pl.element()
    is_attribute = element.str.contains(r"^[ \t]")
    attribute = (
        element.str.replace(r"^[ \t](?:[A-Za-z0-9_]+:)?", PAIR_MARK)
        .str.replace_many(['="', "='"], [VALUE_MARK, VALUE_MARK])
        .str.strip_chars_end("\"'")
    )
    leaf = (
        element.str.strip_suffix("</")
        # Names of data may have spaces; after an element's own name they separate attributes.
        .str.replace(_NAMED_DATA, f"{PAIR_MARK}${{1}}{VALUE_MARK}")
        .str.replace(_ELEMENT, f"{PAIR_MARK}${{1}}{VALUE_MARK}")
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
    inside = build_pairs_from_marks(pl.col("marked")).alias("inside")
    return bodies.to_frame("body").select(marked.alias("marked")).select(inside)["inside"]


def _extract_access(part: pl.DataFrame) -> pl.Series:
    body = strip_control_column(part["body"]).to_frame("body")
    groups = body.select(pl.col("body").str.extract_groups(_ACCESS).alias("g")).unnest("g")

    def known(number: int) -> pl.Series:
        value = pl.col(str(number))
        return groups.select(pl.when(value != "-").then(value).alias("value"))["value"]

    request = groups.select(
        pl.col("6").str.extract_groups(r"^([A-Z]+) (\S*)(?: (\S+))?$").alias("g")
    ).unnest("g")
    rest = pl.col("11").str.strip_chars()
    fields = build_object(
        vhost=known(1), client_ip=known(2), ident=known(3), user=known(4), timestamp=groups["5"],
        http_method=request["1"], url=request["2"], http_version=request["3"],
        status_code=groups["7"], bytes=known(8), referer=known(9), user_agent=known(10),
        rest=groups.select(pl.when(rest.str.len_bytes() > 0).then(rest).alias("rest"))["rest"],
        **header_pairs(part),
    )  # fmt: skip
    return fields.set(groups["7"].is_null(), None)


_IP = r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+|[0-9a-fA-F]*:[0-9a-fA-F:]*:[0-9a-fA-F]*"
_PORT = r"\]?(?:(?:[/:(]| port )([0-9]+))?"
_SOURCE = (
    r"(?:[Ff]rom|src|[Ss]ource|client|rhost|peer|by)[ :=]+(?:[A-Za-z0-9_\-]+[:/])?"
    rf"\[?({_IP}){_PORT}"
)
_TARGET = rf"(?:\bto|dst|dest|destination|->)[ :=]+(?:[A-Za-z0-9_\-]+[:/])?\[?({_IP}){_PORT}"
_USER = (
    r"(?:(?:for )?(?:[Ii]nvalid |illegal )?[Uu]ser(?:name)?|USER|account|for)[ :=]+[\"'<]?"
    r"([A-Za-z_][A-Za-z0-9_.\-\\@$]*)"
)
_NOT_A_USER = (
    r"^(?i:the|a|an|from|by|to|on|in|at|is|was|not|unknown|invalid|illegal|user|of|and|has|with|name|"
    r"root_?cause|account|session|service|group|access|all|this|inside|outside|tcp|udp|icmp|"
    r"privileges?|id|identity|agent|login|logon|logged|authenticated|authentication|profile|roles?|"
    r"mode|created|deleted|added|removed|changed|disabled|enabled|locked|does|did|cannot|could|"
    r"without|via|through|attempted|requested|failed|rights?|which|that|it|be|been|no|or)$"
)


def _extract_text(part: pl.DataFrame) -> pl.Series:
    """Free text keeps its message; what it says plainly (`from 192.0.2.1 port 22`) gets a name."""
    body = pl.col("body")
    said = part.select(
        body.str.extract_groups(_SOURCE).struct.rename_fields(["src_ip", "src_port"]).alias("s"),
        body.str.extract_groups(_TARGET).struct.rename_fields(["dst_ip", "dst_port"]).alias("t"),
        body.str.extract(_USER).alias("user"),
    ).unnest("s", "t")
    user = said.select(pl.when(~pl.col("user").str.contains(_NOT_A_USER)).then("user"))["user"]
    return build_object(
        message=part["body"], user=user, src_ip=said["src_ip"], src_port=said["src_port"],
        dst_ip=said["dst_ip"], dst_port=said["dst_port"], **header_pairs(part),
    )  # fmt: skip


_EXTRACTORS: dict[str, Callable[[pl.DataFrame], pl.Series]] = {
    "json": _extract_json,
    "cef": _extract_cef,
    "leef": _extract_leef,
    "kv": _extract_kv,
    "xml": _extract_xml,
    "access": _extract_access,
    "text": _extract_text,
}
