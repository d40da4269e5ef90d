"""The assets `ocsf_schema` and `class_chunks`.

Belongs here: fetching the schema and keeping the copy in force. Does not belong here: parsing.
"""

from __future__ import annotations

from dataclasses import dataclass

from ocsf_pipeline.ports import ObjectStore, PermanentPortError, SchemaDocument, SchemaSource
from ocsf_pipeline.schema.changes import SchemaChanges, compare_schemas
from ocsf_pipeline.schema.model import OcsfSchema
from ocsf_pipeline.schema.parse import parse_schema
from ocsf_pipeline.steps.artefacts import Json, read_json, write_json

_POINTER = "schema/current.json"


@dataclass(frozen=True)
class StoredSchema:
    """The schema in force and where it came from."""

    schema: OcsfSchema
    document: SchemaDocument
    is_changed: bool
    """Whether the schema in force was another one before."""
    changes: SchemaChanges | None = None
    """What differs from the release in force before; None where it was the same, or none."""


def store_schema(source: SchemaSource, artefacts: ObjectStore, version: str) -> StoredSchema:
    """Fetch and check `version` and put it in force. Raises SchemaError when it is no schema."""
    document = source.fetch_schema(version)
    schema = parse_schema(document.body)
    before = read_json(artefacts, _POINTER)
    key = f"schema/documents/{document.sha256}.json"
    if artefacts.head_object(key) is None:
        artefacts.write_object(key, document.body)
    changes = _compare_with(artefacts, before, schema)
    pointer = {"version": schema.version, "sha256": document.sha256, "origin": document.origin}
    if before != pointer:
        write_json(artefacts, _POINTER, pointer)
    return StoredSchema(schema, document, before != pointer, changes)


def _compare_with(
    artefacts: ObjectStore, before: Json | None, schema: OcsfSchema
) -> SchemaChanges | None:
    if before is None or before["version"] == schema.version:
        return None
    key = f"schema/documents/{before['sha256']}.json"
    if artefacts.head_object(key) is None:
        return None
    return compare_schemas(parse_schema(artefacts.read_object(key)), schema)


def load_schema(artefacts: ObjectStore) -> OcsfSchema:
    """Return the schema in force. Raises PermanentPortError when none was stored yet."""
    pointer = read_json(artefacts, _POINTER)
    if pointer is None:
        raise PermanentPortError("no OCSF schema is stored yet: materialise `ocsf_schema` first")
    return parse_schema(artefacts.read_object(f"schema/documents/{pointer['sha256']}.json"))
