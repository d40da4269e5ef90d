"""A log -> the text that is searched for and learned from: what it says, not its bytes.

Belongs here: names of events, actions and types first, then the message without its values, then
other wordy values, field names split into words, kinds of values, who says so. Does not belong
here: walking documents (`leaves`), what words mean (`words`), searching, ranking.
Runs once per template and once per example, never per log.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ocsf_pipeline.classify.leaves import Leaf, read_leaves
from ocsf_pipeline.classify.words import OBJECTS, VERBS, spell_key, split_words
from ocsf_pipeline.logs.shapes import NAMING_KEYS, SORTING_KEYS

# Of the keys that name events, those that name the event itself, not the alert's rule or title.
HEADING_KEY = re.compile(
    r"(?i)^(?:event_?(?:name|type|action|code|id|simplename|subtype|operation|kind)|eventtypename|"
    r"(?:log|action|activity|operation|audit|message|record|change|request|trigger|query)_?type|"
    r"operation(?:_?name)?(?:value)?|activity(?:_?name|displayname)?|action(?:_?name)?|verb|"
    r"device_?event_?class_?id|msg_?id|method_?name|api_?(?:name|call|method)|code|act|op|"
    r"legacy_?event_?type|event)$"
)
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
_VARIABLE = re.compile(
    r"\b(?:\d{1,3}\.){3}\d{1,3}(?:[:/]\d+)?\b|\b[0-9a-fA-F]{8,}\b|\b[0-9a-fA-F:]{12,}\b|\S+@\S+|"
    r"https?://\S+|\b\d{2,}[\d:.,\-]*\b|0x[0-9a-fA-F]+"
)
_CODE = re.compile(r"%([A-Za-z][\w\-]*-\d-[A-Za-z0-9_]+)")
_PAIR_KEY = re.compile(
    r"(?:^|[\s,;|&?(\[{\"'])([A-Za-z][\w.\-]{1,40})\\?[\"']?\s?[=:](?=[^\s=:/\\])"
)
_EVENT_NUMBER = re.compile(r"^\d{1,6}$")
_WORDY = re.compile(r"^[A-Za-z][A-Za-z0-9 _.:/,&()+\-]{1,79}$")
_IDENTIFIER = re.compile(r"\d{4,}|(?:[A-Za-z]\d|\d[A-Za-z]).*(?:[A-Za-z]\d|\d[A-Za-z]).*\d")
_GUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-|^[0-9a-fA-F]{16,}$")
_LOCATION = re.compile(r"[/@\\]|\.\w{2,4}$")
_SECOND_BEST = re.compile(
    r"^(?:name|title|description|summary|task|type|alert|signature)$"
    r"|event|rule|alert|finding|threat|signature|log|code|map"
)
# The header of CEF and LEEF, also where a collector left it inside a message.
_PIPED = re.compile(
    r"(?:^|[\s:])\d(?:\.\d)?\|([^|\n]{1,60})\|([^|\n]{1,60})\|[^|\n]{0,40}\|([^|\n]{1,80})\|"
    r"(?:([^|\n=]{1,120})\|)?"
)
_MAX_NAME_WORDS = 6
_HEAD_STATEMENTS = 4
_BARE = frozenset(
    {"id", "name", "type", "value", "text", "key", "status", "code", "kind", "category", "action",
     "result", "state", "level", "class", "description", "title", "uid", "label", "path", "event"}
)  # fmt: skip
MAX_VALUE_CHARS = 160
MAX_MESSAGE_CHARS = 600
MAX_KEYS_CHARS = 1_800


@dataclass(frozen=True)
class LogQuery:
    """What one log says, in parts that weigh differently.

    Parts of several statements separate them by ` ; `; a statement of `names` or `values` is
    `words of the key: words of the value`.
    """

    names: str
    """Values of the keys that name or sort events, with those keys' own words; best first."""
    message: str
    """Human-readable text, without its values."""
    keys: str
    """All field names, spelt out, each once."""
    kinds: str
    """Kinds of values met: ipaddress, filehash, weburl …"""
    source: str
    """Format, program, vendor, product."""
    values: str = ""
    """Other short values that are words, with their keys' words."""
    head: str = ""
    """Those of `names` that name the event itself; the first ones when none does."""

    @property
    def text(self) -> str:
        """The parts in the order of their worth, each cut: what embedders see counts in tokens."""
        parts = (
            self.names[:240],
            self.message[:200],
            self.source[:60],
            self.values[:80],
            self.keys[:160],
        )
        return " . ".join(part for part in parts if part)


@dataclass
class _Parts:
    """Statements gathered from the leaves; dicts, for they keep order and drop repeats."""

    heads: dict[str, None] = field(default_factory=dict)
    names: dict[str, None] = field(default_factory=dict)
    sorts: dict[str, None] = field(default_factory=dict)
    values: dict[str, None] = field(default_factory=dict)
    messages: dict[str, None] = field(default_factory=dict)
    keys: dict[str, None] = field(default_factory=dict)
    kinds: dict[str, None] = field(default_factory=dict)


