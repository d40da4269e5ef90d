"""Fields whose names no table knows are found by what attributes are called and described as."""

import json

import pytest

from ocsf_pipeline.bench.descriptions import judge_fields, summarize
from ocsf_pipeline.events.compiler import MappingCompiler
from ocsf_pipeline.events.descriptions import find_attribute, index_class
from ocsf_pipeline.events.mapping import EventMapping
from ocsf_pipeline.events.samples import find_sample
from ocsf_pipeline.events.schema_view import view_schema
from ocsf_pipeline_tests.fakes.mapped_logs import MapLogs, judge_by_json_schema, read_schema

VIEW = view_schema(read_schema())


def _find(class_uid: int, name: str, value: str = "x", has_object: bool = False) -> str | None:
    owner = VIEW.classes[class_uid]
    found = find_attribute(VIEW, owner, name.split("."), value, lambda _holder: has_object)
    return found.target if found else None


@pytest.mark.parametrize(
    ("class_uid", "name", "value", "target"),
    [
        (4003, "query.opcode", "0", "query.opcode"),
        (3002, "user.department", "sales", "user.ldap_person.department"),
        (3002, "CertificateSerialNum", "01", "certificate.serial_number"),
        (4006, "smb.tree_id", "7", "tree_uid"),
        (4007, "ProtocolVersion", "2.0", "protocol_ver"),
        (3002, "state", "x", None),
        (3002, "zzz_yyy", "x", None),
        (4001, "favourite.colour", "x", None),
    ],
)
def test_attributes_are_found_by_their_words(
    class_uid: int, name: str, value: str, target: str | None
) -> None:
    assert _find(class_uid, name, value) == target


def test_an_object_that_the_field_does_not_name_must_be_there() -> None:
    assert _find(4002, "app_serial_number", "0") is None
    assert _find(5001, "hw_serial_number", "0", has_object=True) == "device.hw_info.serial_number"
    assert _find(5021, "created", "2026-01-02T03:04:05Z", has_object=True) is None


def test_the_index_of_a_class_is_made_once() -> None:
    assert index_class(VIEW, VIEW.classes[4001]) is index_class(VIEW, VIEW.classes[4001])


def test_what_was_found_is_evidence_and_fills_the_event(map_logs: MapLogs) -> None:
    log = {"user": {"name": "kim", "department": "sales"}}
    mapping = MappingCompiler(read_schema()).compile("t", 3002, find_sample([json.dumps(log)]))
    reason = mapping.evidence["user.ldap_person.department"]
    assert reason.startswith("description of user.ldap_person.department, 0.")
    assert EventMapping.from_json(mapping.to_json()).evidence == mapping.evidence
    event = json.loads(map_logs(3002, [log]).frame.item(0, "event"))
    assert event["user"]["ldap_person"]["department"] == "sales"
    assert judge_by_json_schema(event) == []


def test_names_and_values_count_more_than_descriptions(map_logs: MapLogs) -> None:
    log = {"sourceIPAddress": "192.0.2.1", "is_remote_flag": "perhaps", "LogonTypeLevel": "loud"}
    event = json.loads(map_logs(3002, [log]).frame.item(0, "event"))
    assert event["src_endpoint"]["ip"] == "192.0.2.1"
    assert event["unmapped"] == {"is_remote_flag": "perhaps", "LogonTypeLevel": "loud"}


def test_most_fields_that_people_mapped_are_found_right() -> None:
    rows = {(row["fields"], row["min_score"]): row for row in summarize(judge_fields())}
    assert float(str(rows["all", 0.5]["precision"])) > 0.55
