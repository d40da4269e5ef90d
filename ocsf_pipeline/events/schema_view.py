"""What the events stage needs of an OCSF schema, and nothing else of it.

Belongs here: attributes with type, requirement, enum and profiles; constraints; resolving an
attribute path. Does not belong here: fetching or parsing the export (`schema`), any decision
about a log.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ocsf_pipeline.schema.changes import find_attribute_successor, find_class_successor
from ocsf_pipeline.schema.model import Attribute, ObjectType, OcsfSchema

_RECENT: deque[tuple[OcsfSchema, SchemaView]] = deque(maxlen=4)


@dataclass(frozen=True)
class TypeView:
    """One data type of the schema's dictionary, reduced to how a value must look."""

    name: str
    base: str
    """boolean_t, float_t, integer_t, json_t, long_t, string_t or object_t."""
    regex: str | None = None
    max_len: int | None = None
    low: int | None = None
    high: int | None = None


@dataclass(frozen=True)
class AttributeView:
    """One attribute of a class or an object."""

    name: str
    type: TypeView
    object_type: str | None
    is_array: bool
    is_required: bool
    is_deprecated: bool
    successor: str | None
    """What to use in place of a deprecated attribute, where its note names it."""
    enum: Mapping[str, str]
    """Value as text to caption; empty when the attribute is no enum."""
    sibling: str | None
    """The text attribute that goes with an enum attribute."""
    profiles: frozenset[str]
    """The attribute exists only where one of these profiles is declared; empty: always."""
    caption: str = ""
    description: str = ""


@dataclass(frozen=True)
class ObjectView:
    """Attributes and constraints of an object, or of a class."""

    name: str
    attributes: Mapping[str, AttributeView]
    at_least_one: tuple[str, ...]
    just_one: tuple[str, ...]
    siblings: Mapping[str, str] = field(default_factory=dict)
    """Text attribute to the enum attribute that it belongs to."""


@dataclass(frozen=True)
class ClassView(ObjectView):
    """One event class."""

    uid: int = 0
    caption: str = ""
    category_uid: int = 0
    category_name: str = ""
    profiles: frozenset[str] = frozenset()
    is_deprecated: bool = False
    successor: int | None = None
    """The live class to use in place of a deprecated one, where its note names it."""


@dataclass(frozen=True, eq=False)
class SchemaView:
    """One version of the schema."""

    version: str
    classes: Mapping[int, ClassView]
    objects: Mapping[str, ObjectView]

    @property
    def live_classes(self) -> list[ClassView]:
        """The classes that are not deprecated, by uid; the base event (0) included."""
        return [self.classes[uid] for uid in sorted(self.classes) if not self._is_dead(uid)]

    def _is_dead(self, uid: int) -> bool:
        return self.classes[uid].is_deprecated

    def find_live_class(self, class_uid: int) -> ClassView:
        """Return the class, its successor where it is deprecated, the base event where unknown."""
        found = self.classes.get(class_uid) or self.classes[0]
        if found.is_deprecated:
            found = self.classes[found.successor or 0]
        return found

    def migrate_path(self, owner: ClassView, path: str) -> str:
        """Return `path` with deprecated attributes replaced by those that their notes name.

        The path itself where nothing is deprecated, or where the successor is of another form.
        """
        holder: ObjectView | None = owner
        steps = path.split(".")
        for depth, step in enumerate(steps):
            name, bracket, key = step.partition("[")
            attribute = holder.attributes.get(name) if holder else None
            if holder is None or attribute is None:
                return path
            following = holder.attributes.get(attribute.successor or "")
            if attribute.is_deprecated and following is not None:
                if following.is_array is not attribute.is_array:
                    return path
                steps[depth] = following.name + bracket + key
                attribute = following
            holder = self.objects.get(attribute.object_type or "")
        return ".".join(steps)

    def resolve_path(self, owner: ClassView, path: str) -> ResolvedPath | None:
        """Return the attributes along `path` of the class, or None where there is no such path.

        `path` is dotted, e.g. `src_endpoint.ip`; `[key]` after a name picks one element of an
        array, e.g. `file.hashes[md5].value`. A deprecated attribute counts as absent, and so does
        one that only a profile brings which the class cannot have.
        """
        attributes: list[AttributeView] = []
        profiles: set[str] = set()
        holder: ObjectView = owner
        steps = path.split(".")
        for depth, step in enumerate(steps):
            name, bracket, _key = step.partition("[")
            attribute = holder.attributes.get(name)
            if attribute is None or attribute.is_deprecated:
                return None
            if attribute.is_array is not bool(bracket):
                return None
            possible = attribute.profiles & owner.profiles
            if attribute.profiles and not possible:
                return None
            if possible and not possible & profiles:
                profiles.add(min(possible))
            attributes.append(attribute)
            if depth + 1 < len(steps):
                if attribute.object_type is None:
                    return None
                holder = self.objects[attribute.object_type]
        return ResolvedPath(tuple(attributes), holder, frozenset(profiles))


