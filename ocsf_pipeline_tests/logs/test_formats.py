"""Fields of every text format, as they stand in the log and whatever it holds."""

# ruff: noqa: E501 - logs stand on one line, as they came

from __future__ import annotations

import json
import time
from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ocsf_pipeline.logs.single import normalize_texts
from ocsf_pipeline_tests.fakes.log_objects import read_fields, read_record

CASES: list[tuple[str, str, dict[str, object]]] = [
    (
        "<134>Nov 22 10:00:01 fw1 app[7]: Built connection for outside:203.0.113.1/443",
        "syslog",
        {"program": "app", "pid": "7", "syslog_host": "fw1"},
    ),
    (
        "Nov 22 10:00:01 h sshd[12]: Failed password for invalid user bob from 198.51.100.2 port 22 ssh2",
        "syslog",
        {"user": "bob", "src_ip": "198.51.100.2", "src_port": "22", "program": "sshd"},
    ),
    ("Nov 22 10:00:01 localhost sshd(pam_unix)[15794]: hi", "syslog", {"program": "sshd", "pid": "15794"}),
    ("2026-11-22T10:00:01.003+01:00 web1 nginx: started", "syslog", {"syslog_host": "web1", "program": "nginx"}),
    ("2026-11-22T10:00:01Z sshd[1]: no host here", "syslog", {"program": "sshd", "pid": "1"}),
    (
        '<165>1 2026-11-22T10:00:01.003Z m.example.com evnt 123 ID47 [ex@32473 iut="3" src="A\\"p\\]p"][b x="y"] An event',
        "syslog",
        {"message": "An event", "msgid": "ID47", "sd_id": "ex@32473", "iut": "3", "src": 'A"p]p', "x": "y"},
    ),
    ("<34>1 2026-11-22T10:00:01Z h app - - - plain", "syslog", {"message": "plain", "program": "app"}),
    ('<34>1 2026-11-22T10:00:01Z h app - - [a@1 k="v"]', "kv", {"k": "v", "program": "app"}),
    (
        '<134>1 2026-11-22T08:14:31Z gw CheckPoint 21120 - [action:"Accept"; src:"10.0.0.1"; rule:"a b"]',
        "kv",
        {"action": "Accept", "src": "10.0.0.1", "rule": "a b"},
    ),
    (
        'date=2026-11-22 time=10:00:01 devname="fg 1" msg="a \\"q\\" b" url="x?a=b&c=d" action=accept',
        "kv",
        {"devname": "fg 1", "msg": 'a "q" b', "url": "x?a=b&c=d", "action": "accept", "time": "10:00:01"},
    ),
    ("a=1,b=two words,c=3", "kv", {"a": "1", "c": "3"}),
    ("a='single quoted' b=2 c=\"\" d=x=y", "kv", {"a": "single quoted", "b": "2", "c": "", "d": "x=y"}),
    (
        "[2026-11-22T10:00:01.407Z] I santad: action=EXEC|decision=DENY|path=/a b/c|args=./x -v",
        "kv",
        {"action": "EXEC", "decision": "DENY", "path": "/a b/c", "args": "./x -v"},
    ),
    (
        "type=USER_LOGIN msg=audit(1763805601.123:45): pid=1 uid=0 ses=1 "
        "msg='op=login acct=\"root\" exe=\"/usr/sbin/sshd\" hostname=? addr=192.0.2.1 res=failed'",
        "kv",
        {"audit_time": "1763805601.123", "audit_id": "45", "type": "USER_LOGIN", "pid": "1",
         "op": "login", "acct": "root", "res": "failed"},
    ),
    ("a=1 b=2 a=3 c=4 a=5", "kv", {"a": "1", "b": "2", "a_2": "3", "c": "4", "a_3": "5"}),
    (
        "Nov 22 10:00:01 gw CEF:0|Palo\\|Alto|PAN-OS|10.1|end|TRAFFIC x|3|src=10.2.2.2 msg=hello there \\= x "
        "fname=C:\\\\a b.txt cs1= act=allow",
        "cef",
        {"deviceVendor": "Palo|Alto", "deviceProduct": "PAN-OS", "deviceEventClassId": "end",
         "name": "TRAFFIC x", "cefSeverity": "3", "msg": "hello there = x", "fname": "C:\\a b.txt",
         "act": "allow"},
    ),
    ('CEF:0|V|P|1|7|n|3|msg=say "hi" now dst=1.2.3.4', "cef", {"msg": 'say "hi" now', "dst": "1.2.3.4"}),
    ("CEF:0|V|P|1|7|n|3|", "cef", {"deviceVendor": "V", "cefSeverity": "3"}),
    ("CEF: 1|V|P|1|7|n|High|a=b=c d=e", "cef", {"a": "b=c", "d": "e"}),
    ("LEEF:2.0|Lancope|SW|1.0|41|^|src=192.0.2.0^dst=172.50.123.1^msg=hello there", "leef",
     {"src": "192.0.2.0", "dst": "172.50.123.1", "msg": "hello there", "deviceEventClassId": "41"}),
    ("LEEF:2.0|A|B|1.0|41|x7C|src=192.0.2.0|msg=a b", "leef", {"src": "192.0.2.0", "msg": "a b"}),
    ("LEEF:1.0|M|E|4.0 SP1|15345|src=192.0.2.0\tmsg=a b=c\tsev=5", "leef", {"msg": "a b=c", "sev": "5"}),
    ("LEEF:1.0|M|E|4.0|15345|src=192.0.2.0 msg=tabs became spaces sev=5", "leef",
     {"src": "192.0.2.0", "msg": "tabs became spaces", "sev": "5"}),
    (
        '<Event xmlns="http://x"><System><Provider Name="MSA" Guid="{5}"/><EventID>4624</EventID>'
        '<Computer>DC1</Computer></System><EventData><Data Name="User">bob &amp; "co"</Data></EventData></Event>',
        "xml",
        {"Provider": "MSA", "EventID": "4624", "Computer": "DC1", "User": 'bob & "co"'},
    ),
    (
        '<Event><System><EventID Qualifiers="0">1</EventID></System><EventData><Data Name="Old Value">a b</Data>'
        "<Data Name='Unused'></Data><Data Name=\"None Left\"/><Data>bare</Data></EventData></Event>",
        "xml",
        {"EventID": "1", "Old Value": "a b", "Unused": "", "None Left": "", "Data": "bare", "Name": None},
    ),
    (
        '192.0.2.1 - bob [22/Nov/2026:10:00:01 +0000] "GET /a?b=1&c=2&d=3 HTTP/1.1" 200 123 "-" "Mozilla \\"x\\""',
        "access",
        {"client_ip": "192.0.2.1", "user": "bob", "http_method": "GET", "url": "/a?b=1&c=2&d=3",
         "status_code": "200", "bytes": "123"},
    ),
    ('Nov 22 10:00:01 h app: {"a": 1, "b": "x"}', "json", {"a": 1, "b": "x"}),
    ('Nov 22 10:00:01 h app: 2026 [INFO] audit {"action": "login_ok"}', "json", {"action": "login_ok"}),
    ("just some prose here, nothing else", "text", {"message": "just some prose here, nothing else"}),
]  # fmt: skip


