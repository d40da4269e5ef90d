"""Names that vendors and standards document, and values that tell what a name means."""

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest
import yaml

from ocsf_pipeline.events.compiler import MappingCompiler
from ocsf_pipeline.events.samples import find_sample
from ocsf_pipeline_tests.fakes.mapped_logs import MapLogs, judge_by_json_schema, read_schema

_COMPILER = MappingCompiler(read_schema())


def _list_names() -> Iterator[tuple[int, str, str]]:
    text = (files("ocsf_pipeline_tests.events") / "field_names.yaml").read_text("utf-8")
    for lines in yaml.safe_load(text).values():
        for place, names in lines.items():
            class_uid, _bar, target = place.partition(" | ")
            yield from ((int(class_uid), target, name) for name in names.split())


def _make_value(target: str) -> str:
    ends: dict[str, str] = {
        "ip": "192.0.2.1", "mac": "aa:bb:cc:dd:ee:ff", "original_event_uid":
        "6f9619ff-8b86-d011-b42d-00cf4fc964ff", "path": "C:\\x\\y.exe", "url_string": "a.example/x",
        "email_addr": "a@b.example", "hashes[md5].value": "d41d8cd98f00b204e9800998ecf8427e",
        "hashes[sha1].value": "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "hashes[sha256].value": f"{7:064x}a"[1:], "time": "1772447400", "direction": "inbound",
    }  # fmt: skip
    return next((value for end, value in ends.items() if target.endswith(end)), "17")


@pytest.mark.parametrize(("class_uid", "target", "name"), list(_list_names()))
def test_documented_names_are_known(class_uid: int, target: str, name: str) -> None:
    path = name.split(".")
    log: Any = _make_value(target)
    if target.startswith(("email.from", "email.to", "email.cc")):
        log = "a@b.example"
    for part in reversed(path):
        log = {part: log}
    mapping = _COMPILER.compile("t", class_uid, find_sample([json.dumps(log)]), "json")
    given = {rule.target.removesuffix("_id") for rule in mapping.rules}
    assert target.removesuffix("_id") in given, f"{name}: {sorted(given)}"


@pytest.mark.parametrize(
    ("class_uid", "log", "expected"),
    [
        (4002, {"status": "404"}, {"http_response": {"code": 404}}),
        (4001, {"status": "failure"}, {"status": "Failure"}),
        (4002, {"uri": "/a/b"}, {"http_request": {"url": {"path": "/a/b"}}}),
        (6003, {"action": "repo.create"}, {"api": {"operation": "repo.create"}}),
        (6003, {"action": "deny"}, {"action": "Denied"}),
        (4001, {"protocol": "17"}, {"connection_info": {"protocol_name": "udp"}}),
        (4001, {"sessionid": "7"}, {"connection_info": {"uid": "7"}}),
        (3002, {"sessionid": "7"}, {"actor": {"session": {"uid": "7"}}}),
    ],
)
def test_class_and_value_tell_what_a_name_means(
    class_uid: int, log: dict[str, Any], expected: dict[str, Any], map_logs: MapLogs
) -> None:
    event = json.loads(map_logs(class_uid, [log]).frame.item(0, "event"))
    assert judge_by_json_schema(event) == []
    for name, value in expected.items():
        assert _is_within(value, event.get(name)), event


def _is_within(expected: Any, found: Any) -> bool:
    if isinstance(expected, dict):
        return isinstance(found, dict) and all(
            _is_within(value, found.get(name)) for name, value in expected.items()
        )
    return bool(expected == found)


def test_pairs_inside_a_text_are_read_by_their_names(map_logs: MapLogs) -> None:
    text = "Tunnel ended. Username = {}, Client IP: 192.0.2.{}, Bytes Sent: {}, Reason: Idle {}."
    logs = [{"message": text.format(name, n, n * 10, name)} for n, name in enumerate(("kim", "al"))]
    events = [json.loads(item) for item in map_logs(4001, logs, format="syslog").frame["event"]]
    assert [event["actor"]["user"]["name"] for event in events] == ["kim", "al"]
    assert [event["src_endpoint"]["ip"] for event in events] == ["192.0.2.0", "192.0.2.1"]
    assert events[1]["traffic"]["bytes_out"] == 10
    assert events[1]["status_detail"] == "Idle al."


