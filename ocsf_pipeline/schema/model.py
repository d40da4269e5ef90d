"""The OCSF schema as a typed, frozen model: one release, extensions included.

Belongs here: the records and the lookups that other stages need. Does not belong here: reading
JSON (`parse`), fetching (adapters), text for retrieval (`knowledge.chunks`).

Names and descriptions are kept as the schema gives them; descriptions hold HTML.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

DEFAULT_VERSION = "1.8.0"
"""The release that is used unless another is configured."""

UNKNOWN_ACTIVITY = 0
OTHER_ACTIVITY = 99

Requirement = Literal["required", "recommended", "optional"]


class SchemaError(ValueError):
    """Not a usable OCSF schema, or not in it; the message says what was missing."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class Deprecation(_Record):
    """Since when a part of the schema is deprecated, and what to use instead."""

    message: str = ""
    since: str = ""


class EnumValue(_Record):
    """One allowed value of an attribute."""

    caption: str = ""
    description: str = ""
    deprecation: Deprecation | None = Field(default=None, alias="@deprecated")


class Attribute(_Record):
    """One attribute of a class or an object."""

    name: str
    caption: str = ""
    description: str = ""
    type: str
    """Name in `OcsfSchema.types`, or `object_t`."""
    requirement: Requirement = "optional"
    enum: Mapping[str, EnumValue] = {}
    """By value; values are text even where the attribute is a number."""
    sibling: str | None = None
    """The attribute that holds the caption of this one's value."""
    object_type: str | None = None
    """Key in `OcsfSchema.objects` when `type` is `object_t`."""
    is_array: bool = False
    profiles: tuple[str, ...] = ()
    """Present only with one of these profiles; empty means always."""
    group: str | None = None
    extension: str | None = None
    deprecation: Deprecation | None = Field(default=None, alias="@deprecated")

    @property
    def is_always_required(self) -> bool:
        """True when every event must carry it, whatever profiles it names."""
        return self.requirement == "required" and not self.profiles


class Constraints(_Record):
    """What must hold between the attributes of one class or object."""

    at_least_one: tuple[str, ...] = ()
    just_one: tuple[str, ...] = ()


class ObjectType(_Record):
    """A nested object."""

    key: str
    """Unique name: that of an extension carries its prefix, e.g. `win/reg_key`."""
    name: str
    caption: str = ""
    description: str = ""
    extends: str | None = None
    extension: str | None = None
    profiles: tuple[str, ...] = ()
    constraints: Constraints = Constraints()
    deprecation: Deprecation | None = Field(default=None, alias="@deprecated")
    attributes: Mapping[str, Attribute]


class EventClass(ObjectType):
    """One event class."""

    uid: int
    """e.g. 3002; that of an extension is prefixed by the extension's uid, e.g. 201001."""
    category: str
    """Name of the category, e.g. `iam`; `other` for the base event."""
    category_uid: int
    category_name: str = ""
    """Caption of the category, e.g. `Identity & Access Management`."""

    @property
    def is_deprecated(self) -> bool:
        """True when the class must no longer be proposed."""
        return self.deprecation is not None

    @cached_property
    def activities(self) -> Mapping[int, EnumValue]:
        """The values of `activity_id`, sorted; 0 is Unknown and 99 is Other."""
        attribute = self.attributes.get("activity_id")
        if attribute is None:
            return {}
        pairs = ((int(value), meaning) for value, meaning in attribute.enum.items())
        return dict(sorted(pairs, key=lambda pair: pair[0]))


class DataType(_Record):
    """A scalar type of the dictionary and what its values must look like."""

    name: str
    caption: str = ""
    description: str = ""
    base_type: str | None = Field(default=None, alias="type")
    """The type that it refines, e.g. `string_t`; None for a basic type."""
    regex: str | None = None
    range: tuple[int, int] | None = None
    """Inclusive."""
    max_len: int | None = None
    values: tuple[bool | int | str, ...] = ()


class Category(_Record):
    """A group of classes."""

    name: str
    uid: int
    caption: str
    description: str = ""


class Profile(_Record):
    """A set of attributes that events of several classes may add."""

    name: str
    caption: str = ""
    description: str = ""


class Extension(_Record):
    """An extension whose classes, objects and attributes are merged into the schema."""

    name: str
    uid: int
    caption: str = ""
    version: str = ""


class OcsfSchema(_Record):
    """One release of OCSF."""

    version: str
    categories: Mapping[str, Category]
    classes: Mapping[str, EventClass]
    """By key, e.g. `authentication`, `win/registry_key_activity`."""
    objects: Mapping[str, ObjectType]
    types: Mapping[str, DataType]
    profiles: Mapping[str, Profile]
    extensions: Mapping[str, Extension]

    @cached_property
    def classes_by_uid(self) -> Mapping[int, EventClass]:
        """Every class, deprecated ones included, by uid in ascending order."""
        ordered = sorted(self.classes.values(), key=lambda event_class: event_class.uid)
        return {event_class.uid: event_class for event_class in ordered}

    @cached_property
    def live_classes(self) -> tuple[EventClass, ...]:
        """The classes that may be proposed: not deprecated, sorted by uid, base event first."""
        return tuple(item for item in self.classes_by_uid.values() if not item.is_deprecated)

    def find_class(self, class_uid: int) -> EventClass | None:
        """Return the class with this uid, deprecated or not, or None."""
        return self.classes_by_uid.get(class_uid)

    def get_class(self, class_uid: int) -> EventClass:
        """Return the class with this uid; raises SchemaError when this release has none."""
        found = self.find_class(class_uid)
        if found is None:
            raise SchemaError(
                f"OCSF {self.version} has no class {class_uid}; check the number, or configure "
                "the schema version that has it"
            )
        return found

    def list_activities(self, class_uid: int) -> Mapping[int, EnumValue]:
        """Return the activities of a class by id; raises SchemaError for an unknown class."""
        return self.get_class(class_uid).activities

    def resolve_base_type(self, type_name: str) -> str:
        """Return the basic type behind a type: `port_t` gives `integer_t`.

        An unknown type is returned as it is.
        """
        seen: set[str] = set()
        current = type_name
        while current not in seen:
            seen.add(current)
            data_type = self.types.get(current)
            if data_type is None or data_type.base_type is None:
                return current
            current = data_type.base_type
        raise SchemaError(f"OCSF {self.version}: type {type_name!r} refines itself")