@dataclass(frozen=True)
class ResolvedPath:
    """The attributes along a path, the object that holds the last, and the profiles it needs."""

    attributes: tuple[AttributeView, ...]
    holder: ObjectView
    profiles: frozenset[str]

    @property
    def leaf(self) -> AttributeView:
        """The attribute at the end of the path."""
        return self.attributes[-1]


def view_schema(schema: OcsfSchema) -> SchemaView:
    """Return the view of a parsed schema; the views of the last few schemas are remembered."""
    for known, view in _RECENT:
        if known is schema:
            return view
    view = _make_view(schema)
    _RECENT.append((schema, view))
    return view


def _make_view(schema: OcsfSchema) -> SchemaView:
    types = {name: _read_type(schema, name) for name in schema.types}
    types["object_t"] = TypeView("object_t", "object_t")
    objects = {
        key: ObjectView(name=key, **_read_body(body, types)) for key, body in schema.objects.items()
    }
    classes = {
        body.uid: ClassView(
            name=name,
            **_read_body(body, types),
            uid=body.uid,
            caption=body.caption,
            category_uid=body.category_uid,
            category_name=body.category_name or "Uncategorized",
            profiles=frozenset(body.profiles),
            is_deprecated=body.is_deprecated,
            successor=find_class_successor(schema, body.uid),
        )
        for name, body in schema.classes.items()
    }
    return SchemaView(schema.version, classes, objects)


def _read_type(schema: OcsfSchema, name: str) -> TypeView:
    raw = schema.types[name]
    low, high = raw.range or (None, None)
    base = schema.resolve_base_type(name)
    return TypeView(name, base, raw.regex, raw.max_len, low, high)


def _read_body(body: ObjectType, types: Mapping[str, TypeView]) -> dict[str, Any]:
    attributes = {name: _read_attribute(raw, types) for name, raw in body.attributes.items()}
    return {
        "attributes": attributes,
        "at_least_one": body.constraints.at_least_one,
        "just_one": body.constraints.just_one,
        "siblings": {
            item.sibling: item.name
            for item in attributes.values()
            if item.sibling and item.enum and not item.is_deprecated
        },
    }


def _read_attribute(raw: Attribute, types: Mapping[str, TypeView]) -> AttributeView:
    return AttributeView(
        name=raw.name,
        type=types[raw.type],
        object_type=raw.object_type,
        is_array=raw.is_array,
        is_required=raw.requirement == "required",
        is_deprecated=raw.deprecation is not None,
        successor=find_attribute_successor(raw.deprecation),
        enum={key: value.caption for key, value in raw.enum.items()},
        sibling=raw.sibling,
        profiles=frozenset(raw.profiles),
        caption=raw.caption or "",
        description=raw.description or "",
    )
