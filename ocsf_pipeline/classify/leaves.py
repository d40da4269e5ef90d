"""The fields of a log -> its leaves: (path, scalar), with wrappers and stringly documents opened.

Belongs here: walking a document, names that stand beside their values (`cs1Label`, lists of
name and value), documents inside strings, the fields of shippers. Does not belong here: what a
leaf says (`queries`). General conventions only, nothing about one product.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from ocsf_pipeline.classify.kinds import find_kinds

MAX_LEAVES = 400
_MAX_DEPTH = 12
_MAX_NESTED_CHARS = 60_000
_MAX_ARRAY = 3

# Fields of shippers and collectors: they say how a log travelled, not what it is about.
_SHIPPER_KEYS = frozenset(
    {"@version", "ecs", "agent", "input", "beat", "prospector", "elastic_agent", "data_stream",
     "_index", "_id", "_score", "host.mac", "fluentd", "@metadata"}
)  # fmt: skip
_SHIPPER_SIGNS = frozenset({"ecs", "beat", "@metadata", "elastic_agent", "data_stream"})
_NAME_KEYS = ("name", "key", "field")
_VALUE_KEYS = (
    "value",
    "values",
    "stringvalue",
    "intvalue",
    "newvalue",
    "content",
    "#text",
    "boolvalue",
)
_XML_PAIR = re.compile(r"<Data Name=['\"]([^'\"<>]{1,80})['\"]\s*>([^<]{0,400})</Data>")
_XML_ELEMENT = re.compile(r"<([A-Za-z][\w.]{0,60})(?:\s[^<>]{0,300})?>([^<>]{1,400})</\1>")


@dataclass(frozen=True)
class Leaf:
    """One scalar of a log."""

    path: tuple[str, ...]
    value: str | int | float | bool

    @cached_property
    def kinds(self) -> list[str]:
        """What kinds of values it holds; asked when queries are built, and again for evidence."""
        return find_kinds(str(self.value))


def read_leaves(fields: str, raw: str) -> list[Leaf]:
    """Return the leaves of a log, breadth first; a log without fields is one leaf, `message`."""
    try:
        document = json.loads(fields)
    except (json.JSONDecodeError, RecursionError):
        document = None
    if not isinstance(document, dict) or not document:
        document = {"message": raw}
    return list(_walk(document))


def _walk(document: dict[str, object]) -> Iterator[Leaf]:
    # Breadth first, so that deep arrays do not crowd out what matters.
    queue: list[tuple[tuple[str, ...], object]] = [((), document)]
    seen = 0
    for path, node in queue:
        if seen >= MAX_LEAVES:
            return
        if isinstance(node, str):
            node = _open_text(node)
        if isinstance(node, dict):
            if len(path) < _MAX_DEPTH:
                queue.extend(_list_children(path, node))
        elif isinstance(node, list):
            queue.extend((path, child) for child in _cut_array(node))
        elif isinstance(node, (str, int, float, bool)) and node != "":
            seen += 1
            yield Leaf(path, node)


def _cut_array(items: list[object]) -> list[object]:
    """Keep the first few items, but all of a list of names and values."""
    if items and isinstance(items[0], dict) and _read_named(items[0]) is not None:
        return items[:40]
    return items[:_MAX_ARRAY]


def _list_children(
    path: tuple[str, ...], node: dict[str, object]
) -> Iterator[tuple[tuple[str, ...], object]]:
    named = _read_named(node)
    if named is not None:
        name, value = named
        yield (*path, name), value
        return
    skipped = _SHIPPER_KEYS if not path and not _SHIPPER_SIGNS.isdisjoint(node) else frozenset()
    labels = {
        key[: -len("Label")]: str(value)
        for key, value in node.items()
        if key.endswith("Label") and key[: -len("Label")] in node
    }
    for key, child in node.items():
        if key in skipped or (key.endswith("Label") and key[: -len("Label")] in labels):
            continue
        yield (*path, labels.get(key, key)), child


def _read_named(node: dict[str, object]) -> tuple[str, object] | None:
    """Return (name, value) of an object that is nothing but a name and a value."""
    if not 2 <= len(node) <= 3:
        return None
    lowered = {str(key).lower(): value for key, value in node.items()}
    name = next((lowered[key] for key in _NAME_KEYS if isinstance(lowered.get(key), str)), None)
    value_key = next((key for key in _VALUE_KEYS if key in lowered), None)
    if not isinstance(name, str) or value_key is None or not name or len(name) > 80:
        return None
    return name, lowered[value_key]


def _open_text(text: str) -> object:
    """Return the document that a string holds, or the string."""
    start = text.lstrip()[:1]
    if len(text) > _MAX_NESTED_CHARS:
        return text
    if start in ("{", "[") and len(text) > 2:
        try:
            inner = json.loads(text)
        except (json.JSONDecodeError, RecursionError):
            return text
        return inner if isinstance(inner, (dict, list)) else text
    if start == "<" and "</" in text:
        pairs: dict[str, object] = dict(_XML_ELEMENT.findall(text))
        pairs.update(_XML_PAIR.findall(text))
        return pairs or text
    return text
