"""What shippers wrap around a log comes off; what a log says by itself stays."""

# ruff: noqa: E501 - logs stand on one line, as they came

from __future__ import annotations

import json

import pytest

from ocsf_pipeline_tests.fakes.log_objects import read_all, read_record

SSH = "Nov 22 10:00:01 web1 sshd[12]: Failed password for bob from 198.51.100.2 port 22 ssh2"
CEF = "Nov 22 10:00:01 gw CEF:0|V|P|1|7|n|3|src=1.2.3.4 msg=a b act=deny"
TRAIL = '{"eventTime":"2026-11-22T10:00:01Z","eventSource":"ec2.amazonaws.com","eventName":"RunInstances"}'
STAMP = "2026-11-22T10:00:02.5Z"


def beat(**more: object) -> dict[str, object]:
    return {
        "@timestamp": STAMP, "agent": {"type": "filebeat", "version": "8.1"}, "ecs": {"version": "8"},
        "log": {"offset": 1, "file": {"path": "/var/log/x"}}, "host": {"name": "web9"}, **more,
    }  # fmt: skip


WRAPPERS = {
    "vector": lambda raw: {"host": "v1", "message": raw, "source_type": "syslog", "timestamp": STAMP},
    "vector file": lambda raw: {"file": "/x", "source_type": "file", "message": raw + "\n"},
    "docker": lambda raw: {"log": raw + "\n", "stream": "stdout", "time": STAMP},
    "kubernetes": lambda raw: {"log": raw, "kubernetes": {"pod_name": "p"}, "time": STAMP},
    "fluent bit": lambda raw: {"date": 1795341602.5, "log": raw},
    "filebeat": lambda raw: beat(message=raw, input={"type": "log"}),
    "event.original": lambda raw: beat(message="short", event={"original": raw, "action": "x"}),
    "logstash": lambda raw: {"@timestamp": STAMP, "@version": "1", "message": raw, "host": "h"},
    "splunk hec": lambda raw: {"time": 1795341602.5, "sourcetype": "s", "host": "h", "event": raw},
    "cloudwatch": lambda raw: {"id": "3195310660696698337880", "timestamp": 1795341602500, "message": raw},
    "otlp": lambda raw: {"timeUnixNano": "1", "body": {"stringValue": raw}, "attributes": []},
    "otlp flat": lambda raw: {"body": raw, "severity_text": "INFO", "attributes": {}},
    "alone": lambda raw: {"message": raw},
    "raw alone": lambda raw: {"_raw": raw},
    "twice": lambda raw: {"log": json.dumps({"message": raw, "source_type": "file"}), "stream": "stdout"},
}  # fmt: skip


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")], ids=["compact", "spaced"])
@pytest.mark.parametrize("raw", [SSH, CEF, TRAIL], ids=["syslog", "cef", "json"])
@pytest.mark.parametrize("shipper", WRAPPERS)
def test_an_envelope_changes_nothing_of_what_the_log_says(
    shipper: str, raw: str, separators: tuple[str, str]
) -> None:
    wrapped = json.dumps(WRAPPERS[shipper](raw), separators=separators)
    bare, opened = read_record(raw), read_record(wrapped)
    for column in ("fields", "format", "template_id", "vendor", "product", "message", "time"):
        assert opened[column] == bare[column], column
    if not (shipper == "splunk hec" and raw == TRAIL):
        assert opened["raw"] == raw


def test_an_object_as_payload_keeps_the_line_that_came() -> None:
    line = json.dumps(
        {"time": 1795341602, "host": "h", "sourcetype": "s", "event": json.loads(TRAIL)}
    )
    opened, bare = read_record(line), read_record(TRAIL)
    assert opened["raw"] == line
    assert (opened["fields"], opened["template_id"]) == (bare["fields"], bare["template_id"])


def test_time_and_host_of_the_envelope_stand_in_for_those_of_the_log() -> None:
    line = json.dumps(
        {"message": "disk is full", "source_type": "x", "host": "v1", "timestamp": STAMP}
    )
    record = read_record(line)
    assert (record["host"], record["time_is_observed"]) == ("v1", True)
    assert str(record["observed_time"]) == "2026-11-22 10:00:02.500000+00:00"
    assert record["time"] == record["observed_time"]
    assert read_record(json.dumps(beat(message="disk is full")))["host"] == "web9"


def test_what_only_looks_like_json_inside_an_envelope_is_text() -> None:
    record = read_record(json.dumps({"message": '{"a": 1, cut', "source_type": "file"}))
    assert (record["format"], record["raw"]) == ("text", '{"a": 1, cut')


@pytest.mark.parametrize(
    "log",
    [
        {"message": "An account was logged on.", "winlog": {"event_id": 4624}, **beat()},
        {"event": {"action": "logged-in", "category": "authentication"}, "message": "x", **beat()},
        {"message": "hello", "level": "info", "logger": "app"},
        {"log": "x", "level": "info"},
        {"event": "login", "user": "bob"},
        {"body": "x", "title": "y"},
        {"message": "", "source_type": "file", "action": "a_b"},
        {"message": {"text": "an object"}, "source_type": "file", "action": "a_b"},
        {"message": None, "source_type": "file", "action": "a_b"},
    ],
)
def test_a_log_that_says_more_than_its_message_stays_whole(log: dict[str, object]) -> None:
    record = read_record(json.dumps(log))
    assert json.loads(str(record["fields"])) == log


def test_envelopes_and_bare_lines_mix_in_one_object() -> None:
    lines = [
        SSH,
        json.dumps(WRAPPERS["vector"](CEF)),
        TRAIL,
        json.dumps(WRAPPERS["docker"](SSH)),
        '{"cut":',
    ]
    result = read_all("\n".join(lines).encode())
    assert result.raws == [SSH, CEF, TRAIL, SSH]
    assert result.reasons == ["invalid_json"]


def test_layers_are_opened_to_a_depth_only() -> None:
    line = SSH
    for _ in range(10):
        line = json.dumps({"message": line, "source_type": "x"})
    assert read_record(line)["format"] == "json"
