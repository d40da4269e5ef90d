"""A mapping per template: which log field gives which OCSF attribute, decided once.

Belongs here: rules from field names and the class's attributes, mappings as data with version and
evidence. Does not belong here: running a mapping over rows (`execute`), what a class requires
beyond the rules (`required`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from ocsf_pipeline.events.aliases import AliasTable, load_aliases
from ocsf_pipeline.events.names import lookup_keys
from ocsf_pipeline.events.schema_view import ClassView, ResolvedPath, SchemaView, view_schema
from ocsf_pipeline.events.shapes import EMPTY_SHAPE, Kind, Shape, find_shape, shape_from_json
from ocsf_pipeline.events.tree import split_path
from ocsf_pipeline.schema.model import OcsfSchema

RULES_VERSION = "1"
"""Raise when the same inputs compile to other rules or run to other events."""
SELF_ACTING_CLASSES = frozenset({"authentication"})
"""Whoever acts is the user that the event is about, unless the log names another."""
_RESERVED = frozenset({
    "time", "message", "raw_data", "unmapped", "activity_id", "activity_name", "type_uid",
    "type_name", "class_uid", "class_name", "category_uid", "category_name", "observables",
    "metadata.uid", "metadata.version", "metadata.profiles",
})  # fmt: skip


@dataclass(frozen=True)
class Rule:
    """One log field gives one OCSF attribute."""

    source: tuple[str, ...]
    """Path in the record's `fields`; ("@severity",) and the like name a column of the record."""
    target: str
    """Attribute path, e.g. `file.hashes[sha256].value`. For an enum its number: `status_id`."""
    cast: str
    """`value`: by the attribute's type; `enum`: words to an enum; `number`: an enum's number."""


@dataclass(frozen=True)
class EventMapping:
    """How logs of one template become events of one class."""

    template_id: str
    class_uid: int
    rules: tuple[Rule, ...]
    profiles: tuple[str, ...]
    shape: Shape
    version: str
    """Of schema version, alias table, class and rules; equal versions give equal events."""
    evidence: Mapping[str, str]
    """Attribute path to the reason for it, e.g. `name srcip`."""

    def to_json(self) -> str:
        """Return the mapping as JSON text."""
        return json.dumps(
            {
                "template_id": self.template_id,
                "class_uid": self.class_uid,
                "rules": [[list(rule.source), rule.target, rule.cast] for rule in self.rules],
                "profiles": list(self.profiles),
                "shape": self.shape.to_json(),
                "version": self.version,
                "evidence": dict(self.evidence),
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
                Rule(tuple(source), target, cast) for source, target, cast in data["rules"]
            ),
            profiles=tuple(data["profiles"]),
            shape=shape_from_json(data["shape"]),
            version=data["version"],
            evidence=data["evidence"],
        )


@dataclass(frozen=True)
class _Proposal:
    rank: tuple[int, int, int]
    source: tuple[str, ...]
    targets: tuple[str, ...]
    reason: str


def compile_mappings(schema: OcsfSchema, decisions: pl.DataFrame) -> dict[str, EventMapping]:
    """Compile one mapping per row of `decisions` (DECISION_SCHEMA), by template_id.

    A decision for a class that the schema has not is mapped as base event (0).
    """
    view = view_schema(schema)
    aliases = load_aliases()
    compiled = {}
    rows = decisions.select("template_id", "class_uid", "sample_fields").unique("template_id")
    for template_id, class_uid, sample in rows.iter_rows():
        shape = find_shape(sample) or EMPTY_SHAPE
        compiled[template_id] = compile_mapping(view, aliases, template_id, class_uid, shape)
    return compiled


