import json
from typing import Any

import polars as pl
import pytest

from ocsf_pipeline.events.compiler import compile_mappings
from ocsf_pipeline.events.execute import EventMapper, MissingDecisionError, map_events
from ocsf_pipeline.events.rows import EVENT_SCHEMA
from ocsf_pipeline.events.run import encode_whole_event
from ocsf_pipeline.schema.model import OcsfSchema
from ocsf_pipeline_tests.fakes.mapped_logs import (
    ARRIVAL,
    Judge,
    MapLogs,
    make_decisions,
    make_records,
)

LOGIN = {
    "userName": "alice", "sourceIPAddress": "192.0.2.7", "srcPort": "51000", "outcome": "success",
    "device": {"weather": "fine"}, "note_to_self": "buy milk",
}  # fmt: skip


def _events(frame: pl.DataFrame) -> list[dict[str, Any]]:
    return [json.loads(text) for text in frame.get_column("event")]


def test_login_becomes_whole_event(map_logs: MapLogs) -> None:
    mapped = map_logs(3002, [LOGIN], vendor="Acme", product="Door", severity="warning", host="gw1")
    (event,) = _events(mapped.frame)
    assert event["user"] == {"name": "alice"}
    assert event["src_endpoint"] == {"ip": "192.0.2.7", "port": 51000}
    assert (event["status_id"], event["status"]) == (1, "Success")
    assert (event["severity_id"], event["severity"]) == (2, "Low")
    assert (event["class_uid"], event["type_uid"], event["type_name"]) == (
        3002, 300201, "Authentication: Logon",
    )  # fmt: skip
    assert event["time"] == int(ARRIVAL.timestamp() * 1000)
    assert event["metadata"]["product"] == {"name": "Door", "vendor_name": "Acme"}
    assert event["metadata"]["uid"] == "t1-0"
    assert event["metadata"]["profiles"] == ["host"]
    assert event["device"]["hostname"] == "gw1"
    assert event["unmapped"] == {"device": {"weather": "fine"}, "note_to_self": "buy milk"}


def test_row_has_hot_columns(map_logs: MapLogs) -> None:
    frame = map_logs(3002, [LOGIN], product="Door").frame
    assert frame.schema == EVENT_SCHEMA
    row = frame.row(0, named=True)
    assert (row["user_name"], row["src_ip"], row["src_port"]) == ("alice", "192.0.2.7", 51000)
    assert (row["source"], row["status_id"], row["severity_id"]) == ("Door", 1, 1)
    assert row["class_name"] == "Authentication"
    assert row["mapping_version"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("srcPort", "70000"),
        ("srcPort", "http"),
        ("sourceIPAddress", "not an address"),
        ("sourceIPAddress", "1.2.3.4.5"),
        ("sourceMac", "no mac"),
        ("email", "nobody"),
    ],
)
def test_value_that_does_not_fit_is_kept_and_counted(
    field: str, value: str, map_logs: MapLogs, judge: Judge
) -> None:
    mapped = map_logs(3002, [{**LOGIN, field: value}, LOGIN])
    event = _events(mapped.frame)[0]
    assert event["unmapped"][field] == value
    assert sum(mapped.unmapped_counts.values()) == 1
    assert judge(event) == []


def test_field_that_the_sample_lacks_is_mapped(map_logs: MapLogs) -> None:
    mapped = map_logs(3002, [{"userName": "a"}, {"userName": "b", "srcIp": "192.0.2.1", "x": "y"}])
    first, second = _events(mapped.frame)
    assert "src_endpoint" not in first
    assert second["src_endpoint"] == {"ip": "192.0.2.1"}
    assert second["unmapped"] == {"x": "y"}


@pytest.mark.parametrize(
    "odd",
    [
        {"userName": {"first": "eve"}, "srcIp": "192.0.2.9"},
        {"userName": ["eve", {"deep": [1]}], "srcIp": "192.0.2.9"},
        {"userName": None, "srcIp": "192.0.2.9", "more": [[1], {"a": {"b": []}}]},
        {"srcIp": "192.0.2.9", "*": "star", "^.*$": "pattern", "in": {"*": 1}},
        '{"srcIp":"192.0.2.9","n":1e999}',
        '{"srcIp":"192.0.2.9","lone":"\\ud800"}',
        '{"srcIp":"192.0.2.9","srcIp":"192.0.2.9"}',
    ],
)
def test_odd_row_spoils_no_other(odd: object, map_logs: MapLogs, judge: Judge) -> None:
    normal = {"userName": "alice", "srcIp": "192.0.2.1"}
    mapped = map_logs(3002, [normal] * 150 + [odd] + [normal] * 150)
    events = _events(mapped.frame)
    assert [event["user"]["name"] for event in events].count("alice") == 300
    assert mapped.frame.get_column("event_uid").to_list() == [f"t1-{n}" for n in range(301)]
    assert judge(events[150]) == []
    assert "192.0.2.9" in json.dumps(events[150])


