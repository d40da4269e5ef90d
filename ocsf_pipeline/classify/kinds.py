"""What kinds of values a log holds: addresses, hashes, URLs, commands, identifiers.

Belongs here: recognising a kind from a value alone. Does not belong here: what a kind says about
the class (learned), reading logs (`leaves`).
"""

from __future__ import annotations

import re

# Kind, characters of which a value must have one (none: any value may do), pattern. Most values
# are short words, and looking for a character is a tenth of looking for a pattern.
KINDS: tuple[tuple[str, frozenset[str], re.Pattern[str]], ...] = tuple(
    (kind, frozenset(needed), re.compile(pattern))
    for kind, needed, pattern in (
        ("ipaddress", ".:", r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])"
         r"|\b[0-9a-f]{1,4}(?::[0-9a-f]{0,4}){3,7}\b"),
        ("addresspair", ".", r"(?:\d{1,3}\.){3}\d{1,3}[:/]\d{1,5}\b"),
        ("macaddress", ":-", r"\b[0-9a-fA-F]{2}(?:[:\-][0-9a-fA-F]{2}){5}\b"),
        ("weburl", ":", r"\bhttps?://"),
        ("urlpath", "/", r"^/[\w\-./%]*(?:\?|$)|\s/[\w\-./%]*\?"),
        ("emailaddress", "@", r"[\w.+\-]+@[\w\-]+\.[\w.\-]+"),
        ("filehash", "", r"\b(?:[0-9a-fA-F]{32}|[0-9a-fA-F]{40}|[0-9a-fA-F]{64})\b"),
        ("windowspath", "\\", r"(?i)\b[a-z]:\\{1,2}[^\s:]|\\{2}device\\"),
        ("unixpath", "/", r"(?:^|[\s=\"'])/(?:usr|bin|sbin|etc|var|home|opt|tmp|proc|lib|root)/"),
        ("registrypath", "Kk\N{KELVIN SIGN}\\", r"(?i)\b(?:HKEY_|HKLM|HKCU|HKU\\)|\\REGISTRY\\"),
        ("cve", "-", r"\bCVE-\d{4}-\d+"),
        ("attacktechnique", "T", r"\bT\d{4}(?:\.\d{3})?\b"),
        ("attacktactic", "T", r"\bTA00\d\d\b"),
        ("arn", ":", r"\barn:aws"),
        ("executable", ".", r"(?i)\.exe\b"),
        ("scriptfile", ".", r"(?i)\.(?:ps1|bat|vbs|js|sh|py)\b"),
        ("libraryfile", ".", r"(?i)\.dll\b"),
        ("driverfile", ".", r"(?i)\.sys\b"),
        ("officefile", ".", r"(?i)\.(?:docx?|xlsx?|pptx?|pdf|csv|txt|zip|rtf)\b"),
        ("imagefile", ".", r"(?i)\.(?:png|jpe?g|gif|svg|css|woff2?)\b"),
        ("browser", "/-", r"\bMozilla/\d|\bAppleWebKit/|\bcurl/\d|\bGo-http-client"
         r"|\bpython-requests"),
        ("httpmethod", "", r"(?:^|[\s\"])(?:GET|POST|PUT|HEAD|OPTIONS|PATCH|CONNECT)(?=$|[\s\"])"),
        ("httpversion", "/", r"\bHTTP/[123]"),
        ("windowssid", "-", r"\bS-1-5-"),
        ("guid", "-", r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"),
        ("sql", "", r"(?i)\b(?:select\s.{1,80}\sfrom|insert\s+into|update\s.{1,40}\sset|"
         r"create\s+table|grant\s.{1,40}\sto)\b"),
        ("messageid", "@", r"<[^<>@\s]+@[^<>@\s]+>"),
        ("commandswitch", "/-", r"\s(?:/[a-zA-Z]|-{1,2}[a-zA-Z][\w\-]*)(?=\s|$)"),
        ("ports", "", r"^\d{1,5}$"),
        ("tcpflags", "", r"^(?:TCP|UDP|ICMP|tcp|udp|icmp)$|\b(?:TCP|UDP|tcp|udp|icmp|ICMP)\b"),
        ("dnsrecord", "", r"^(?:A|AAAA|CNAME|MX|NS|PTR|SOA|SRV|TXT)$"
         r"|\b(?:NXDOMAIN|NOERROR|SERVFAIL)\b"),
    )
)  # fmt: skip
_MANY = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])")
_MAX_CHARS = 2_000


def find_kinds(text: str) -> list[str]:
    """Return the kinds of values in `text`, each once; `twoaddresses` when it holds a pair."""
    text = text[:_MAX_CHARS]
    characters = set(text)
    found = [
        kind
        for kind, needed, pattern in KINDS
        if (not needed or not needed.isdisjoint(characters)) and pattern.search(text)
    ]
    if "ipaddress" in found and len(set(_MANY.findall(text))) > 1:
        found.append("twoaddresses")
    return found
