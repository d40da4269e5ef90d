"""A small OCSF export, in both published shapes, for tests that need one quickly."""

from __future__ import annotations

import copy
import json
from typing import Any

_BASE = ("class_uid", "category_uid", "type_uid", "severity_id", "time")


def _attribute(**extra: object) -> dict[str, Any]:
    return {"type": "integer_t", "caption": "A", "requirement": "required", **extra}


def _event_class(name: str, uid: int, category_uid: int, **extra: object) -> dict[str, Any]:
    activities = {
        "99": {"caption": "Other"},
        "0": {"caption": "Unknown"},
        "1": {"caption": "Open", "description": "It was <code>opened</code>."},
    }
    return {
        "name": name,
        "uid": uid,
        "caption": name.replace("_", " ").title(),
        "description": f"Events of <b>{name}</b>.",
        "category": "system" if category_uid else "other",
        "category_uid": category_uid,
        "attributes": {
            **{base: _attribute() for base in _BASE},
            "activity_id": _attribute(enum=activities, sibling="activity_name"),
            f"{name}_detail": _attribute(type="string_t", requirement="optional"),
        },
        **({"category_name": "System Activity"} if category_uid else {}),
        **extra,
    }


def server_document(version: str = "1.8.0") -> dict[str, Any]:
    """The shape of the schema server's /export/schema."""
    classes = {
        "base_event": _event_class("base_event", 0, 0),
        "file_activity": _event_class("file_activity", 1001, 1, profiles=["cloud"]),
        "win/key_activity": _event_class(
            "key_activity", 201001, 1, extension="win", extension_id=2
        ),
        "old_activity": _event_class(
            "old_activity", 1099, 1, **{"@deprecated": {"message": "Use it not.", "since": "1.1.0"}}
        ),
    }
    classes["file_activity"]["attributes"]["cloud"] = _attribute(
        type="object_t", object_type="cloud", profile="cloud"
    )
    return {
        "version": version,
        "base_event": copy.deepcopy(classes["base_event"]),
        "classes": classes,
        "objects": {
            "cloud": {
                "name": "cloud",
                "caption": "Cloud",
                "attributes": {"region": _attribute(type="string_t")},
                "constraints": {"at_least_one": ["region"]},
            }
        },
        "types": {
            "string_t": {"caption": "String"},
            "integer_t": {"caption": "Integer"},
            "port_t": {"caption": "Port", "type": "integer_t", "range": [0, 65535]},
            "ip_t": {"caption": "IP", "type": "string_t", "regex": "^[0-9.]+$", "max_len": 40},
        },
        "dictionary_attributes": {},
    }


def compiled_document(version: str = "1.8.0") -> dict[str, Any]:
    """The shape of the schema compiler's output."""
    document = server_document(version)
    types = document.pop("types")
    del document["base_event"], document["dictionary_attributes"]
    cloud = document["classes"]["file_activity"]["attributes"]["cloud"]
    cloud["profiles"] = [cloud.pop("profile")]
    return {
        **document,
        "compile_version": 1,
        "dictionary": {"attributes": {}, "types": {"attributes": types}},
        "categories": {"attributes": {"system": {"uid": 1, "caption": "System Activity"}}},
        "profiles": {"cloud": {"caption": "Cloud"}},
        "extensions": {"win": {"uid": 2, "caption": "Windows", "version": version}},
    }


def server_body(version: str = "1.8.0") -> bytes:
    return json.dumps(server_document(version)).encode()