def build_query(
    fields: str, raw: str, format_name: str, vendor: str | None = None, product: str | None = None
) -> LogQuery:
    """Build the query of one log from its fields (JSON object text) and its raw text."""
    return describe_leaves(read_leaves(fields, raw), format_name, vendor, product)


def describe_leaves(
    leaves: Sequence[Leaf], format_name: str, vendor: str | None = None, product: str | None = None
) -> LogQuery:
    """Build the query of one log from its leaves, as `read_leaves` gives them."""
    parts = _Parts()
    for leaf in leaves:
        _sort_leaf(leaf, parts)
    source = " ".join(
        dict.fromkeys(word for text in (vendor, product) if text for word in split_words(text))
    )
    names = [*{**parts.heads, **parts.names, **parts.sorts}]
    return LogQuery(
        names=" ; ".join(names)[:MAX_MESSAGE_CHARS],
        message=" ; ".join(parts.messages)[:MAX_MESSAGE_CHARS],
        keys=" ; ".join(parts.keys)[:MAX_KEYS_CHARS],
        kinds=" ".join(parts.kinds),
        source=f"{format_name} {source}".strip(),
        values=" ; ".join(parts.values)[:MAX_MESSAGE_CHARS],
        head=" ; ".join(_choose_heads(parts))[:MAX_VALUE_CHARS],
    )


def _choose_heads(parts: _Parts) -> list[str]:
    """Return the statements that name the event; else the first that names a rule or the like."""
    if parts.heads:
        return [*parts.heads][:_HEAD_STATEMENTS]
    return [name for name in parts.names if _SECOND_BEST.search(name.partition(":")[0])][:1]


def _sort_leaf(leaf: Leaf, parts: _Parts) -> None:
    """Put what one leaf says into the part where it belongs."""
    text = str(leaf.value)[: 4 * MAX_MESSAGE_CHARS]
    last = leaf.path[-1].rsplit(".", 1)[-1] if leaf.path else "message"
    key = _name_key(leaf.path)
    if key:
        parts.keys[key] = None
    parts.kinds.update(dict.fromkeys(leaf.kinds))
    if isinstance(leaf.value, bool):
        return
    if _MESSAGE.match(last) or (len(text) > MAX_VALUE_CHARS and " " in text):
        _read_message(text, parts)
    elif len(text) > MAX_VALUE_CHARS or _GUID.search(text):
        return
    elif HEADING_KEY.match(last):
        parts.heads[_describe(key, text)] = None
    elif _NAMING.match(last):
        parts.names[_describe(key, text)] = None
    elif _SORTING.match(last):
        parts.sorts[_describe(key, text)] = None
    elif _WORDY.match(text) and not _IDENTIFIER.search(text):
        target = parts.names if _reads_like_name(text) else parts.values
        target[_describe(key, text)] = None


def _reads_like_name(text: str) -> bool:
    """Whether a value says that something was done to something: `RegistryValueDelete`."""
    words = split_words(text)
    return (
        2 <= len(words) <= _MAX_NAME_WORDS
        and not _LOCATION.search(text)
        and any(word in VERBS for word in words)
        and any(word in OBJECTS for word in words)
    )


def _read_message(text: str, parts: _Parts) -> None:
    for code in _CODE.findall(text[:MAX_MESSAGE_CHARS]):
        parts.names[f"code: {' '.join(split_words(code))} {''.join(split_words(code))}"] = None
    header = _PIPED.search(text[:MAX_MESSAGE_CHARS])
    if header:
        for key, value in (("event class id", header[3]), ("name", header[4] or "")):
            if value.strip():
                parts.heads[_describe(key, value.strip())] = None
    # Collectors write a tab as #011.
    for name in _PAIR_KEY.findall(text.replace("#011", " ")):
        parts.keys[" ".join(spell_key(name))] = None
    stripped = strip_values(text)
    if stripped:
        parts.messages[stripped[:MAX_MESSAGE_CHARS]] = None


def _name_key(path: tuple[str, ...]) -> str:
    """Return the words of a field's name; a bare `type` or `name` says whose it is as well."""
    pieces = [piece for part in path for piece in part.split(".") if piece]
    if not pieces:
        return ""
    words = spell_key(pieces[-1])
    if len(pieces) > 1 and len(words) <= 1 and pieces[-1].lower() in _BARE:
        words = (*spell_key(pieces[-2])[-2:], *words)
    return " ".join(words)


def strip_values(text: str) -> str:
    """Return text without addresses, hashes, numbers and times."""
    return " ".join(_VARIABLE.sub(" ", text).split())


def _describe(key: str, value: str) -> str:
    if _EVENT_NUMBER.match(value):
        # An event's number is a name: glued to its key it is one word of the vocabulary.
        return f"{key}: {key.replace(' ', '')}{value}"
    return f"{key}: {' '.join(split_words(value))}"