def compile_mapping(
    view: SchemaView, aliases: AliasTable, template_id: str, class_uid: int, shape: Shape
) -> EventMapping:
    """Compile the mapping of one template whose logs have fields of `shape`."""
    owner = view.classes.get(class_uid) or view.classes[0]
    chooser = _Chooser(view, owner)
    for proposal in sorted(_propose(aliases, shape), key=lambda item: item.rank):
        chooser.offer(proposal)
    if owner.name in SELF_ACTING_CLASSES:
        chooser.make_actor_the_user()
    chooser.offer_column("@severity", ("severity",))
    chooser.offer_column("@host", ("device.hostname", "src_endpoint.hostname"))
    chooser.offer_column("@message", ("finding_info.title",))
    rules = tuple(sorted(chooser.rules.values(), key=lambda rule: rule.target))
    profiles = tuple(sorted(chooser.profiles))
    digest = hashlib.sha256(
        json.dumps(
            [RULES_VERSION, view.version, aliases.version, owner.uid,
             [[rule.source, rule.target, rule.cast] for rule in rules], shape.to_json()],
            sort_keys=True,
        ).encode()
    ).hexdigest()  # fmt: skip
    return EventMapping(
        template_id=template_id,
        class_uid=owner.uid,
        rules=rules,
        profiles=profiles,
        shape=shape,
        version=digest[:16],
        evidence=chooser.evidence,
    )


def _propose(aliases: AliasTable, shape: Shape) -> Iterable[_Proposal]:
    for position, (path, kind) in enumerate(shape.list_leaves()):
        if kind is Kind.RECORDS:
            continue
        for rank, key in enumerate(lookup_keys(path)):
            targets = aliases.targets.get(key)
            if targets:
                place = (rank, aliases.order[key], position)
                yield _Proposal(place, path, targets, f"name {key}")
                break


class _Chooser:
    """Gives every attribute to at most one field and every field to at most one attribute."""

    def __init__(self, view: SchemaView, owner: ClassView) -> None:
        self._view = view
        self._owner = owner
        self.rules: dict[str, Rule] = {}
        self.profiles: set[str] = set()
        self.evidence: dict[str, str] = {}
        self._used: dict[str, set[str]] = {}

    def offer(self, proposal: _Proposal) -> None:
        """Take the first of the proposal's attributes that the class has and that is free."""
        for target in proposal.targets:
            if self._take(target, proposal.source, proposal.reason):
                return

    def offer_column(self, column: str, targets: tuple[str, ...]) -> None:
        """Let a column of the record give the first attribute that the class has, if free."""
        for target in targets:
            resolved = self._view.resolve_path(self._owner, target)
            if resolved is not None:
                self._take(target, (column,), f"column {column[1:]}")
                return

    def make_actor_the_user(self) -> None:
        """Where only an actor is named, let its rules give the class's `user`."""
        if any(target.startswith("user.") for target in self.rules):
            return
        for target in [name for name in self.rules if name.startswith("actor.user.")]:
            rule = self.rules.pop(target)
            reason = self.evidence.pop(target)
            self._take(target.removeprefix("actor."), rule.source, reason)

    def _take(self, target: str, source: tuple[str, ...], reason: str) -> bool:
        resolved = self._view.resolve_path(self._owner, target)
        if resolved is None or resolved.leaf.object_type is not None or target in _RESERVED:
            return False
        target, cast = _settle_enum(target, resolved)
        if target in self.rules or self._breaks_constraint(target):
            return False
        self.rules[target] = Rule(source, target, cast)
        self.profiles |= resolved.profiles
        self.evidence[target] = reason
        return True

    def _breaks_constraint(self, target: str) -> bool:
        """True when another rule already gives the one attribute that may be present."""
        place = ""
        single, attributes = self._owner.just_one, self._owner.attributes
        for name, _key in split_path(target):
            if name in single:
                used = self._used.setdefault(place, set())
                if used - {name}:
                    return True
                used.add(name)
            object_type = attributes[name].object_type
            if object_type is None:
                break
            below = self._view.objects[object_type]
            single, attributes = below.just_one, below.attributes
            place = f"{place}.{name}"
        return False


def _settle_enum(target: str, resolved: ResolvedPath) -> tuple[str, str]:
    """Return the enum's number attribute in place of its text sibling, and the cast."""
    leaf = resolved.leaf
    number = resolved.holder.siblings.get(leaf.name)
    if number is not None and not resolved.holder.attributes[number].is_array:
        head, _dot, _name = target.rpartition(".")
        return (f"{head}.{number}" if head else number), "enum"
    if leaf.enum and leaf.type.base in ("integer_t", "long_t"):
        return target, "number"
    return target, "value"
