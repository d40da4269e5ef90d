"""Redaction: what must not leave is gone, what the class depends on stays."""

from __future__ import annotations

import json
import time

import pytest

from ocsf_pipeline.classify.redact import MAX_INPUT_CHARS, redact_log

GONE_AND_KEPT = {
    "sshd": (
        "<38>Nov 22 10:00:01 web1 sshd[812]: Failed password for invalid user kim from 192.0.2.7 "
        "port 50514 ssh2",
        ["kim", "192.0.2.7"],
        ["10:00:01", "web1 sshd[812]: Failed password for invalid user [USER_1] from [IP_1] port"],
    ),
    "json by key": (
        '{"eventType":"user.session.start","actor":{"alternateId":"kim@corp.example",'
        '"displayName":"Kim Lee"},"debug":{"sessionId":"abc123","client_secret":"s3cr3t"},'
        '"message":"Kim Lee signed in","passwordLastSet":"2026-01-01","n":4}',
        ["kim@corp", "Kim Lee", "abc123", "s3cr3t"],
        ["user.session.start", "signed in", '"passwordLastSet": "2026-01-01"', '"n": 4'],
    ),
    "json of names and values": (
        '{"parameters":[{"name":"USER_EMAIL","value":"kim@corp.example"},'
        '{"name":"new_role","value":"auditor"}]}',
        ["kim@corp"],
        ["USER_EMAIL", "auditor"],
    ),
    "json inside a string": (
        json.dumps({"message": json.dumps({"action": "login", "user": "kimberley"})}),
        ["kimberley"],
        ["action", "login"],
    ),
    "windows xml": (
        '<Event><EventData><Data Name="TargetUserName">kim.lee</Data><Data Name="SubjectUserSid">'
        'S-1-5-21-11-22-33-1104</Data></EventData><Message>kim.lee logged on</Message></Event>',
        ["kim.lee", "S-1-5-21"],
        ["TargetUserName", "logged on"],
    ),
    "cef with spaces": (
        "CEF:0|Acme|GW|1|100|User login failed|5|suser=Kim Lee src=192.0.2.7 dhost=web1.example "
        "act=deny",
        ["Kim Lee", "Lee", "192.0.2.7"],
        ["User login failed", "dhost=web1.example", "act=deny"],
    ),
    "key=value": (
        'date=2026-11-20 time=10:00:00 logid="0100032001" user="kim" ui="https(192.0.2.7)" '
        'action="login" msg="Administrator kim logged in"',
        ["kim", "192.0.2.7"],
        ["time=10:00:00", 'logid="0100032001"', 'action="login"', "Administrator"],
    ),
    "keys and tokens": (
        "GET /x?token=abcdef123&page=2 AKIAIOSFODNN7EXAMPLE ghp_0123456789abcdefghijklmnopqrst "
        "eyJhbGciOiJI.eyJzdWIiOiIx.c2ln Authorization: Bearer abcdefghijkl "
        "https://kim:pw1@host.example/ -----BEGIN PRIVATE KEY-----\nMIIabc\n"
        "-----END PRIVATE KEY-----",
        ["abcdef123", "AKIA", "ghp_", "eyJ", "abcdefghijkl", "kim", "pw1", "MIIabc"],
        ["GET /x?token=", "page=2", "host.example"],
    ),
    "paths and accounts": (
        r"process C:\Users\kim\AppData\evil.exe started by CORP\kim; copied to /home/kim/.ssh/x",
        ["kim"],
        ["evil.exe", "CORP", "/home/", "started by"],
    ),
    "numbers of persons": (
        "card 4111 1111 1111 1111 phone +49 170 1234567 ssn 078-05-1120 mac 00:1a:2b:3c:4d:5e "
        "2001:db8::1 fe80:0:0:0:1:2:3:4 order 1234567890123456",
        ["4111", "1234567 ", "078-05", "00:1a", "2001:db8", "fe80"],
        ["order 1234567890123456"],
    ),
    "nobody in particular": (
        "sudo: root : TTY=pts/0 ; USER=root ; COMMAND=/bin/ls user authentication failed",
        [],
        ["USER=root", "COMMAND=/bin/ls", "user authentication failed"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("log", "gone", "kept"), GONE_AND_KEPT.values(), ids=GONE_AND_KEPT.keys())
def test_what_must_not_leave_is_gone_and_the_rest_stays(
    log: str, gone: list[str], kept: list[str]
) -> None:
    cleaned = redact_log(log)
    assert [text for text in gone if text in cleaned] == []
    assert [text for text in kept if text not in cleaned] == []


def test_the_same_value_is_the_same_placeholder() -> None:
    cleaned = redact_log("src=192.0.2.7 dst=192.0.2.8 nat=192.0.2.7")
    assert cleaned == "src=[IP_1] dst=[IP_2] nat=[IP_1]"


def test_redacting_twice_changes_nothing() -> None:
    once = redact_log('user=kim src=192.0.2.7 msg="login of kim@corp.example"')
    assert redact_log(once) == once


def test_long_logs_are_cut() -> None:
    assert len(redact_log("a " * 100_000)) <= MAX_INPUT_CHARS


@pytest.mark.parametrize(
    "piece",
    ["a", "a=1 ", "1 ", "a@", "eyJ", "user ", "[", '{"a":', ":", "aA1", "/home/", "<Data Name='",
     "A:", 'x=\\"', "a.", 'k="', "suser=a CEF:", "\\", "for user ", "12 ", "+49 "],
)  # fmt: skip
def test_no_text_makes_it_slow(piece: str) -> None:
    started = time.process_time()
    redact_log(piece * (MAX_INPUT_CHARS // len(piece)))
    assert time.process_time() - started < 1.0
