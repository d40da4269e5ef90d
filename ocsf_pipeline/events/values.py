"""Log values become values of OCSF types; what does not fit becomes null.

Belongs here: casts as Polars expressions over text columns, and words that stand for enum values.
Does not belong here: which field is cast to what (`mapping`).

Every cast returns null exactly where the text does not fit the type; the caller keeps such text
in `unmapped`. Units: times in epoch milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import polars as pl

from ocsf_pipeline.events.quick_values import V4, WITH_COLON, mark_addresses, read_plain_times
from ocsf_pipeline.events.schema_view import AttributeView, TypeView

EMPTY_TEXTS = (
    "", "-", "N/A", "n/a", "(null)", "null", "NULL", "<null>", "(empty)", "<empty>", "None", "nil",
    "undefined",
)  # fmt: skip
"""Texts that say "no value"; they are not kept."""
OTHER_ID = 99

ENUM_WORDS: Mapping[str, Mapping[str, str]] = {
    # enum attribute: {text in lower case: caption in lower case}; captions themselves need no line
    "severity_id": {
        "info": "informational", "information": "informational", "notice": "informational",
        "debug": "informational", "verbose": "informational", "trace": "informational",
        "normal": "informational", "none": "informational", "audit success": "informational",
        "warning": "low", "warn": "low", "minor": "low", "moderate": "medium", "error": "medium",
        "err": "medium", "major": "high", "severe": "high", "important": "high",
        "audit failure": "medium", "crit": "critical", "alert": "critical", "very-high": "critical",
        "emerg": "fatal", "emergency": "fatal", "panic": "fatal",
    },
    "status_id": {
        **dict.fromkeys(
            ("succeeded", "successful", "ok", "true", "yes", "pass", "passed", "allow", "allowed",
             "granted", "accepted", "completed", "complete", "audit success", "0", "0x0",
             "succeed", "delivered", "authenticated"), "success"),
        **dict.fromkeys(
            ("failed", "fail", "error", "false", "no", "deny", "denied", "rejected", "blocked",
             "audit failure", "unsuccessful", "failure_reason", "refused", "invalid", "timeout",
             "unauthorized", "accessdenied", "access denied", "bounced"), "failure"),
    },
    "action_id": {
        **dict.fromkeys(("allow", "accept", "accepted", "permit", "permitted", "pass", "passed",
                         "allowed", "success", "deliver", "delivered"), "allowed"),
        **dict.fromkeys(("deny", "denied", "block", "blocked", "drop", "dropped", "reject",
                         "rejected", "reset", "quarantine", "quarantined"), "denied"),
    },
    "disposition_id": {
        **dict.fromkeys(("allow", "accept", "accepted", "permit", "permitted", "pass"), "allowed"),
        **dict.fromkeys(("deny", "denied", "block", "reject", "rejected"), "blocked"),
        "drop": "dropped", "quarantine": "quarantined", "delete": "deleted",
    },
    "direction_id": {
        **dict.fromkeys(("in", "ingress", "incoming", "inbound", "received"), "inbound"),
        **dict.fromkeys(("out", "egress", "outgoing", "outbound", "sent"), "outbound"),
        "internal": "lateral",
    },
    "auth_protocol_id": {"ntlm v2": "ntlm", "ntlmv2": "ntlm", "negotiate": "other"},
}  # fmt: skip

PROTOCOLS: Mapping[str, int] = {
    "icmp": 1, "igmp": 2, "ipv4": 4, "tcp": 6, "egp": 8, "igp": 9, "udp": 17, "rdp": 27, "dccp": 33,
    "ipv6": 41, "rsvp": 46, "gre": 47, "esp": 50, "ah": 51, "ipv6-icmp": 58, "icmpv6": 58,
    "icmp6": 58, "eigrp": 88, "ospf": 89, "pim": 103, "vrrp": 112, "l2tp": 115, "sctp": 132,
    "udplite": 136,
}  # fmt: skip
"""Internet protocols by the name that IANA gives them, and their number."""
_PROTOCOL_NAMES = {str(number): name for name, number in list(PROTOCOLS.items())[::-1]}
_HOST_PORT = r"^(?:\[([^\]]+)\]|([0-9.]+))[:/]([0-9]{1,5})(?::[\w.-]+){0,2}$"
"""SonicWall and others add interface and name: `192.0.2.1:443:X1:host`."""
_PART_PATTERNS = {
    "basename": r"([^\\/]+)[\\/]*$",
    "domain": r"^([^\\]+)\\",
    "account": r"([^\\]+)$",
}
PART_CASTS = frozenset(
    {"same", "host", "port", "ip_version", "protocol_num", "protocol_name", *_PART_PATTERNS}
)
"""Casts to a part of the source, or to what follows from it."""

_V6_LIKE = r"^[0-9A-Fa-f:.]{2,39}$"
_INT = r"^-?[0-9]{1,18}$"
_HEX = r"^0[xX][0-9A-Fa-f]{1,15}$"
_TRUE = ("true", "yes", "1")
_FALSE = ("false", "no", "0")


def clean_text(text: pl.Expr) -> pl.Expr:
    """Return the text, null where it only says that there is no value."""
    return pl.when(text.is_in(EMPTY_TEXTS)).then(None).otherwise(text)


def cast_text(text: pl.Expr, attribute: AttributeView) -> pl.Expr:
    """Return `text` as a value of the attribute's type, null where it does not fit."""
    kind = attribute.type
    if attribute.enum and kind.base == "string_t":
        return _cast_enum_text(text, attribute)
    if kind.name in ("timestamp_t",):
        return cast_time(text)
    if kind.base in ("integer_t", "long_t"):
        return _bound(cast_integer(text), kind)
    if kind.base == "float_t":
        number = text.cast(pl.Float64, strict=False)
        return pl.when(number.is_finite()).then(number)
    if kind.base == "boolean_t":
        return _cast_boolean(text)
    return _fit_text(text, kind)


