"""What a template's sample shows: the shape of its fields, and one value of each.

Belongs here: values of single fields as text, by path. Does not belong here: what they mean
(`kinds`), shapes themselves (`shapes`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ocsf_pipeline.events.shapes import EMPTY_SHAPE, Shape, find_common_shape
from ocsf_pipeline.events.values import EMPTY_TEXTS

MAX_VALUE_CHARS = 8_000
_MAX_DEPTH = 12

Path = tuple[str, ...]


@dataclass(frozen=True)
class Sample:
    """A shape, and for some of its leaves a value that stood there."""

    shape: Shape = EMPTY_SHAPE
    values: Mapping[Path, str] = field(default_factory=dict)
    """Of a list its first element. Texts without meaning (`-`, `null`) are left out."""


def find_sample(texts: Iterable[str | None], shape: Shape | None = None) -> Sample:
    """Return the common shape (or `shape`) of JSON object texts with the first value of each."""
    listed = list(texts)
    values: dict[Path, str] = {}
    for text in listed:
        for path, value in _read_values(text):
            values.setdefault(path, value)
    return Sample(shape or find_common_shape(listed), values)


def _read_values(text: str | None) -> list[tuple[Path, str]]:
    try:
        document = json.loads(text or "")
    except (ValueError, RecursionError):
        return []
    found: list[tuple[Path, str]] = []
    if isinstance(document, dict):
        _walk(document, (), found)
    return found


def _walk(node: Mapping[str, object], path: Path, found: list[tuple[Path, str]]) -> None:
    for name, value in node.items():
        here = (*path, name)
        if isinstance(value, list):
            value = value[0] if value else None
        if isinstance(value, dict):
            if len(here) < _MAX_DEPTH:
                _walk(value, here, found)
            continue
        if isinstance(value, bool):
            value = str(value).lower()
        text = "" if value is None else str(value)
        if text not in EMPTY_TEXTS and len(text) <= MAX_VALUE_CHARS:
            found.append((here, text))
