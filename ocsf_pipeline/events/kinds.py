"""What one value looks like: an address, a hash, a path, a time, whatever its field is called.

Belongs here: recognising single values, and whether a value can be of an OCSF type. Does not
belong here: casting columns (`values`), choosing attributes (`mapping`). Runs once per template.
"""

from __future__ import annotations

import re
from ipaddress import ip_address

from ocsf_pipeline.events.schema_view import AttributeView, ResolvedPath
from ocsf_pipeline.events.values import enum_words

HASH_BY_LENGTH = {32: "md5", 40: "sha1", 64: "sha256", 128: "sha512"}
"""Hexadecimal digits of a digest to the key of its algorithm."""
MAX_CHARS = 4_000
"""Longer values are text, whatever they begin with."""

_HEX = re.compile(r"[0-9A-Fa-f]+")
_MAC = re.compile(r"[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{4}(?:\.[0-9A-Fa-f]{4}){2}")
_EMAIL = re.compile(r"[^\s@<>\"',;]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,15}://\S+")
_IP_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]{7,15}))[:/]([0-9]{1,5})(?::[\w.-]+){0,2}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}.*")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)? ?"
    r"(?:Z|UTC|[+-][0-9]{2}:?[0-9]{2})|1[0-9]{9}(?:\.[0-9]+)?|1[0-9]{12}|1[0-9]{15}|1[0-9]{18}"
)
_EPOCH = re.compile(r"1[0-9]{9}(?:[.][0-9]+)?|1[0-9]{12}|1[0-9]{15}|1[0-9]{18}")
_INTEGER = re.compile(r"-?[0-9]{1,18}|0[xX][0-9A-Fa-f]{1,15}")
_DECIMAL = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_WINDOWS_PATH = re.compile(r"(?:[A-Za-z]:\\|\\\\|\\(?:Device|SystemRoot|\?\?)\\|%[A-Za-z]+%\\).+")
_UNIX_PATH = re.compile(r"/(?:[^/\s]+/)*[^/\s]+")
_ACCOUNT = re.compile(r"[^\\/:@\s][^\\/:@]{0,60}\\[^\\/:]{1,100}")
_HASH_LIST = re.compile(r"(?:(?:MD5|SHA1|SHA256|SHA512|IMPHASH)=[0-9A-Fa-f]+,?)+")
_UUID = re.compile(r"\{?[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}?")
_HOSTNAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62}(?:\.|$))+")

_PATTERNS = (
    ("hash_list", _HASH_LIST), ("mac", _MAC), ("email", _EMAIL), ("url", _URL), ("uuid", _UUID),
    ("windows_path", _WINDOWS_PATH), ("unix_path", _UNIX_PATH), ("account", _ACCOUNT),
    ("time", _TIME), ("time", _EPOCH), ("integer", _INTEGER),
)  # fmt: skip


def recognise_value(text: str | None) -> str:
    """Return the kind of a value: ip, ip_port, mac, email, url, a hash's algorithm, …; or text."""
    if not text or len(text) > MAX_CHARS:
        return "text" if text else "empty"
    if is_ip(text):
        return "ip"
    if split_port(text) is not None:
        return "ip_port"
    if len(text) in HASH_BY_LENGTH and _HEX.fullmatch(text) and not text.isdigit():
        return HASH_BY_LENGTH[len(text)]
    return next((kind for kind, pattern in _PATTERNS if pattern.fullmatch(text)), "text")


def is_instant(text: str | None) -> bool:
    """Whether a time leaves nothing open: a date with clock and zone, or an epoch."""
    return text is not None and _INSTANT.fullmatch(text) is not None


def is_ip(text: str) -> bool:
    """Whether the text is an IPv4 or IPv6 address, without a zone."""
    if "%" in text:
        return False
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def split_port(text: str) -> tuple[str, str] | None:
    """Return address and port of `192.0.2.1:443`, `192.0.2.1/443` or `[::1]:443`, else None."""
    found = _IP_PORT.fullmatch(text)
    if found is None or int(found[3]) > 65_535:
        return None
    address = found[1] or found[2]
    return (address, found[3]) if is_ip(address) else None


def may_be(text: str | None, attribute: AttributeView) -> bool:
    """Whether a sample value speaks against an attribute's type; no value speaks for anything."""
    if not text or attribute.enum:
        return True
    base, name = attribute.type.base, attribute.type.name
    if name == "timestamp_t":
        return _TIME.fullmatch(text) is not None or _DECIMAL.fullmatch(text) is not None
    if base in ("integer_t", "long_t"):
        return _INTEGER.fullmatch(text) is not None
    if base == "float_t":
        return _DECIMAL.fullmatch(text) is not None
    if name == "ip_t":
        return is_ip(text) or split_port(text) is not None
    pattern = {"mac_t": _MAC, "email_t": _EMAIL, "hostname_t": _HOSTNAME}.get(name)
    return pattern is None or pattern.fullmatch(text) is not None


def reads_as(text: str, resolved: ResolvedPath) -> bool:
    """Whether a value fits an attribute that nothing but its description speaks for.

    Stricter than `may_be`: words of an enum must be known, and a text attribute takes no record.
    """
    leaf = resolved.leaf
    number = resolved.holder.siblings.get(leaf.name, leaf.name)
    holder = resolved.holder.attributes[number]
    if holder.enum:
        is_word = holder.type.base != "string_t" and text.lower() in enum_words(holder)
        return is_word or text in holder.enum
    if leaf.type.base == "boolean_t":
        return text in ("true", "false")
    if leaf.type.name == "url_t":
        return recognise_value(text) == "url"
    return may_be(text, leaf)
