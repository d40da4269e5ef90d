"""What a mapping is made from: values, sentences, what stands around a field, packs."""

import json
from typing import Any

import pytest

from ocsf_pipeline.adapters.pack_files import read_packs
from ocsf_pipeline.events.compiler import MappingCompiler
from ocsf_pipeline.events.execute import EventMapper
from ocsf_pipeline.events.hint_check import find_hint_faults
from ocsf_pipeline.events.hints import (
    choose_product,
    hints_from_json,
    hints_to_json,
    make_hints,
    read_origin,
)
from ocsf_pipeline.events.kinds import recognise_value, split_port
from ocsf_pipeline.events.phrases import PhraseError, parse_phrase
from ocsf_pipeline.events.schema_view import view_schema
from ocsf_pipeline.events.sentences import match_phrase
from ocsf_pipeline.knowledge.packs import SourcePack, parse_pack
from ocsf_pipeline_tests.fakes.mapped_logs import (
    MapLogs,
    judge_by_json_schema,
    make_decisions,
    make_records,
    read_schema,
)

PACK = """
product: acme_door
vendor: Acme
name: Acme Door
family: identity
formats: [json]
about: It is made up.
events:
  - {name: login, class_uid: 3002, activity_id: 1, meaning: A login., examples: ['{"e": 1}']}
mapping:
  recognised_by: [[door_no], ['"ACME says"']]
  fields: {who: user.name + user.full_name, sev: severity, userName: ""}
  texts: [{phrase: "let {user.name} in at {src_endpoint.ip}", set: {status: Success}}]
  words: {severity: {p1: Critical}}
  set: {metadata.product.version: '7'}
"""


def _map_with(pack: str, class_uid: int, *logs: dict[str, Any], **columns: object) -> Any:
    schema = read_schema()
    read = parse_pack("acme_door", pack)
    compiler = MappingCompiler(schema, make_hints([read]))
    records = make_records(logs, **columns)
    decisions = make_decisions(schema, {"t1": (class_uid, 1, records.item(0, "fields"))})
    mappings = compiler.compile_decisions(decisions)
    mapped = EventMapper(schema, decisions, mappings, compiler=compiler).map_records(records)
    events = [json.loads(text) for text in mapped.frame["event"]]
    assert [judge_by_json_schema(event) for event in events] == [[]] * len(logs)
    return events, mappings["t1"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("192.0.2.1", "ip"), ("::1", "ip"), ("192.0.2.1:443", "ip_port"), ("[::1]:53", "ip_port"),
        ("192.0.2.1:70000", "text"), ("aa:bb:cc:dd:ee:ff", "mac"), ("a@b.example", "email"),
        ("https://b.example/x?y", "url"), ("d41d8cd98f00b204e9800998ecf8427e", "md5"),
        ("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "sha256"),
        ("12345678901234567890123456789012", "text"), ("ACME\\alice", "account"),
        ("C:\\Windows\\x.exe", "windows_path"), ("/usr/bin/sh", "unix_path"), ("", "empty"),
        ("2026-03-02T10:00:00Z", "time"), ("1772447400", "time"), ("17", "integer"),
    ],
)  # fmt: skip
def test_values_are_recognised(text: str, kind: str) -> None:
    assert recognise_value(text) == kind


def test_ports_are_split_off() -> None:
    assert split_port("192.0.2.1/53") == ("192.0.2.1", "53")
    assert split_port("2001:db8::1:443") is None


@pytest.mark.parametrize(
    ("class_uid", "log", "expected"),
    [
        (4001, {"src": "192.0.2.1:443"}, {"src_endpoint": {"ip": "192.0.2.1", "port": 443}}),
        (4001, {"peer_x": "192.0.2.1"}, {"src_endpoint": {"ip": "192.0.2.1"}}),
        (4001, {"target": {"ip": "192.0.2.1"}}, {"dst_endpoint": {"ip": "192.0.2.1"}}),
        (4001, {"proto": "tcp"}, {"connection_info": {"protocol_num": 6, "protocol_name": "tcp"}}),
        (3002, {"user": "ACME\\al"}, {"user": {"name": "al", "domain": "ACME"}}),
        (1007, {"exe": "/bin/sh"}, {"process": {"name": "sh", "path": "/bin/sh"}}),
        (1007, {"principal": {"process": {"pid": "7"}}}, {"actor": {"process": {"pid": 7}}}),
        (2004, {"srcip": "192.0.2.1"}, {"evidences": [{"src_endpoint": {"ip": "192.0.2.1"}}]}),
        (4009, {"sender_x": "a@b.example"}, {"email": {"from": "a@b.example"}}),
        (6003, {"awsRegion": "eu-1"}, {"cloud": {"region": "eu-1", "provider": "AWS"}}),
        (1001, {"sample_hash": "d41d8cd98f00b204e9800998ecf8427e"},
         {"file": {"hashes": [{"algorithm_id": 1}]}}),
    ],
)  # fmt: skip
def test_values_and_what_is_around_them_speak(
    class_uid: int, log: dict[str, Any], expected: dict[str, Any], map_logs: MapLogs
) -> None:
    event = json.loads(map_logs(class_uid, [log]).frame.item(0, "event"))
    assert judge_by_json_schema(event) == []
    assert _holds(event, expected), event


