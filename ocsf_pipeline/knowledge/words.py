"""Turning names and HTML into plain words.

Belongs here: text clean-up that chunks and the lexical index share. Does not belong here: reading
logs, building queries (`classify`).
"""

from __future__ import annotations

import html
import re

_TAG = re.compile(r"<[^<>]{0,500}>")
_BREAK = re.compile(r"</?(?:p|br|li|ul|ol|div|tr|table|h[1-6])\b[^<>]{0,500}>", re.IGNORECASE)
_SPACE = re.compile(r"\s+")
_SPACE_BEFORE_STOP = re.compile(r"\s+([.,;:!?)])")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NAME_SEPARATOR = re.compile(r"[_\W]+")
_WORD = re.compile(r"\w+")
_NUMBERING = frozenset({"id", "uid"})


def strip_html(text: str) -> str:
    """Return the text of a description: no tags, entities decoded, single spaces."""
    without_tags = _TAG.sub("", _BREAK.sub(" ", text))
    spaced = _SPACE.sub(" ", html.unescape(without_tags)).strip()
    return _SPACE_BEFORE_STOP.sub(r"\1", spaced)


def split_camel(text: str) -> str:
    """Put a space at each change of case: `ConsoleLogin` gives `Console Login`."""
    return _CAMEL.sub(" ", text)


def split_name(name: str) -> str:
    """Return the words of an attribute name: `auth_protocol_id` gives `auth protocol`."""
    words = _NAME_SEPARATOR.sub(" ", split_camel(name)).lower().split()
    kept = [word for word in words if word not in _NUMBERING]
    return " ".join(kept or words)


def spell_out(text: str) -> str:
    """Put the words of every compound beside it: `ConsoleLogin` gives `ConsoleLogin Console Login`.

    So both the compound and its words can be found.
    """
    return _WORD.sub(_spell_out_word, text)


def _spell_out_word(match: re.Match[str]) -> str:
    word = match[0]
    spelt = " ".join(split_camel(word).replace("_", " ").split())
    return word if spelt == word else f"{word} {spelt}"