def cast_part(cast: str, text: pl.Expr, attribute: AttributeView) -> pl.Expr:
    """Return what a part cast (PART_CASTS) makes of `text`, as a value of the attribute's type."""
    if cast == "ip_version":
        return (
            pl.when(text.str.contains(":", literal=True)).then(6).when(text.is_not_null()).then(4)
        )
    if cast == "protocol_num":
        name = text.str.to_lowercase()
        return name.replace_strict(PROTOCOLS, default=None, return_dtype=pl.Int64)
    if cast == "protocol_name":
        return text.replace_strict(_PROTOCOL_NAMES, default=None, return_dtype=pl.String)
    if cast == "host":
        parts = text.str.extract_groups(_HOST_PORT)
        text = pl.coalesce(parts.struct.field("1"), parts.struct.field("2"), text)
    elif cast == "port":
        text = text.str.extract(_HOST_PORT, 3)
    elif cast in _PART_PATTERNS:
        text = text.str.extract(_PART_PATTERNS[cast])
    return cast_text(text, attribute)


def cast_list(texts: pl.Expr, attribute: AttributeView) -> pl.Expr:
    """Return the elements that fit the attribute's type; null where none does."""
    fitting = texts.list.eval(cast_text(clean_text(pl.element()), attribute).drop_nulls())
    return pl.when(fitting.list.len() > 0).then(fitting)


def cast_integer(text: pl.Expr) -> pl.Expr:
    """Return decimal or 0x text of at most 18 digits as Int64."""
    plain = pl.when(text.str.contains(_INT)).then(text).cast(pl.Int64, strict=False)
    digits = pl.when(text.str.contains(_HEX)).then(text.str.slice(2))
    return pl.coalesce(plain, digits.str.to_integer(base=16, strict=False))


def cast_time(text: pl.Expr) -> pl.Expr:
    """Return epoch milliseconds from ISO 8601 text or an epoch in s, ms, µs or ns.

    A time without a zone is taken as UTC. Years outside 1971 to 2200 do not fit.
    """
    return text.map_batches(_read_times, return_dtype=pl.Int64)


def _read_times(texts: pl.Series) -> pl.Series:
    times = read_plain_times(texts)
    left = np.flatnonzero((times.is_null() & texts.is_not_null()).to_numpy())
    if len(left):
        others = texts[left].to_frame("text").select(_cast_other_time(pl.col("text")))
        times = times.scatter(left, others.to_series())
    fits = times.is_between(31_536_000_000, 7_258_118_400_000)
    return times if fits.all() else times.set(~fits, None)


