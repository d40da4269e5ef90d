from __future__ import annotations

import copy
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ocsf_pipeline.adapters.schema_package import EmbeddedSchemaSource
from ocsf_pipeline.schema.model import DEFAULT_VERSION, OcsfSchema, SchemaError
from ocsf_pipeline.schema.parse import is_version, parse_schema
from ocsf_pipeline_tests.fakes.schema_documents import compiled_document, server_document

RELEASES = EmbeddedSchemaSource().list_versions()


def parse(document: object) -> OcsfSchema:
    return parse_schema(json.dumps(document).encode())


@pytest.fixture(scope="module")
def schema() -> OcsfSchema:
    return parse_schema(EmbeddedSchemaSource().fetch_schema(DEFAULT_VERSION).body)


# --- every published release ---


def test_the_releases_that_matter_are_packaged() -> None:
    wanted = {f"1.{minor}.0" for minor in range(9)}
    assert wanted <= set(RELEASES)


@pytest.mark.parametrize("version", RELEASES)
def test_every_release_parses(version: str) -> None:
    parsed = parse_schema(EmbeddedSchemaSource().fetch_schema(version).body)
    assert parsed.version == version
    assert parsed.get_class(3002).caption == "Authentication"
    assert parsed.list_activities(3002)[1].caption == "Logon"
    assert parsed.get_class(0).name == "base_event"
    assert {"string_t", "integer_t", "timestamp_t"} <= set(parsed.types)
    for event_class in parsed.classes.values():
        if event_class.uid:
            assert event_class.category_name == parsed.categories[event_class.category].caption
        for attribute in event_class.attributes.values():
            assert attribute.object_type is None or attribute.object_type in parsed.objects
        for name in event_class.profiles:
            assert name in parsed.profiles or version == "1.0.0-rc.2", name


def test_parsing_is_fast() -> None:
    body = EmbeddedSchemaSource().fetch_schema(DEFAULT_VERSION).body
    started = time.perf_counter()
    parse_schema(body)
    assert time.perf_counter() - started < 1.0


# --- what the default release holds ---


def test_live_classes_are_sorted_and_not_deprecated(schema: OcsfSchema) -> None:
    uids = [item.uid for item in schema.live_classes]
    assert uids == sorted(set(uids))
    assert uids[0] == 0
    assert len(uids) == 60
    assert not any(item.is_deprecated for item in schema.live_classes)


def test_deprecated_classes_are_known_with_the_reason(schema: OcsfSchema) -> None:
    finding = schema.get_class(2001)
    assert finding.is_deprecated
    assert finding.deprecation is not None
    assert finding.deprecation.since == "1.1.0"
    assert "Finding" in finding.deprecation.message
    assert 2001 not in {item.uid for item in schema.live_classes}
    assert sum(item.is_deprecated for item in schema.classes.values()) == 23


def test_extension_classes_keep_their_prefix(schema: OcsfSchema) -> None:
    key = schema.classes["win/registry_key_activity"]
    assert (key.uid, key.name, key.extension) == (201001, "registry_key_activity", "win")
    assert key.category_name == "System Activity"
    assert schema.extensions["win"].uid == 2
    assert schema.objects["win/reg_key"].extension == "win"


def test_attributes_carry_type_requirement_enum_and_sibling(schema: OcsfSchema) -> None:
    attributes = schema.get_class(3002).attributes
    activity = attributes["activity_id"]
    assert (activity.type, activity.requirement, activity.sibling) == (
        "integer_t",
        "required",
        "activity_name",
    )
    assert activity.enum["1"].caption == "Logon"
    user = attributes["user"]
    assert (user.type, user.object_type, user.is_array) == ("object_t", "user", False)
    assert user.is_always_required
    assert attributes["observables"].is_array
    cloud = attributes["cloud"]
    assert (cloud.requirement, cloud.profiles) == ("required", ("cloud",))
    assert not cloud.is_always_required
    assert schema.get_class(3002).constraints.at_least_one == ("service", "dst_endpoint")


def test_activities_are_sorted_by_number(schema: OcsfSchema) -> None:
    assert list(schema.list_activities(3002)) == [0, 1, 2, 3, 4, 5, 6, 7, 99]


def test_types_carry_their_limits(schema: OcsfSchema) -> None:
    assert schema.types["port_t"].range == (0, 65535)
    assert schema.types["mac_t"].max_len == 32
    assert schema.types["ip_t"].regex
    assert schema.resolve_base_type("port_t") == "integer_t"
    assert schema.resolve_base_type("string_t") == "string_t"
    assert schema.resolve_base_type("object_t") == "object_t"


