import json

import pytest

from ocsf_pipeline.events.aliases import AliasError, load_aliases, parse_aliases
from ocsf_pipeline.events.compiler import compile_mappings
from ocsf_pipeline.events.mapping import EventMapping
from ocsf_pipeline.events.names import join_words, lookup_keys
from ocsf_pipeline.events.schema_view import view_schema
from ocsf_pipeline.schema.model import OcsfSchema
from ocsf_pipeline_tests.fakes.mapped_logs import make_decisions, read_schema


def _compile(schema: OcsfSchema, class_uid: int, sample: object) -> EventMapping:
    decisions = make_decisions(schema, {"t1": (class_uid, 1, json.dumps(sample))})
    return compile_mappings(schema, decisions)["t1"]


def _targets(mapping: EventMapping) -> dict[str, str]:
    return {rule.target: ".".join(rule.source) for rule in mapping.rules}


@pytest.mark.parametrize(
    "name", ["src", "srcip", "source.ip", "sourceIPAddress", "c-ip", "id.orig_h", "client_ip"]
)
def test_names_of_the_source_address(name: str, schema: OcsfSchema) -> None:
    assert _targets(_compile(schema, 4001, {name: "192.0.2.1"}))["src_endpoint.ip"] == name


@pytest.mark.parametrize("name", ["user", "userName", "TargetUserName", "suser", "cs-username"])
def test_names_of_the_user(name: str, schema: OcsfSchema) -> None:
    assert "user.name" in _targets(_compile(schema, 3002, {name: "alice"}))
    assert "actor.user.name" in _targets(_compile(schema, 1007, {name: "alice"}))
    assert "actor.user.name" in _targets(_compile(schema, 6003, {name: "alice"}))


def test_subject_and_target_differ(schema: OcsfSchema) -> None:
    sample = {"SubjectUserName": "admin", "TargetUserName": "alice"}
    targets = _targets(_compile(schema, 3001, sample))
    assert targets["actor.user.name"] == "SubjectUserName"
    assert targets["user.name"] == "TargetUserName"


def test_the_nearer_name_wins(schema: OcsfSchema) -> None:
    sample = {"other": {"ip": "192.0.2.2"}, "source": {"ip": "192.0.2.1"}}
    assert _targets(_compile(schema, 4001, sample))["src_endpoint.ip"] == "source.ip"


def test_profiles_are_declared_only_when_used(schema: OcsfSchema) -> None:
    assert "cloud" not in _compile(schema, 4001, {"srcip": "x"}).profiles
    assert "cloud" in _compile(schema, 4001, {"awsRegion": "x"}).profiles


def test_evidence_names_the_reason(schema: OcsfSchema) -> None:
    mapping = _compile(schema, 4001, {"net": {"srcIp": "192.0.2.1"}})
    assert mapping.evidence["src_endpoint.ip"] == "name srcip"


def test_mapping_survives_json(schema: OcsfSchema) -> None:
    mapping = _compile(schema, 1007, {"a": {"b": [1]}, "pid": 1, "n": None, "r": [{"x": "y"}]})
    assert EventMapping.from_json(mapping.to_json()) == mapping


def test_version_follows_class_schema_and_fields(schema: OcsfSchema) -> None:
    versions = {
        _compile(schema, 3002, {"user": "a"}).version,
        _compile(schema, 3001, {"user": "a"}).version,
        _compile(schema, 3002, {"usr": "a"}).version,
        _compile(read_schema("1.7.0"), 3002, {"user": "a"}).version,
    }
    assert len(versions) == 4
    assert _compile(schema, 3002, {"user": "b"}).version in versions


def test_every_alias_is_reachable_and_known_to_some_class(schema: OcsfSchema) -> None:
    view = view_schema(schema)
    aliases = load_aliases()
    for name, targets in aliases.targets.items():
        assert join_words(name).isalnum()
        for target in targets:
            path, _at, scope = target.partition("@")
            found = (
                view.resolve_path(owner, path)
                for owner in view.live_classes
                if scope in ("", str(owner.uid), str(owner.category_uid))
            )
            assert any(found), f"{target} ({name}) is in no live class"


def test_name_under_two_meanings_is_refused() -> None:
    with pytest.raises(AliasError, match="'ip'"):
        parse_aliases("src_endpoint.ip: ip\ndst_endpoint.ip: ip\n")


def test_lookup_keys_go_from_whole_to_last() -> None:
    assert list(lookup_keys(("event", "src", "geo", "city_name"))) == [
        "eventsrcgeocityname", "srcgeocityname", "geocityname", "srccityname", "eventcityname",
        "cityname",
    ]  # fmt: skip