def _cast_other_time(text: pl.Expr) -> pl.Expr:
    number = text.cast(pl.Float64, strict=False)
    size = number.abs()
    epoch_ms = (
        pl.when(size < 1e11).then(number * 1000)
        .when(size < 1e14).then(number)
        .when(size < 1e17).then(number / 1000)
        .otherwise(number / 1_000_000)
    )  # fmt: skip
    iso = text.str.replace(" ", "T", literal=True)
    zoned = iso.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", time_unit="ms", strict=False)
    naive = iso.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="ms", strict=False)
    return pl.coalesce(
        epoch_ms.round(0).cast(pl.Int64, strict=False), zoned.dt.epoch("ms"), naive.dt.epoch("ms")
    )


def cast_enum(
    text: pl.Expr, attribute: AttributeView, own_words: Mapping[str, int] | None = None
) -> pl.Expr:
    """Return the enum value that a word, a caption or the number itself stands for, else 99.

    Null only where the text is null, or where the enum has no 99 and the word is not known.
    """
    words = {**enum_words(attribute), **(own_words or {})}
    # Where the product's own words are known, another word says something else.
    other = OTHER_ID if str(OTHER_ID) in attribute.enum and not own_words else None
    known = text.str.to_lowercase().replace_strict(words, default=other, return_dtype=pl.Int64)
    return pl.when(text.is_not_null()).then(known)


def enum_words(attribute: AttributeView) -> dict[str, int]:
    """Return every word that stands for a value of an enum attribute, in lower case."""
    captions = {caption.lower(): int(value) for value, caption in attribute.enum.items()}
    words = {
        word: captions[caption]
        for word, caption in ENUM_WORDS.get(attribute.name, {}).items()
        if caption in captions
    }
    squeezed = {caption.replace(" ", ""): value for caption, value in captions.items()}
    return {**squeezed, **words, **captions}


def cast_enum_number(text: pl.Expr, attribute: AttributeView) -> pl.Expr:
    """Return the number where it is a value of the enum, else null."""
    number = cast_integer(text)
    return pl.when(number.is_in([int(value) for value in attribute.enum])).then(number)


def caption_of(number: pl.Expr, attribute: AttributeView, text: pl.Expr) -> pl.Expr:
    """Return the caption of an enum value; for 99 Other the log's own word."""
    captions = {int(value): caption for value, caption in attribute.enum.items()}
    captions.pop(OTHER_ID, None)
    known = number.replace_strict(captions, default=None, return_dtype=pl.String)
    return pl.coalesce(known, pl.when(number.is_not_null()).then(text))


def _cast_enum_text(text: pl.Expr, attribute: AttributeView) -> pl.Expr:
    by_lower = {value.lower(): value for value in attribute.enum}
    return text.str.to_lowercase().replace_strict(by_lower, default=None, return_dtype=pl.String)


def _cast_boolean(text: pl.Expr) -> pl.Expr:
    lower = text.str.to_lowercase()
    return pl.when(lower.is_in(_TRUE)).then(True).when(lower.is_in(_FALSE)).then(False)


def _bound(number: pl.Expr, kind: TypeView) -> pl.Expr:
    if kind.low is None or kind.high is None:
        return number
    return pl.when(number.is_between(kind.low, kind.high)).then(number)


def _fit_text(text: pl.Expr, kind: TypeView) -> pl.Expr:
    if kind.name == "ip_t":
        return text.map_batches(
            partial(_keep_addresses, pattern=kind.regex), return_dtype=pl.String
        )
    conditions = []
    if kind.regex is not None:
        conditions.append(text.str.contains(kind.regex))
    if kind.max_len is not None:
        conditions.append(text.str.len_chars() <= kind.max_len)
    return pl.when(pl.all_horizontal(conditions)).then(text) if conditions else text


def _keep_addresses(texts: pl.Series, pattern: str | None) -> pl.Series:
    """Return the texts that are addresses; the schema's own pattern, which is long, runs last."""
    kinds = mark_addresses(texts)
    is_address = kinds == V4
    text = pl.col("text")
    # Without a pattern everything that looks a little like an address does.
    left = np.flatnonzero(~is_address if pattern is None else kinds == WITH_COLON)
    if len(left):
        fits = text.str.contains(_V6_LIKE)
        if pattern is not None:
            fits = pl.when(fits).then(text).str.contains(pattern)
        others = texts[left].to_frame("text").select(fits.fill_null(value=False))
        is_address[left] = others.to_series().to_numpy()
    return texts if is_address.all() else texts.set(pl.Series(~is_address), None)
