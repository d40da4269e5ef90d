"""Observables: the addresses, names, hashes and links of an event once more, side by side.

Belongs here: which attributes are observable, and the constant part of their JSON. Does not belong
here: the attributes themselves (`plan`), putting an event together (`forms`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ocsf_pipeline.events.schema_view import ClassView, ResolvedPath, SchemaView

TYPE_IDS: Mapping[str, int] = {
    # data type of the attribute: type of the observable
    "hostname_t": 1, "ip_t": 2, "mac_t": 3, "username_t": 4, "email_t": 5, "url_t": 6,
    "file_name_t": 7, "file_hash_t": 8, "process_name_t": 9,
}  # fmt: skip
MAX_OBSERVABLES = 12
_ELEMENT = re.compile(r"\[[^\]]*\]")


@dataclass(frozen=True)
class Observable:
    """One attribute that is an observable in every row in which it has a value."""

    column: str
    head: str
    """JSON of the observable up to its value."""


def list_observables(
    view: SchemaView, owner: ClassView, columns: Sequence[tuple[str, str, ResolvedPath]]
) -> tuple[Observable, ...]:
    """Return the observables among (column, attribute path, resolved path)."""
    captions = _read_captions(view, owner)
    found = []
    for column, path, resolved in columns:
        type_id = TYPE_IDS.get(resolved.leaf.type.name)
        caption = captions.get(str(type_id))
        if caption is None or (resolved.leaf.is_array and path.endswith("[*]")):
            continue
        head = {"name": _ELEMENT.sub("", path), "type": caption, "type_id": type_id}
        text = json.dumps(head, ensure_ascii=False, separators=(",", ":"))[:-1] + ","
        found.append(Observable(column, text))
    return tuple(found[:MAX_OBSERVABLES])


def _read_captions(view: SchemaView, owner: ClassView) -> Mapping[str, str]:
    attribute = owner.attributes.get("observables")
    if attribute is None or attribute.object_type is None:
        return {}
    return view.objects[attribute.object_type].attributes["type_id"].enum