@pytest.mark.parametrize(("log", "format_name", "expected"), CASES)
def test_the_fields_of_each_format(log: str, format_name: str, expected: dict[str, object]) -> None:
    record = read_record(log)
    fields = json.loads(str(record["fields"]))
    assert record["format"] == format_name
    assert {key: fields.get(key) for key in expected} == expected
    assert record["raw"] == log


@pytest.mark.parametrize(
    ("log", "user"),
    [
        ("[Classification: Attempted User Privilege Gain] {TCP} 192.0.2.1 -> 192.0.2.2", None),
        ("The user id was changed for user kim on web1", None),
        ("Accepted password for kim from 192.0.2.1 port 22", "kim"),
        ("a user logged in", None),
    ],
)
def test_words_of_a_sentence_are_no_users(log: str, user: str | None) -> None:
    assert read_fields(log).get("user") == user


@pytest.mark.parametrize(
    ("log", "year"),
    [
        ("2 123456789010 eni-1 192.0.2.1 192.0.2.2 443 443 6 20 4249 1418530010 1418530070 REJECT OK", 2014),
        ('{"timestamp":"2024-10-15T07:28:53Z","offer":{"time":"3034423619 3042462419"}}', 2024),
    ],
)  # fmt: skip
def test_numbers_that_are_no_times_are_passed_over(log: str, year: int) -> None:
    time = read_record(log)["time"]
    assert isinstance(time, datetime)
    assert time.year == year


def test_structured_data_does_not_hide_the_message_template() -> None:
    one = read_record('<34>1 2026-11-22T10:00:01Z h app - - [a@1 k="v"] disk is full')
    two = read_record("<34>1 2026-11-22T10:00:01Z h app - - - disk is full")
    assert one["template_id"] == two["template_id"]


@pytest.mark.parametrize(
    ("log", "host", "severity", "message"),
    [
        ("<131>Nov 22 10:00:01 fw1 app: disk is full", "fw1", "error", "disk is full"),
        ('{"hostname":"web1","level":"WARN","message":"a \\"b\\"\\nc","kind":"x_y"}', "web1", "warn", 'a "b"\nc'),
        ('{"host":{"os":"x","name":"web2"},"severity":3,"action":"a_b"}', "web2", "3", None),
        ("date=2026-11-22 time=10:00:01 devname=fg1 level=notice msg=hello type=traffic", "fg1", "notice", "hello"),
        ("CEF:0|V|P|1|7|n|High|dvchost=gw1 msg=what happened", "gw1", "high", "what happened"),
    ],
)  # fmt: skip
def test_host_severity_and_message(
    log: str, host: str | None, severity: str, message: str | None
) -> None:
    record = read_record(log)
    assert (record["host"], record["severity"], record["message"]) == (host, severity, message)