def test_protocol_and_direction_of_a_sentence(map_logs: MapLogs) -> None:
    log = {"message": "Built outbound UDP flow 7 for 192.0.2.1:53 -> 192.0.2.2:5353"}
    event = json.loads(map_logs(4001, [log], format="syslog").frame.item(0, "event"))
    assert event["connection_info"]["protocol_num"] == 17
    assert event["connection_info"]["direction"] == "Outbound"


@pytest.mark.parametrize(
    ("written", "is_kept"),
    [
        ("2026-03-02T10:00:00Z", False), ("2026-03-02 10:00:00.123+0200", False),
        ("1772447400", False), ("2026-03-02T10:00:00", True), ("Mar  2 10:00:00", True),
        ("02/Mar/2026:10:00:00 +0000", True),
    ],
)  # fmt: skip
def test_the_original_time_is_kept_where_it_says_more(
    written: str, is_kept: bool, map_logs: MapLogs
) -> None:
    event = json.loads(map_logs(6003, [{"eventTime": written}]).frame.item(0, "event"))
    unmapped = event.get("unmapped", {}).get("eventTime")
    kept = (event["metadata"].get("original_time"), unmapped)
    assert kept == ((written, None) if is_kept else (None, written))


def test_a_device_without_a_name_has_none(map_logs: MapLogs) -> None:
    log = {"message": "disk is full"}
    for host, expected in (("localhost", None), ("fw1", "fw1")):
        event = json.loads(map_logs(6003, [log], host=host).frame.item(0, "event"))
        assert event.get("device", {}).get("hostname") == expected


def test_custom_fields_of_cef_are_called_by_their_labels(map_logs: MapLogs) -> None:
    log = {"cs1Label": "Rule Name", "cs1": "block-all", "cn1Label": "bytes in", "cn1": "17"}
    event = json.loads(map_logs(4001, [log], format="cef").frame.item(0, "event"))
    assert event["firewall_rule"]["name"] == "block-all"
    assert event["traffic"]["bytes_in"] == 17


def test_the_remote_end_is_the_other_one_where_the_local_end_is_known(map_logs: MapLogs) -> None:
    log = {"LocalIP": "192.0.2.1", "LocalPort": "5000", "RemoteIP": "198.51.100.7"}
    event = json.loads(map_logs(4001, [log]).frame.item(0, "event"))
    assert event["src_endpoint"] == {"ip": "192.0.2.1", "port": 5000}
    assert event["dst_endpoint"]["ip"] == "198.51.100.7"
    alone = json.loads(map_logs(4001, [{"RemoteIP": "198.51.100.7"}]).frame.item(0, "event"))
    assert alone["src_endpoint"]["ip"] == "198.51.100.7"


def test_what_is_no_attribute_of_the_event(map_logs: MapLogs) -> None:
    log = {"program": "kmd", "pid": "7", "syslog_host": "fw1", "sd_id": "a@b.1.2",
           "process_entity_id": "d41d8cd98f00b204e9800998ecf8427e"}  # fmt: skip
    event = json.loads(map_logs(2004, [log], format="syslog").frame.item(0, "event"))
    assert set(event["unmapped"]) >= {"program", "pid", "sd_id"}
    assert "file" not in event.get("evidences", [{}])[0]


def test_address_port_and_interface_in_one_field(map_logs: MapLogs) -> None:
    event = json.loads(map_logs(4001, [{"src": "192.0.2.1:443:X0:web"}]).frame.item(0, "event"))
    assert event["src_endpoint"] == {"ip": "192.0.2.1", "port": 443}