def test_what_findings_keep_as_evidence_fills_the_hot_columns(map_logs: MapLogs) -> None:
    log = {"srcip": "192.0.2.1", "username": "kim", "filename": "a.exe", "cmdline": "a.exe -v"}
    row = map_logs(2004, [log]).frame.row(0, named=True)
    assert (row["src_ip"], row["user_name"], row["file_name"]) == ("192.0.2.1", "kim", "a.exe")
    assert row["process_cmd_line"] == "a.exe -v"


def _holds(event: Any, expected: Any) -> bool:
    if isinstance(expected, dict):
        return all(name in event and _holds(event[name], item) for name, item in expected.items())
    if isinstance(expected, list):
        return all(_holds(*pair) for pair in zip(event, expected, strict=True))
    return bool(event == expected)


def test_sentences_give_values(map_logs: MapLogs) -> None:
    text = "Failed password for invalid user {} from 192.0.2.{} port 50514 ssh2"
    logs = [{"message": text.format(name, n)} for n, name in enumerate(("kim", "o'neil", "\\d"))]
    events = [json.loads(item) for item in map_logs(3002, logs, format="syslog").frame["event"]]
    assert [event["user"]["name"] for event in events] == ["kim", "o'neil", "\\d"]
    assert events[1]["src_endpoint"] == {"ip": "192.0.2.1", "port": 50514}
    assert events[0]["status"] == "Failure"


def test_a_repeated_message_is_kept_once(map_logs: MapLogs) -> None:
    log = {"message": "something happened"}
    frame = map_logs(6003, [log, {"message": "other"}], message="something happened").frame
    first, second = (json.loads(text) for text in frame["event"])
    assert first["message"] == "something happened"
    assert "unmapped" not in first
    assert second["unmapped"] == {"message": "other"}


def test_lists_fill_arrays(map_logs: MapLogs) -> None:
    log = {"recipients": ["a@b.example", "c@d.example"]}
    event = json.loads(map_logs(4009, [log, {"recipients": ["no mail"]}]).frame.item(0, "event"))
    assert event["email"]["to"] == log["recipients"]
    assert "unmapped" not in event


def test_pack_hints_are_used_where_the_product_is_recognised() -> None:
    log = {"door_no": 1, "who": "kim", "sev": "p1", "userName": "x"}
    (event,), mapping = _map_with(PACK, 3002, log)
    assert event["user"] == {"name": "kim", "full_name": "kim"}
    assert event["severity"] == "Critical"
    assert event["metadata"]["product"] == {
        "name": "Acme Door", "vendor_name": "Acme", "version": "7",
    }  # fmt: skip
    assert event["unmapped"]["userName"] == "x"
    assert mapping.product == "acme_door"
    assert mapping.evidence["user.name"] == "pack acme_door: who"
    (other,), _mapping = _map_with(PACK, 3002, {"who": "kim", "userName": "x"})
    assert other["user"] == {"name": "x"}
    assert other["metadata"]["product"] == {"name": "unknown"}


def test_a_log_that_names_its_product_keeps_the_name() -> None:
    (event,), _mapping = _map_with(PACK, 3002, {"door_no": 1}, product="Door 9", vendor="Ac")
    assert event["metadata"]["product"]["name"] == "Door 9"
    assert event["metadata"]["product"]["vendor_name"] == "Ac"


def test_pack_sentences_are_used() -> None:
    log = {"message": "ACME says let kim in at 192.0.2.9"}
    (event,), _mapping = _map_with(PACK, 3002, log)
    assert (event["user"]["name"], event["status"]) == ("kim", "Success")