def test_an_unknown_class_is_refused_by_number(schema: OcsfSchema) -> None:
    assert schema.find_class(4242) is None
    with pytest.raises(SchemaError, match=r"1\.8\.0 has no class 4242"):
        schema.get_class(4242)


def test_the_model_is_frozen(schema: OcsfSchema) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        schema.get_class(3002).caption = "Other"  # type: ignore[misc]


# --- both shapes ---


def test_both_shapes_give_the_same_classes_objects_and_types() -> None:
    server, compiled = parse(server_document()), parse(compiled_document())
    assert server.classes == compiled.classes
    assert server.objects == compiled.objects
    assert server.types == compiled.types
    assert server.categories == compiled.categories
    assert set(server.profiles) == set(compiled.profiles) == {"cloud"}
    assert server.extensions["win"].uid == compiled.extensions["win"].uid == 2


# --- refusals ---


def without(*path: str) -> dict[str, Any]:
    document = server_document()
    parent: Any = document
    for name in path[:-1]:
        parent = parent[name]
    del parent[path[-1]]
    return document


REFUSED = [
    ([], "a JSON list, not an object"),
    ({}, "missing 'version' .*, 'classes', 'objects', 'types'"),
    ({"openapi": "3.1.0", "paths": {}}, "found 'openapi', 'paths'"),
    (without("classes"), "missing 'classes'"),
    (without("objects"), "missing 'objects'"),
    (without("types"), "missing 'types'"),
    (without("version"), "missing 'version'"),
    ({**server_document(), "version": "latest"}, "missing 'version'"),
    ({**server_document(), "classes": {}}, "missing 'classes'"),
    (without("classes", "file_activity", "uid"), r"classes\.file_activity\.uid: Field required"),
    (without("classes", "file_activity", "attributes"), r"classes\.file_activity"),
    (without("classes", "file_activity", "attributes", "time"), "file_activity is missing time"),
    (without("objects", "cloud", "attributes", "region", "type"), r"region\.type: Field required"),
]


@pytest.mark.parametrize(("document", "message"), REFUSED)
def test_a_document_that_is_no_schema_is_refused_with_what_is_missing(
    document: object, message: str
) -> None:
    with pytest.raises(SchemaError, match=message):
        parse(document)


@pytest.mark.parametrize(
    "body", [b"", b"<html>502</html>", b'{"classes": {', b"\xff\xfe\x00", b"[" * 100_000]
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(SchemaError, match="not JSON"):
        parse_schema(body)


def test_two_classes_with_one_uid_are_refused() -> None:
    document = server_document()
    document["classes"]["old_activity"]["uid"] = 1001
    with pytest.raises(SchemaError, match="file_activity and old_activity share uid 1001"):
        parse(document)


def test_an_activity_that_is_no_number_is_refused() -> None:
    document = server_document()
    document["classes"]["file_activity"]["attributes"]["activity_id"]["enum"]["x"] = {}
    with pytest.raises(SchemaError, match="activity_id is not numeric"):
        parse(document)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


def _paths(node: object, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(node, dict):
        return [path]
    inner = [found for name, value in node.items() for found in _paths(value, (*path, name))]
    return [path, *inner] if path else inner


_DOCUMENTS = (server_document(), compiled_document())
_PLACES = [(which, path) for which in (0, 1) for path in _paths(_DOCUMENTS[which])]


@given(st.sampled_from(_PLACES), _JSON)
def test_any_value_in_any_place_is_parsed_or_refused(
    place: tuple[int, tuple[str, ...]], value: object
) -> None:
    which, path = place
    document: Any = copy.deepcopy(_DOCUMENTS[which])
    parent = document
    for name in path[:-1]:
        parent = parent[name]
    parent[path[-1]] = value
    try:
        parsed = parse(document)
    except SchemaError as error:
        assert str(error).startswith("not a")
    else:
        assert parsed.live_classes
        assert all(item.activities is not None for item in parsed.live_classes)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_without_another_error(body: bytes) -> None:
    with pytest.raises(SchemaError):
        parse_schema(body)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1.8.0", True), ("1.0.0-rc.2", True), ("1.9.0-dev", True), ("1.8", False), ("../1", False)],
)
def test_versions_are_recognised(text: str, expected: bool) -> None:
    assert is_version(text) is expected
