"""A log -> the text that is searched for and learned from: what it says, not its bytes.

Belongs here: names of events, actions and types first, then the message without its values, then
field names split into words, then who says so. Does not belong here: searching, ranking.
Runs once per template and once per example, never per log.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ocsf_pipeline.logs.shapes import NAMING_KEYS, SORTING_KEYS

_NAMING = re.compile(
    rf"(?i)^(?:{NAMING_KEYS}|name|title|rule|rule_?name|signature|alert|subject|reason|"
    r"threat_?name|description|summary|finding|policy_?name|task)$"
)
_SORTING = re.compile(
    rf"(?i)^(?:{SORTING_KEYS}|tags?|outcome|result|status|method|http_?method|proto)$"
)
_MESSAGE = re.compile(
    r"(?i)^(?:message|msg|log|text|short_?message|event_?message|displaymessage|details?|cmd|query|"
    r"statement|commandline|command_?line|request)$"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SPLIT = re.compile(r"[^A-Za-z0-9]+")
_VALUE_KINDS = (
    (re.compile(r"^(?:\d{1,3}\.){3}\d{1,3}$"), "ipaddress"),
    (re.compile(r"^[0-9a-fA-F]{2}(?:[:\-][0-9a-fA-F]{2}){5}$"), "macaddress"),
    (re.compile(r"^https?://"), "weburl"),
    (re.compile(r"^[\w.+\-]+@[\w\-]+\.[\w.\-]+$"), "emailaddress"),
    (re.compile(r"^(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})$"), "filehash"),
    (re.compile(r"(?i)^(?:[a-z]:\\|\\\\|/(?:usr|bin|etc|var|home|opt|tmp)/)"), "filepath"),
    (re.compile(r"(?i)^(?:HKEY_|HKLM|HKCU|\\REGISTRY)"), "registrypath"),
    (re.compile(r"^CVE-\d{4}-\d+"), "cve"),
    (re.compile(r"^T\d{4}(?:\.\d{3})?$"), "attacktechnique"),
    (re.compile(r"^arn:aws"), "arn"),
    (re.compile(r"(?i)\.(?:exe|dll|sys|ps1|bat|vbs|js)$"), "executable"),
)
_VARIABLE = re.compile(
    r"\b(?:\d{1,3}\.){3}\d{1,3}(?:[:/]\d+)?\b|\b[0-9a-fA-F]{8,}\b|\b[0-9a-fA-F:]{12,}\b|\S+@\S+|https?://\S+|"
    r"\b\d{2,}[\d:.,\-]*\b|0x[0-9a-fA-F]+"
)
_EVENT_NUMBER = re.compile(r"^\d{1,6}$")
MAX_LEAVES = 300
MAX_VALUE_CHARS = 160
MAX_MESSAGE_CHARS = 600


@dataclass(frozen=True)
class LogQuery:
    """What one log says, in parts that weigh differently."""

    names: str
    """Values of the keys that name or sort events, with those keys' own words."""
    message: str
    """Human-readable text, without its values."""
    keys: str
    """All field names, split into words, each once."""
    kinds: str
    """Kinds of values met: ipaddress, filehash, weburl …"""
    source: str
    """Format, program, vendor, product."""

    @property
    def text(self) -> str:
        """The parts in the order of their worth: what embedders see first counts most."""
        parts = (self.names, self.message, self.source, self.keys, self.kinds)
        return " . ".join(part for part in parts if part)


def build_query(
    fields: str, raw: str, format_name: str, vendor: str | None = None, product: str | None = None
) -> LogQuery:
    """Build the query of one log from its fields (JSON object text) and its raw text."""
    try:
        document = json.loads(fields)
    except (json.JSONDecodeError, RecursionError):
        document = {"message": raw[:MAX_MESSAGE_CHARS]}
    names: list[str] = []
    sorts: list[str] = []
    messages: list[str] = []
    keys: dict[str, None] = {}
    kinds: dict[str, None] = {}
    for path, value in _walk_leaves(document):
        last = path[-1] if path else ""
        for part in path:
            keys.update(dict.fromkeys(split_words(part)))
        text = str(value)[:MAX_MESSAGE_CHARS]
        for pattern, kind in _VALUE_KINDS:
            if pattern.search(text):
                kinds[kind] = None
        last_word = last.rsplit(".", 1)[-1]
        if _MESSAGE.match(last_word):
            messages.append(strip_values(text))
        elif _NAMING.match(last_word) and len(text) <= MAX_VALUE_CHARS:
            names.append(_describe(last_word, text))
        elif _SORTING.match(last_word) and len(text) <= MAX_VALUE_CHARS:
            sorts.append(_describe(last_word, text))
    source = " ".join(
        dict.fromkeys(word for text in (vendor, product) if text for word in split_words(text))
    )
    return LogQuery(
        names=" ; ".join(dict.fromkeys([*names, *sorts]))[:MAX_MESSAGE_CHARS],
        message=" ; ".join(messages)[:MAX_MESSAGE_CHARS],
        keys=" ".join(keys)[: 3 * MAX_MESSAGE_CHARS],
        kinds=" ".join(kinds),
        source=f"{format_name} {source}".strip(),
    )


def split_words(name: str) -> list[str]:
    """Split a field or event name into lower-case words: `UserLoginFailed` -> user login failed."""
    return [word.lower() for word in _SPLIT.split(_CAMEL.sub(" ", name)) if word]


def strip_values(text: str) -> str:
    """Return text without addresses, hashes, numbers and times."""
    return " ".join(_VARIABLE.sub(" ", text).split())


def _describe(key: str, value: str) -> str:
    if _EVENT_NUMBER.match(value):
        # An event's number is a name: glued to its key it is one word of the vocabulary.
        return f"{' '.join(split_words(key))} {''.join(split_words(key))}{value}"
    return f"{' '.join(split_words(key))} {' '.join(split_words(value))}"


def _walk_leaves(document: object) -> Iterator[tuple[tuple[str, ...], object]]:
    """Yield (path, scalar), breadth first so that deep arrays do not crowd out what matters."""
    queue: list[tuple[tuple[str, ...], object]] = [((), document)]
    seen = 0
    for path, node in queue:
        if seen >= MAX_LEAVES:
            return
        if isinstance(node, dict):
            queue.extend(((*path, str(key)), child) for key, child in node.items())
        elif isinstance(node, list):
            queue.extend((path, child) for child in node[:3])
        elif node is not None and node != "":
            seen += 1
            yield path, node
