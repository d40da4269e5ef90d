"""A mapping per template as data: which log field gives which OCSF attribute, and why.

Belongs here: the form of rules and mappings, and their JSON. Does not belong here: deciding them
(`compiler`, `chooser`), running them over rows (`execute`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from ocsf_pipeline.events.shapes import Shape, shape_from_json

RULES_VERSION = "7"
"""Raise when the same inputs compile to other rules or run to other events."""
CONSTANT = "="
"""First part of a rule's source: the second is the value of every row."""
CAPTURED = "?"
"""First part of a rule's source: the second numbers a pattern, the third a group of it."""
SUMMED = "+"
"""First part of a rule's source: the others are attributes whose values are added up."""
MAX_ELEMENTS = 4
"""So many records of a list become elements of an array; the list stays in `unmapped` too."""
EVIDENCE = "evidences[0]."
"""Where findings keep endpoints, processes, files: classes without an attribute of their own."""

DATETIME_PROFILE = "datetime"
"""The profile under which times are also given as texts."""
PRIMARY_CASTS = frozenset({"value", "enum", "number", "account", "host", "list"})
"""Casts that answer for their whole source; the others repeat or split off a part of it."""


@dataclass(frozen=True)
class Rule:
    """One log field gives one OCSF attribute."""

    source: tuple[str, ...]
    """Path in the record's `fields`; ("@severity",) and the like name a column of the record;
    see CONSTANT and CAPTURED for the other kinds."""
    target: str
    """Attribute path, e.g. `file.hashes[sha256].value`. For an enum its number: `status_id`."""
    cast: str
    """`value`: by the attribute's type; `enum`: words to an enum; `number`: an enum's number;
    `list`: all of a list, to an array; the others are those of `values.PART_CASTS`."""
    words: tuple[tuple[str, int], ...] = ()
    """The product's own words for an enum's values, in lower case."""
    element: int = 0
    """Of a list of records, which one gives the value."""


@dataclass(frozen=True)
class TextPattern:
    """A regular expression over a text field; its groups are sources of rules."""

    source: tuple[str, ...]
    pattern: str


@dataclass(frozen=True)
class EventMapping:
    """How logs of one template become events of one class."""

    template_id: str
    class_uid: int
    rules: tuple[Rule, ...]
    profiles: tuple[str, ...]
    shape: Shape
    version: str
    """Of schema version, rule tables, class and rules; equal versions give equal events."""
    evidence: Mapping[str, str]
    """Attribute path to the reason for it, e.g. `name srcip`."""
    patterns: tuple[TextPattern, ...] = ()
    product: str = ""
    """The source pack whose hints were used; empty where none was."""
    product_name: str = ""
    product_vendor: str = ""
    """Names of that product, for logs that do not name it."""
    format: str = field(default="", compare=False)

    def to_json(self) -> str:
        """Return the mapping as JSON text."""
        return json.dumps(
            {
                "template_id": self.template_id,
                "class_uid": self.class_uid,
                "rules": [
                    [list(rule.source), rule.target, rule.cast, dict(rule.words), rule.element]
                    for rule in self.rules
                ],
                "patterns": [[list(item.source), item.pattern] for item in self.patterns],
                "profiles": list(self.profiles),
                "shape": self.shape.to_json(),
                "version": self.version,
                "evidence": dict(self.evidence),
                "product": self.product,
                "product_name": self.product_name,
                "product_vendor": self.product_vendor,
                "format": self.format,
            },
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str) -> EventMapping:
        """Read what `to_json` wrote."""
        data = json.loads(text)
        return cls(
            template_id=data["template_id"],
            class_uid=data["class_uid"],
            rules=tuple(
                Rule(tuple(source), target, cast, tuple(words.items()), element)
                for source, target, cast, words, element in data["rules"]
            ),
            patterns=tuple(TextPattern(tuple(source), text) for source, text in data["patterns"]),
            profiles=tuple(data["profiles"]),
            shape=shape_from_json(data["shape"]),
            version=data["version"],
            evidence=data["evidence"],
            product=data["product"],
            product_name=data["product_name"],
            product_vendor=data["product_vendor"],
            format=data["format"],
        )
