"""Queries: what a log says, whatever its nesting, wrapping and naming."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocsf_pipeline.classify.kinds import KINDS, find_kinds
from ocsf_pipeline.classify.leaves import read_leaves
from ocsf_pipeline.classify.queries import LogQuery, build_query, strip_values
from ocsf_pipeline.classify.words import spell_key, split_words


def ask(document: object, raw: str = "") -> LogQuery:
    return build_query(json.dumps(document), raw, "json")


def test_the_event_name_comes_first() -> None:
    query = ask({"user": "kim", "title": "Weekly report", "eventName": "CreateUser"})
    assert query.head == "event name: create user"
    assert query.names.startswith("event name: create user")
    assert query.text.startswith("event name: create user")


def test_event_numbers_are_words_of_their_own() -> None:
    assert "eventid4625" in ask({"EventID": 4625}).head


def test_identifiers_say_nothing() -> None:
    query = ask({"event_id": "bcf6f457-76bc-4e8c-8a7b-8a2451481675", "state": "closed"})
    assert "bcf6f457" not in query.text
    assert "closed" in query.text


def test_a_bare_key_says_whose_it_is() -> None:
    keys = ask({"actor": {"type": "User"}, "target": {"type": "Group"}}).keys.split(" ; ")
    assert keys == ["actor type", "target type"]


def test_a_value_that_reads_like_an_event_is_a_name() -> None:
    assert "registry value delete" in ask({"TypeComputedMap": "RegistryValueDelete"}).names


def test_labels_beside_their_values_name_the_field() -> None:
    query = ask({"cs1": "Deny all", "cs1Label": "Rule Name"})
    assert query.keys == "rule name"


def test_lists_of_names_and_values_are_fields() -> None:
    query = ask({"ExtendedProperties": [{"Name": "LogonType", "Value": "remote"}]})
    assert "logon type" in query.keys
    assert "remote" in query.text


def test_documents_inside_strings_are_opened() -> None:
    inner = json.dumps({"eventType": "group.member.add"})
    assert "group member add" in ask({"payload": inner}).head
    xml = "<Event><System><EventID>4720</EventID></System><EventData>" \
        "<Data Name='TargetUserName'>kim</Data></EventData></Event>"  # fmt: skip
    query = ask({"RawXml": xml})
    assert "eventid4720" in query.head
    assert "target user name" in query.keys


def test_shippers_are_not_part_of_what_is_said() -> None:
    wrapped = {
        "ecs": {"version": "8.0"},
        "agent": {"type": "filebeat", "name": "web1"},
        "input": {"type": "log"},
        "event": {"action": "logon-failed"},
    }
    query = ask(wrapped)
    assert "filebeat" not in query.text
    assert "logon failed" in query.head


def test_pairs_inside_messages_name_fields() -> None:
    query = ask({"message": "action=deny srcip=192.0.2.1 dstport=22"})
    assert {"action", "source ip", "destination port"} <= set(query.keys.split(" ; "))


def test_message_codes_are_names() -> None:
    assert "sec login" in ask({"message": "%SEC_LOGIN-5-LOGIN_SUCCESS: Login Success"}).names


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("srcip", "source ip"),
        ("src_ip", "source ip"),
        ("SourceIPAddress", "source ip address"),
        ("dstport", "destination port"),
        ("UserLoginFailed", "user login failed"),
        ("zyxxy", "zyxxy"),
    ],
)
def test_keys_are_spelt_out(key: str, words: str) -> None:
    assert " ".join(spell_key(key)) == words


def test_compounds_are_split() -> None:
    assert split_words("HTTPRequestSent_v2.userName") == (
        "http", "request", "sent", "v2", "user", "name",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("192.0.2.1", "ipaddress"),
        ("2001:db8:0:1:1::5", "ipaddress"),
        ("00:1b:44:11:3a:b7", "macaddress"),
        ("https://example.com/x", "weburl"),
        ("kim@example.com", "emailaddress"),
        ("d41d8cd98f00b204e9800998ecf8427e", "filehash"),
        (r"C:\Windows\System32\cmd.exe", "windowspath"),
        (r"HKLM\Software\Run", "registrypath"),
        ("CVE-2024-1234", "cve"),
        ("S-1-5-21-1-2-3", "windowssid"),
    ],
)
def test_kinds_of_values(value: str, kind: str) -> None:
    assert kind in find_kinds(value)


def test_values_are_taken_out_of_messages() -> None:
    said = strip_values("Failed password for root from 192.0.2.1 port 50514 at 0x1f")
    assert said == "Failed password for root from port at"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=30,
)


@given(st.dictionaries(st.text(max_size=12), JSON, max_size=6))
def test_any_document_has_a_bounded_query(document: dict[str, object]) -> None:
    query = ask(document, raw="x")
    assert len(query.text) < 1_000
    assert ask(document, raw="x") == query


def test_deep_and_wide_documents_are_bounded() -> None:
    deep: object = "end"
    for _ in range(200):
        deep = {"a": deep}
    document = {"deep": deep, "wide": {str(number): number for number in range(5000)}}
    assert len(read_leaves(json.dumps(document), "")) <= 400


@pytest.mark.parametrize("fields", ["", "not json", "[1]", "{}", '"text"'])
def test_a_log_without_fields_is_its_message(fields: str) -> None:
    query = build_query(fields, "Accepted password for kim", "text")
    assert query.message == "Accepted password for kim"


@given(text=st.text(max_size=60) | st.text("aAkKTGE0159./:\\\\-@ <>\"'", max_size=60))
def test_kinds_are_found_as_if_every_pattern_were_tried(text: str) -> None:
    tried = [kind for kind, _needed, pattern in KINDS if pattern.search(text)]
    assert [kind for kind in find_kinds(text) if kind != "twoaddresses"] == tried
