"""Parsing an OCSF schema export into the typed model.

Belongs here: the two shapes in which a release is published, and the refusals. Does not belong
here: fetching the bytes (adapters).

Two shapes carry the same content:
- the schema server's `/export/schema` (and the releases up to 1.7.0 in `ocsf-json-schema`): types
  at the top; categories, profiles and extensions only as mentioned by classes;
- the schema compiler's output (1.8.0 in `ocsf-json-schema`): types under `dictionary`, and
  categories, profiles and extensions listed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import pydantic_core
from pydantic import ValidationError

from ocsf_pipeline.schema.model import OcsfSchema, SchemaError

Json = dict[str, Any]

_VERSION = re.compile(r"\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?")
_REMEDY = "check that the URL ends in /<version>/export/schema, or use the embedded schema"
_BASE_ATTRIBUTES = ("class_uid", "category_uid", "activity_id", "type_uid", "severity_id", "time")


def is_version(text: str) -> bool:
    """True when `text` is a release number such as `1.8.0` or `1.0.0-rc.2`."""
    return _VERSION.fullmatch(text) is not None


def parse_schema(body: bytes) -> OcsfSchema:
    """Parse one export, of either shape.

    Raises SchemaError that names what was missing or malformed, and where.
    """
    document = _read_object(body)
    _refuse_incomplete(document)
    classes = {key: _name_attributes(key, item) for key, item in document["classes"].items()}
    objects = {key: _name_attributes(key, item) for key, item in document["objects"].items()}
    try:
        schema = OcsfSchema.model_validate(
            {
                "version": document["version"],
                "categories": _collect_categories(document, classes.values()),
                "classes": classes,
                "objects": objects,
                "types": _name_items(_find_types(document) or {}),
                "profiles": _collect_profiles(document, [*classes.values(), *objects.values()]),
                "extensions": _collect_extensions(document, [*classes.values(), *objects.values()]),
            }
        )
    except ValidationError as error:
        raise SchemaError(f"not a usable OCSF schema: {_describe(error)}; {_REMEDY}") from error
    _refuse_inconsistent(schema)
    return schema


def _read_object(body: bytes) -> Json:
    try:
        document = pydantic_core.from_json(body)
    except ValueError as error:
        raise SchemaError(f"not an OCSF schema: not JSON ({error}); {_REMEDY}") from error
    if not isinstance(document, dict):
        raise SchemaError(
            f"not an OCSF schema: a JSON {type(document).__name__}, not an object; {_REMEDY}"
        )
    return document


def _refuse_incomplete(document: Json) -> None:
    missing = [
        f"{name!r}"
        for name in ("classes", "objects")
        if not isinstance(document.get(name), dict) or not document[name]
    ]
    if not isinstance(document.get("version"), str) or not is_version(document["version"]):
        missing.insert(0, "'version' (a release number)")
    if _find_types(document) is None:
        missing.append("'types' (or 'dictionary.types.attributes')")
    if missing:
        found = ", ".join(sorted(map(repr, document))[:8]) or "nothing"
        raise SchemaError(
            f"not an OCSF schema: missing {', '.join(missing)}; found {found}; {_REMEDY}"
        )


def _find_types(document: Json) -> Json | None:
    types: Any = document.get("types")
    if types is None:
        dictionary = document.get("dictionary")
        nested = dictionary.get("types") if isinstance(dictionary, dict) else None
        types = nested.get("attributes") if isinstance(nested, dict) else None
    return types if isinstance(types, dict) and types else None


def _name_attributes(key: str, item: Any) -> Any:
    """Give a class or object its key, and each attribute its name; absent lists become empty."""
    if not isinstance(item, dict) or not isinstance(item.get("attributes"), dict):
        return item  # the model refuses it and says where
    attributes = {
        name: _name_attribute(name, item["attributes"][name]) for name in item["attributes"]
    }
    named = {**item, "key": key, "attributes": attributes, "profiles": item.get("profiles") or ()}
    named["constraints"] = item.get("constraints") or {}
    return named


def _name_attribute(name: str, attribute: Any) -> Any:
    if not isinstance(attribute, dict):
        return attribute
    profiles = attribute.get("profiles") or attribute.get("profile") or ()
    named = {**attribute, "name": name}
    named["profiles"] = (profiles,) if isinstance(profiles, str) else profiles
    named["enum"] = attribute.get("enum") or {}
    return named


def _name_items(items: Mapping[str, Any]) -> Json:
    return {
        key: {**item, "name": key} if isinstance(item, dict) else item
        for key, item in items.items()
    }


def _collect_categories(document: Json, classes: Iterable[Any]) -> Json:
    listed = document.get("categories")
    if isinstance(listed, dict) and isinstance(listed.get("attributes"), dict):
        return _name_items(listed["attributes"])
    return {
        item["category"]: {
            "name": item["category"],
            "uid": item.get("category_uid"),
            "caption": item["category_name"],
        }
        for item in classes
        if isinstance(item, dict)
        and _has_text(item, "category")
        and _has_text(item, "category_name")
    }


def _collect_profiles(document: Json, items: Iterable[Any]) -> Json:
    listed = document.get("profiles")
    if isinstance(listed, dict):
        return _name_items(listed)
    lists = (item.get("profiles") for item in items if isinstance(item, dict))
    names = {
        name
        for names in lists
        if isinstance(names, list)
        for name in names
        if isinstance(name, str)
    }
    return {name: {"name": name} for name in sorted(names)}


def _collect_extensions(document: Json, items: Iterable[Any]) -> Json:
    listed = document.get("extensions")
    if isinstance(listed, dict):
        return _name_items(listed)
    uids = {
        item["extension"]: item.get("extension_id")
        for item in items
        if isinstance(item, dict) and _has_text(item, "extension")
    }
    return {name: {"name": name, "uid": uids[name]} for name in sorted(uids)}


def _has_text(item: Json, name: str) -> bool:
    return isinstance(item.get(name), str) and item[name] != ""


def _describe(error: ValidationError) -> str:
    faults = error.errors(include_url=False, include_input=False)
    first = "; ".join(
        f"at {'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in faults[:3]
    )
    return first if len(faults) <= 3 else f"{first}; and {len(faults) - 3} more"


def _refuse_inconsistent(schema: OcsfSchema) -> None:
    uses = Counter(event_class.uid for event_class in schema.classes.values())
    twice = sorted(uid for uid, count in uses.items() if count > 1)
    if twice:
        names = sorted(key for key, item in schema.classes.items() if item.uid == twice[0])
        raise SchemaError(f"not a usable OCSF schema: {' and '.join(names)} share uid {twice[0]}")
    for key, event_class in schema.classes.items():
        missing = [name for name in _BASE_ATTRIBUTES if name not in event_class.attributes]
        if missing:
            raise SchemaError(
                f"not a usable OCSF schema: class {key} is missing {', '.join(missing)}; {_REMEDY}"
            )
        if not all(value.isascii() and value.isdigit() for value in _activity_values(schema, key)):
            raise SchemaError(f"not a usable OCSF schema: class {key}: activity_id is not numeric")


def _activity_values(schema: OcsfSchema, key: str) -> Iterable[str]:
    return schema.classes[key].attributes["activity_id"].enum
