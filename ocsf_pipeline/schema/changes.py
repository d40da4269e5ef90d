"""What differs between two releases of the schema, and what follows a deprecated part.

Belongs here: the comparison as data, successors read from notes of deprecation. Does not belong
here: mapping to the successors (`events`), telling people (`commands`, `defs`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ocsf_pipeline.schema.model import Attribute, Deprecation, EventClass, ObjectType, OcsfSchema

_CODE = re.compile(r"<code>\s*'?([^<']+?)'?(?:\s+in the [^<]*)?\s*</code>")
_PATH = re.compile(r"[a-z][a-z0-9_.]*")


@dataclass(frozen=True)
class BodyChange:
    """What changed in the attributes of one class or object."""

    name: str
    caption: str
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    deprecated: tuple[tuple[str, str], ...] = ()
    """Newly deprecated attributes, and what follows them; empty where the note names nothing."""
    retyped: tuple[str, ...] = ()
    """Attributes of another type, or that became or ceased to be arrays."""
    newly_required: tuple[str, ...] = ()
    enum_values: tuple[str, ...] = ()
    """New values of enums: `attribute: caption`."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing changed."""
        return not any((self.added, self.removed, self.deprecated, self.retyped,
                        self.newly_required, self.enum_values))  # fmt: skip


@dataclass(frozen=True)
class SchemaChanges:
    """What changed from one release to another."""

    before: str
    after: str
    classes_added: tuple[str, ...]
    """`caption (uid)`, and so below."""
    classes_removed: tuple[str, ...]
    classes_deprecated: tuple[tuple[str, str], ...]
    """Newly deprecated classes, and their successors."""
    classes: tuple[BodyChange, ...]
    objects: tuple[BodyChange, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return asdict(self)

    @property
    def counts(self) -> dict[str, int]:
        """Return how much changed, for a summary."""
        bodies = (*self.classes, *self.objects)
        return {
            "classes added": len(self.classes_added),
            "classes removed": len(self.classes_removed),
            "classes deprecated": len(self.classes_deprecated),
            "attributes added": sum(len(item.added) for item in bodies),
            "attributes removed": sum(len(item.removed) for item in bodies),
            "attributes deprecated": sum(len(item.deprecated) for item in bodies),
            "attributes of another type": sum(len(item.retyped) for item in bodies),
            "attributes newly required": sum(len(item.newly_required) for item in bodies),
        }


def compare_schemas(before: OcsfSchema, after: OcsfSchema) -> SchemaChanges:
    """Compare two releases; of objects and classes that both have, attribute by attribute."""
    old, new = before.classes_by_uid, after.classes_by_uid
    deprecated = [
        (_name(item), _name_successor(after, item))
        for uid, item in new.items()
        if item.is_deprecated and uid in old and not old[uid].is_deprecated
    ]
    return SchemaChanges(
        before=before.version,
        after=after.version,
        classes_added=tuple(_name(new[uid]) for uid in new if uid not in old),
        classes_removed=tuple(_name(old[uid]) for uid in old if uid not in new),
        classes_deprecated=tuple(deprecated),
        classes=_compare_bodies(
            {str(uid): item for uid, item in old.items()},
            {str(uid): item for uid, item in new.items()},
        ),
        objects=_compare_bodies(before.objects, after.objects),
    )


def find_class_successor(schema: OcsfSchema, class_uid: int) -> int | None:
    """Return the live class that a deprecated class's note names; None where none is.

    Of several the one that shares the most attributes with the deprecated class.
    """
    found = schema.find_class(class_uid)
    if found is None or found.deprecation is None:
        return None
    named = {
        caption.strip().lower()
        for part in _CODE.findall(found.deprecation.message)
        for caption in part.rstrip(". ").split(",")
    }
    fitting = [item for item in schema.live_classes if item.caption.lower() in named]
    shared = {item.uid: len(set(item.attributes) & set(found.attributes)) for item in fitting}
    return max(shared, key=lambda uid: (shared[uid], -uid)) if shared else None


def find_attribute_successor(deprecation: Deprecation | None) -> str | None:
    """Return the attribute path that a note of deprecation names first; None where none is."""
    if deprecation is None:
        return None
    for named in _CODE.findall(deprecation.message):
        path = str(named).split(",")[0].strip()
        if _PATH.fullmatch(path):
            return path
    return None


def _compare_bodies(
    before: Mapping[str, ObjectType], after: Mapping[str, ObjectType]
) -> tuple[BodyChange, ...]:
    changes = (
        _compare_attributes(after[key], before[key].attributes, after[key].attributes)
        for key in after
        if key in before
    )
    return tuple(item for item in changes if not item.is_empty)


def _compare_attributes(
    body: ObjectType, before: Mapping[str, Attribute], after: Mapping[str, Attribute]
) -> BodyChange:
    both = [(name, before[name], after[name]) for name in after if name in before]
    return BodyChange(
        name=body.name,
        caption=_name(body) if isinstance(body, EventClass) else body.caption,
        added=tuple(name for name in after if name not in before),
        removed=tuple(name for name in before if name not in after),
        deprecated=tuple(
            (name, find_attribute_successor(new.deprecation) or "")
            for name, old, new in both
            if new.deprecation and not old.deprecation
        ),
        retyped=tuple(
            name
            for name, old, new in both
            if (old.type, old.object_type, old.is_array)
            != (new.type, new.object_type, new.is_array)
        ),
        newly_required=tuple(
            name
            for name, old, new in both
            if new.requirement == "required" and old.requirement != "required"
        ),
        enum_values=tuple(
            f"{name}: {value.caption}"
            for name, old, new in both
            if old.enum and name != "type_uid"
            for key, value in new.enum.items()
            if key not in old.enum
        ),
    )


def _name(item: EventClass) -> str:
    return f"{item.caption} ({item.uid})"


def _name_successor(schema: OcsfSchema, item: EventClass) -> str:
    successor = find_class_successor(schema, item.uid)
    return _name(schema.get_class(successor)) if successor is not None else ""
