"""The template of a shape: one identity for all shapes that differ in nothing that matters.

Belongs here: canonicalising a shape (Python, once per new shape) and the ids that follow from it.
Does not belong here: anything done per log (`shapes`), any decision about classes.

A template must be pure (two logs that deserve different classes never share one) and templates
must be few (field order, optional fields, ids, addresses, times, array lengths make no new one):

- a structured log whose event is named (`eventName: RunInstances`) is identified by its format, the
  names and the values of its naming keys, and by who says so (product, provider, channel);
- one that is not named (flow records, DNS answers) by its sorting values and the *concepts* its
  keys speak of (addresses, query, url, user …), not by the exact set of keys;
- text by its program, its message code where it has one, else by its words without variables.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from ocsf_pipeline.logs.shapes import MASK, NAMING_KEYS, SHAPE_SEPARATOR

_TEMPLATE_VERSION = "1"
_PAIR = re.compile(r'"([^"\\]+)":(?:"([^"\\]*)"|(-?\d{1,6})[,}\]])?')
_NAMING = re.compile(rf"(?i)^(?:{NAMING_KEYS})$")
# Sorting keys that stay part of the identity even where the event is named.
_OWNER = re.compile(
    r"(?i)^(?:channel|provider|provider_?name|source_?name|event_?source|event_?provider|event_?module"
    r"|event_?dataset|workload|vendor|vendor_?name|device_?vendor|product|product_?name|device_?product"
    r"|_path|program|log_?name|resource|subresource)$"
)
# Values that say too little to name an event by themselves.
_PALE = frozenset(
    """
    allow allowed accept accepted pass passed permit permitted deny denied drop dropped block
    blocked reject rejected success successful succeeded failure failed fail error ok info
    information informational notice warning debug critical event events log logs audit alert
    alerts message messages record records data entry item object create created creation update
    updated delete deleted add added remove removed read write get post put patch list head
    options connect start started stop stopped begin end open opened close closed new change
    changed modify modified edit edited view viewed access accessed user users system default
    none null unknown other general generic standard true false yes no na n/a undefined enabled
    disabled detect detected monitor monitored traffic network security activity json string
    request response resource entity
    """.split()  # noqa: SIM905 - a list of two hundred literals reads worse
)
_CONCEPTS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(f"(?i){pattern}"))
    for name, pattern in (
        ("addresses", r"^(?:src|dst|source|dest|destination|client|server|local|remote|orig|resp"
         r"|id[._]).*(?:ip|addr|address|port|_h|_p)\d?$|^(?:srcip|dstip|src|dst|c-ip|s-ip)$"),
        ("dns", r"^(?:rrname|rrtype|qname|qtype|qclass|query_?(?:name|type|class)|rcode(?:_name)?|"
         r"answers?|question_?name|dns.*|resolved_?ip.*)$"),
        ("http", r"^(?:http.*|url|uri|uri[._-].*|cs-.*|user_?agent|referr?er|request_?ur[li].*|"
         r"status_?code|sc-status|vhost)$"),
        ("mail", r"^(?:mail_?from|rcpt_?to|recipients?|sender(?:_?address)?|subject|"
         r"message_?subject|from_?address|to_?address.*|smtp.*|internet_?message_?id|mailbox.*)$"),
        ("process", r"^(?:process.*|cmd_?line|command_?line|image|parent_?image|exe|pid|ppid|"
         r"parent_?process.*)$"),
        ("file", r"^(?:file_?(?:name|path|hash|size|type)|target_?filename|folder_?path|sha256|"
         r"sha1|md5)$"),
        ("registry", r"^(?:registry.*|target_?object|reg_?key.*)$"),
        ("dhcp", r"^(?:lease.*|assigned_?(?:ip|addr)|dhcp.*)$"),
        ("tls", r"^(?:sni|ja3.*|tls.*|ssl.*|cipher.*|server_?name)$"),
        ("login", r"^(?:log_?on.*|login.*|auth.*|mfa.*|sign_?in.*|kerberos.*|ticket.*)$"),
        ("vulnerability", r"^(?:cve.*|cvss.*|vuln.*|plugin_?(?:id|name))$"),
        ("threat", r"^(?:threat.*|malware.*|signature.*|attack.*|mitre.*|tactic.*|technique.*|"
         r"detection.*|alert.*|rule_?name|ioc.*|indicator.*|incident.*)$"),
        ("compliance", r"^(?:compliance.*|control_?id.*|benchmark.*|remediation.*)$"),
        ("database", r"^(?:statement|sql.*|db_?name|database.*|query_?text|schema_?name|"
         r"table_?name)$"),
        ("group", r"^(?:group_?(?:name|id|sid)|member.*|role.*)$"),
        ("device", r"^(?:serial_?number|manufacturer|model|mac_?address|asset.*|os_?version|"
         r"inventory.*)$"),
        ("tunnel", r"^(?:tunnel.*|vpn.*)$"),
        ("volume", r"^(?:bytes.*|packets.*|sent_?bytes?|rcvd_?bytes?|sentbyte|rcvdbyte|"
         r"orig_bytes)$"),
        ("file transfer", r"^(?:ftp.*|smb.*|share.*)$"),
        ("task", r"^(?:task_?name|cron.*|schedule.*)$"),
    )
)  # fmt: skip
_VARIABLE_AFTER = re.compile(
    r"(?i)\b(user(?:name)?|for|from|by|to|account|host(?:name)?|domain|group|file|path|directory|"
    r"device|interface|session|client|server|peer|address|group-policy|policy|profile|service|unit|image|"
    r"command|uid|realm|acl|access-list|list|on|in|at|dir|module|share|job|owner|named?)"
    r"([ =:]+)(?:\\?[\"'<\[(]?)([^\s,;:=\"'<>()\[\]]+)"
)
_KEEP_AFTER = frozenset(
    """
    user users invalid illegal unknown the a an root address host port to from by for on in at
    failed session client server remote local inbound outbound inside outside group policy
    account service authentication reason is was has not and or of with tcp udp icmp start
    started stop stopped
    """.split()  # noqa: SIM905 - a list of two hundred literals reads worse
)
_PATH_OR_NAME = re.compile(
    r"(?:[A-Za-z]:)?(?:[\\/][\w.\-$%~+@]+){1,}[\\/]?|\b[\w.\-]+@[\w\-]+(?:\.[\w\-]+)*|\b[\w\-]+(?:\.[\w\-]+){2,}\b"
)
_MASK_RUN = re.compile(r"\*(?:[\s,:;=./|()\[\]{}<>\-_&+@#!?\"']*\*)+")
_MAX_WORDS = 24

_CODE_PRODUCTS = (
    (re.compile(r"^%(?:ASA|PIX|FWSM)-"), ("Cisco", "ASA")),
    (re.compile(r"^%FTD-"), ("Cisco", "Firepower Threat Defense")),
    (re.compile(r"^%[A-Z0-9_]+(?:-[A-Z0-9_]+)*-\d-"), ("Cisco", "IOS")),
)


@dataclass(frozen=True)
class Template:
    """What is known of a template from its shape alone."""

    template_id: str
    vendor: str | None
    product: str | None


def identify_template(shape: str) -> Template:
    """Return the template of one shape: the same shape gives the same id for ever."""
    format_name, name, code, masked = shape.split(SHAPE_SEPARATOR, 3)
    if format_name == "text":
        identity, vendor, product = _identify_text(name, code, masked)
    else:
        identity, vendor, product = _identify_structure(name, masked)
    digest = hashlib.sha256(
        SHAPE_SEPARATOR.join((_TEMPLATE_VERSION, format_name, *identity)).encode()
    )
    return Template(digest.hexdigest()[:20], vendor, product)


def _identify_structure(tokens: str, masked: str) -> tuple[list[str], str | None, str | None]:
    pairs: set[tuple[str, str]] = set()
    keys: set[str] = set()
    for key, text, number in _PAIR.findall(tokens):
        last = key.rsplit(".", 1)[-1]
        keys.add(last)
        if text or number:
            pairs.add((last.lower(), text or number))
    vendor = _first(pairs, ("vendor", "vendorname", "vendor_name", "devicevendor", "device_vendor"))
    product = _first(
        pairs,
        ("product", "productname", "product_name", "deviceproduct", "device_product", "provider",
         "providername", "eventsource", "sourcename", "program", "workload"),
    )  # fmt: skip
    named = {pair for pair in pairs if _NAMING.match(pair[0])}
    telling = {pair for pair in named if _is_telling(pair[1])}
    if telling:
        kept = named | {pair for pair in pairs if _OWNER.match(pair[0])}
        return ["named", *sorted(f"{key}={value}" for key, value in kept)], vendor, product
    concepts = [name for name, pattern in _CONCEPTS if any(pattern.match(key) for key in keys)]
    described = sorted(f"{key}={value}" for key, value in pairs)
    # Nothing but keys, none of them known: only the keys themselves can keep logs apart.
    bare = sorted(keys) if not concepts and not pairs else []
    words = mask_variables(masked)
    return ["sorted", *described, "concepts", *concepts, *bare, "words", words], vendor, product


def _is_telling(value: str) -> bool:
    words = re.findall(r"[A-Za-z]+|\d+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", value))
    if not words:
        return False
    if all(word.isdigit() for word in words):
        return len("".join(words)) >= 3
    return any(word.lower() not in _PALE and len(word) > 1 for word in words) or len(words) >= 3


def _first(pairs: set[tuple[str, str]], keys: tuple[str, ...]) -> str | None:
    for wanted in keys:
        values = sorted(value for key, value in pairs if key == wanted and value)
        if values:
            return values[0]
    return None


def _identify_text(
    program: str, code: str, masked: str
) -> tuple[list[str], str | None, str | None]:
    base = program.rsplit("/", 1)[-1]
    base = re.sub(r"[\d.\-_]+$", "", base) or base
    if code:
        owner = next((who for pattern, who in _CODE_PRODUCTS if pattern.match(code)), (None, None))
        return ["code", code], owner[0], owner[1]
    return ["words", base, mask_variables(masked)], None, base or None


def mask_variables(text: str) -> str:
    """Return text with names, paths and the words that follow `user`, `from` … masked as well."""
    text = _PATH_OR_NAME.sub(MASK, text)
    text = _VARIABLE_AFTER.sub(_mask_follower, text)
    text = _MASK_RUN.sub(MASK, text)
    return " ".join(text.split()[:_MAX_WORDS])


def _mask_follower(match: re.Match[str]) -> str:
    if match.group(3).lower() in _KEEP_AFTER:
        return match.group(0)
    return f"{match.group(1)}{match.group(2)}{MASK}"