def test_nearest_examples_tell_the_product() -> None:
    hints = make_hints([parse_pack("acme_door", PACK.partition("mapping:")[0])])

    def choose(*weights: float) -> object:
        evidence = [
            {"kind": "example", "text": f"acme_door{name}: Authentication, Logon", "weight": weight}
            for name, weight in zip(("", " login: 7"), weights, strict=True)
        ] + [{"kind": "example", "text": "other: Authentication", "weight": 0.5}]
        return choose_product(hints, read_origin({"evidence": json.dumps(evidence)}), [], [])

    assert choose(0.85, 0.8)
    assert not choose(0.4, 0.3)
    assert choose_product(hints, read_origin({}), [], []) is None


def test_hints_survive_json() -> None:
    hints = make_hints([parse_pack("acme_door", PACK)])
    assert hints_from_json(hints_to_json(hints)) == hints


def test_our_hints_fit_the_schema() -> None:
    packs = read_packs()
    view = view_schema(read_schema())
    faults = [fault for pack in packs.values() for fault in find_hint_faults(view, pack, packs)]
    assert faults == []
    assert sum(pack.has_mapping for pack in packs.values()) > 20


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ("who: user.name", "who: user.nme", "no class of OCSF 1.8.0 has user.nme"),
        ("p1: Critical", "p1: Hot", "'Hot', which no enum has"),
        ("at {src_endpoint.ip}", "at {src_endpoint.ipp}", "has src_endpoint.ipp"),
        ("let {user.name} in at {src_endpoint.ip}", "nothing", "takes no value"),
        ("mapping:", "mapping:\n  like: nobody", "which is no pack"),
        ("{metadata.product.version: '7'}", "{class_uid: '7'}", "filled by the pipeline"),
    ],
)
def test_faults_of_hints_are_told(before: str, after: str, fault: str) -> None:
    pack: SourcePack = parse_pack("acme_door", PACK.replace(before, after))
    (found,) = find_hint_faults(view_schema(read_schema()), pack, {})
    assert found.startswith("acme_door: mapping")
    assert fault in found


def test_phrases_take_what_their_gaps_say() -> None:
    phrase = parse_phrase("^from {src_endpoint.ip} to '{user.name}' because {status_detail}$")
    assert match_phrase(phrase, 'FROM  ::1 to "kim" because it is late') == [
        "::1", "kim", "it is late",
    ]  # fmt: skip
    assert match_phrase(phrase, "from nowhere to 'kim' because") is None
    with pytest.raises(PhraseError, match="takes no value"):
        parse_phrase("nothing {*} here")


def test_a_phrase_of_columns_counts_commas() -> None:
    phrase = parse_phrase("{,},TRAFFIC,{src_endpoint.ip},{firewall_rule.name},{user.name},{action}")
    text = "1,TRAFFIC,192.0.2.1,Allow web out,,deny,x"
    assert match_phrase(phrase, text) == ["192.0.2.1", "Allow web out", "", "deny"]
    assert match_phrase(phrase, "1,THREAT,192.0.2.1,Allow web out,,deny,x") is None


def test_bytes_of_both_directions_add_up(map_logs: MapLogs) -> None:
    logs: list[dict[str, Any]] = [
        {"bytes_in": 5, "bytes_out": 7, "pktsin": 1, "pktsout": 2}, {"bytes_in": 5},
    ]  # fmt: skip
    frame = map_logs(4001, logs, sample=logs[0]).frame
    first, second = (json.loads(text)["traffic"] for text in frame["event"])
    assert first == {
        "bytes": 12, "bytes_in": 5, "bytes_out": 7, "packets": 3, "packets_in": 1, "packets_out": 2,
    }  # fmt: skip
    assert second == {"bytes_in": 5}
    given = json.loads(map_logs(4001, [{**logs[0], "bytes": 99}]).frame.item(0, "event"))
    assert given["traffic"]["bytes"] == 99


def test_further_records_become_further_elements(map_logs: MapLogs) -> None:
    answers = [{"rdata": f"192.0.2.{n}", "ttl": n} for n in range(6)]
    logs = [{"answers": answers[:3]}, {"answers": answers}, {"answers": answers[:1]}]
    frame = map_logs(4003, logs).frame
    events = [json.loads(text) for text in frame["event"]]
    assert [len(event["answers"]) for event in events] == [3, 4, 1]
    assert [item["rdata"] for item in events[1]["answers"]] == [f"192.0.2.{n}" for n in range(4)]
    assert events[1]["unmapped"]["answers"][5]["rdata"] == "192.0.2.5"
    assert [judge_by_json_schema(event) for event in events] == [[], [], []]