@pytest.mark.parametrize("text", ["", "[1]", "nonsense", '{"a":', '"x"', None, "{" * 5000])
def test_unreadable_fields_are_kept_as_text(text: str | None, map_logs: MapLogs) -> None:
    mapped = map_logs(3002, [{"userName": "alice"}, text, {"userName": "bob"}])
    events = _events(mapped.frame)
    assert [event["user"]["name"] for event in events] == ["alice", "unknown", "bob"]
    if text:
        assert events[1]["unmapped"]["fields"] == text


def test_no_value_breaks_the_json(map_logs: MapLogs, judge: Judge) -> None:
    nasty = 'x","y":null,{"z":null}\\ \u0000\u001f\u2028\U0001f600"'
    logs = [
        {"userName": nasty, 'odd"name': nasty, "a,b": None, nasty: "v"},
        {"userName": nasty, "plain": ":null"},
        {"userName": None, "plain": nasty},
    ]
    for log, event in zip(logs, _events(map_logs(3002, logs).frame), strict=True):
        assert judge(event) == []
        assert event["user"]["name"] == (log["userName"] or "unknown")
        for name, value in log.items():
            if name != "userName" and value is not None:
                assert event["unmapped"][name] == value


def test_first_of_a_list_is_mapped_and_the_list_kept(map_logs: MapLogs) -> None:
    (event,) = _events(map_logs(3002, [{"srcIp": ["192.0.2.1", "192.0.2.2"]}]).frame)
    assert event["src_endpoint"]["ip"] == "192.0.2.1"
    assert event["unmapped"]["srcIp"] == ["192.0.2.1", "192.0.2.2"]


def test_hashes_carry_their_algorithm(map_logs: MapLogs, judge: Judge) -> None:
    logs = [{"sha256": "e3b0", "md5": "d41d", "fileName": "a"}, {"md5": "d41d", "fileName": "b"}]
    first, second = _events(map_logs(1001, logs).frame)
    assert [item["algorithm"] for item in first["file"]["hashes"]] == ["MD5", "SHA-256"]
    assert second["file"]["hashes"] == [{"value": "d41d", "algorithm_id": 1, "algorithm": "MD5"}]
    assert judge(first) == judge(second) == []


def test_records_keep_their_order(schema: OcsfSchema) -> None:
    first = make_records([{"user": f"u{n}"} for n in range(50)], "t1")
    second = make_records([{"srcip": "192.0.2.1", "n": n} for n in range(50)], "t2")
    records = pl.concat([first, second]).sample(fraction=1, shuffle=True, seed=1)
    decisions = make_decisions(schema, {"t1": (3002, 1, "{}"), "t2": (4001, 6, "{}")})
    mapped = map_events(records, decisions, compile_mappings(schema, decisions), schema)
    assert mapped.frame.get_column("event_uid").equals(records.get_column("event_uid"))
    for event, uid in zip(_events(mapped.frame), records.get_column("event_uid"), strict=True):
        assert event["metadata"]["uid"] == uid


def test_no_records_give_no_events(schema: OcsfSchema) -> None:
    decisions = make_decisions(schema, {"t1": (3002, 1, "{}")})
    mapper = EventMapper(schema, decisions, compile_mappings(schema, decisions))
    assert mapper.map_records(make_records([{}]).clear()).frame.schema == EVENT_SCHEMA


def test_template_without_decision_is_refused(schema: OcsfSchema) -> None:
    decisions = make_decisions(schema, {"t1": (3002, 1, "{}")})
    mapper = EventMapper(schema, decisions, compile_mappings(schema, decisions))
    with pytest.raises(MissingDecisionError, match="'t9'"):
        mapper.map_records(make_records([{}], "t9"))


def test_whole_event_has_raw_data(map_logs: MapLogs, judge: Judge) -> None:
    frame = map_logs(3002, [LOGIN, {}], raw='say "hi"\n').frame
    for text in encode_whole_event(frame):
        event = json.loads(text)
        assert event["raw_data"] == 'say "hi"\n'
        assert judge(event) == []