TOKENS = st.sampled_from(
    ["=", "a=", "b=1 ", " ", '"', "'", "\\", "\\=", "|", "\\|", "\t", ",", ";", "<", ">", "</", "/>", "[",
     "]", "{", "}", ":", "\x01", "\x02", "\x03", "\x1f", "\x7f", "é", "\u2028", "Data Name='x'", "msg=audit(1.2:3):",
     "&amp;", "&#10;", "k='v'", 'k="v"', "\r", "%ASA-6-302013:", "\ufeff", "x", "1", "GET /", "HTTP/1.1"]
)  # fmt: skip
STARTS = st.sampled_from(
    ["", "CEF:0|a|b|c|d|e|f|", "LEEF:1.0|a|b|c|d|", "LEEF:2.0|a|b|c|d|^|", "<Event><A>1</A>", '{"', "{}",
     "<13>", "<13>1 2026-11-22T10:00:01Z h p - - [a b=\"c\"] ", "Nov 22 10:00:01 h p[1]: ", "a=1 b=2 c=3 ",
     'type=X msg=audit(1.2:3): a=1 b=2 ', '192.0.2.1 - - [22/Nov/2026:10:00:01 +0000] "GET /a HTTP/1.1" 200 1 ']
)  # fmt: skip


@settings(
    max_examples=50, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
@given(
    st.lists(st.tuples(STARTS, st.lists(TOKENS, max_size=25).map("".join)), min_size=1, max_size=15)
)
def test_any_text_in_any_format_gives_valid_fields(parts: list[tuple[str, str]]) -> None:
    texts = [
        f"x{start}{rest}" if not start + rest.strip() else start + rest for start, rest in parts
    ]
    result = normalize_texts(texts)
    assert len(result.records) + len(result.quarantine) == len(texts)
    for fields in result.records["fields"]:
        assert isinstance(json.loads(fields), dict)


MEGABYTE = 1_000_000
ADVERSARIES = {
    "equals": "a=" * (MEGABYTE // 2),
    "pairs": "a=b " * (MEGABYTE // 4),
    "open quote": 'a=1 b=2 c="' + "x" * MEGABYTE,
    "quotes": '"' * MEGABYTE,
    "backslashes": 'a=1 b=2 c="' + "\\" * MEGABYTE,
    "cef": "CEF:0|a|b|c|d|e|f|" + "k=\\=" * (MEGABYTE // 4),
    "cef words": "CEF:0|a|b|c|d|e|f|msg=" + "word " * (MEGABYTE // 5),
    "leef": "LEEF:2.0|a|b|c|d|^|" + "a=b^" * (MEGABYTE // 4),
    "xml": "<Event>" + "<a>b</a>" * (MEGABYTE // 8) + "</Event>",
    "xml open": "<Event>" + "<a " * (MEGABYTE // 3) + ">",
    "words": "word " * (MEGABYTE // 5),
    "from": "from " * (MEGABYTE // 5),
    "digits": "1" * MEGABYTE,
    "letters": "x" * MEGABYTE,
    "commas": "," * MEGABYTE,
    "spaces": "x" + " " * MEGABYTE + "y",
    "colons": "a:" * (MEGABYTE // 2),
    "brackets": "<13>1 - - - - - " + "[" * MEGABYTE,
    "access": '192.0.2.1 - - [x] "GET ' + "[] " * (MEGABYTE // 3) + '" 200 1',
    "json array": '{"action":[' + "1," * (MEGABYTE // 2) + "1]}",
    "json keys": "{" + ",".join(f'"event{n}":"x"' for n in range(MEGABYTE // 15)) + "}",
    "json open": '{"event":{"a":' + '"x' * (MEGABYTE // 2),
    "json nested": '{"rule":' * (MEGABYTE // 8),
    "json names": '{"rule":{' + ",".join(f'"k{n}":[1]' for n in range(MEGABYTE // 12)) + "}}",
    "json tail": "{ " * (MEGABYTE // 2) + "}",
    "audit": "type=X msg=audit(1.2:3): a=1 b=2 " + "msg='" * (MEGABYTE // 5),
    "bars": "a=1|b=2|c=3|" + "d=" * (MEGABYTE // 2),
}


@pytest.mark.parametrize("name", ADVERSARIES)
def test_no_line_takes_more_than_linear_time(name: str) -> None:
    began = time.process_time()
    result = normalize_texts([ADVERSARIES[name]])
    assert time.process_time() - began < 2.0
    assert len(result.records) + len(result.quarantine) == 1


def test_a_json_value_of_one_megabyte_is_read_whole() -> None:
    log = json.dumps({"eventName": "PutObject", "message": "x" * MEGABYTE})
    assert len(str(read_fields(log)["message"])) == MEGABYTE
