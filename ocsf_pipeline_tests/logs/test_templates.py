"""Templates are pure and few: what matters splits them, what does not leaves them alone."""

# ruff: noqa: E501 - logs stand on one line, as they came

from __future__ import annotations

import json
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ocsf_pipeline.logs.normalize import TemplateRegistry
from ocsf_pipeline.logs.single import normalize_texts
from ocsf_pipeline_tests.fakes.log_objects import HOUR, template_of

quick = settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)

NAMED = {
    "cloudtrail": {
        "eventVersion": "1.08", "eventTime": "2026-11-22T10:00:01Z", "eventSource": "ec2.amazonaws.com",
        "eventName": "RunInstances", "eventType": "AwsApiCall", "sourceIPAddress": "198.51.100.7",
        "userIdentity": {"type": "IAMUser", "userName": "bob", "arn": "arn:aws:iam::1:user/bob"},
        "requestParameters": {"instances": [{"imageId": "ami-1"}, {"imageId": "ami-2"}]},
    },
    "windows": {
        "EventID": 4624, "Channel": "Security", "Provider": "Microsoft-Windows-Security-Auditing",
        "Computer": "DC1", "TargetUserName": "bob", "LogonType": "3", "Message": "An account was logged on.",
    },
    "workspace": {
        "kind": "admin#reports#activity", "id": {"time": "2026-11-22T10:00:01Z", "applicationName": "login"},
        "events": [{"type": "login", "parameters": [{"name": "login_type", "value": "x"}], "name": "login_success"}],
        "actor": {"email": "bob@example.com"},
    },
    "dropbox": {
        "timestamp": "2026-11-22T10:00:01Z", "event_category": {".tag": "logins"},
        "event_type": {".tag": "login_fail", "description": "Failed to sign in"}, "actor": {"user": "bob"},
    },
    "wazuh": {
        "timestamp": "2026-11-22T10:00:01Z", "rule": {"level": 5, "description": "sshd failed", "id": "5760"},
        "agent": {"id": "43", "name": "web1", "ip": "10.1.1.1"},
    },
}  # fmt: skip
OPTIONAL = {
    "sourceIPAddress",
    "requestParameters",
    "LogonType",
    "actor",
    "agent",
    "userName",
    "arn",
}
VARIABLE = {
    "eventTime", "sourceIPAddress", "userName", "arn", "imageId", "Computer", "TargetUserName", "time",
    "email", "timestamp", "user", "ip", "level",
}  # fmt: skip


def vary(value: object, choose: random.Random, key: str = "") -> object:
    """Shuffle keys, drop optional fields, change values and lengths of arrays."""
    if isinstance(value, dict):
        items = [
            (name, vary(child, choose, name))
            for name, child in value.items()
            if name not in OPTIONAL or choose.random() < 0.7
        ]
        choose.shuffle(items)
        return dict(items)
    if isinstance(value, list):
        varied = [vary(child, choose) for child in value]
        return varied * choose.randint(1, 3) if key == "instances" else varied
    if key in VARIABLE:
        names = [
            "alice",
            "bob",
            f"user{choose.randint(1, 999)}",
            "10.2.3.4",
            "2026-11-22T11:12:13Z",
        ]
        return choose.choice(names)
    return value


@quick
@given(st.sampled_from(sorted(NAMED)), st.randoms(use_true_random=False))
def test_order_optional_fields_values_and_lengths_change_nothing(
    name: str, choose: random.Random
) -> None:
    log = NAMED[name]
    varied = [json.dumps(vary(log, choose)) for _ in range(10)]
    assert {template_of(text) for text in varied} == {template_of(json.dumps(log))}


def replace(log: dict[str, object], path: str, value: object) -> str:
    copy = json.loads(json.dumps(log))
    node = copy
    *parents, last = path.split("/")
    for part in parents:
        node = node[int(part) if part.isdigit() else part]
    node[last] = value
    return json.dumps(copy)


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("cloudtrail", "eventName", "TerminateInstances"),
        ("cloudtrail", "eventSource", "iam.amazonaws.com"),
        ("windows", "EventID", 4625),
        ("windows", "Channel", "System"),
        ("workspace", "events/0/name", "login_failure"),
        ("dropbox", "event_type/.tag", "login_success"),
        ("wazuh", "rule/id", "5710"),
    ],
)
def test_what_names_the_event_splits_templates(name: str, path: str, value: object) -> None:
    assert template_of(replace(NAMED[name], path, value)) != template_of(json.dumps(NAMED[name]))


SAME = [
    [
        "Nov 22 10:00:01 web1 sshd[1]: Failed password for invalid user bob from 198.51.100.2 port 22 ssh2",
        "Nov  2 11:00:01 web2 sshd[999]: Failed password for invalid user alice from 192.0.2.77 port 1022 ssh2",
        "<38>Nov 22 10:00:01 db sshd[7]: Failed password for invalid user x7 from 2001:db8::1 port 9 ssh2",
    ],
    [
        "Nov 22 10:00:01 web1 sshd[1]: pam_unix(sshd:session): session opened for user bob by (uid=0)",
        "Nov 22 10:00:01 web1 sshd[1]: pam_unix(sshd:session): session opened for user alice by (uid=1000)",
    ],
    [
        "<134>Nov 22 10:00:01 fw1 %ASA-6-302013: Built outbound TCP connection 1 for outside:203.0.113.1/443",
        "<134>Nov 22 10:00:01 fw1 : %ASA-6-302013: Built inbound TCP connection 77 for inside:10.0.0.1/9 (x/y)",
    ],
    [
        "CEF:0|V|P|1|7|Logon|3|src=1.2.3.4 suser=bob msg=hello",
        "Nov 22 10:00:01 gw CEF:0|V|P|2|7|Logon|9|suser=alice dhost=web1",
    ],
    [
        "<14>Nov 22 10:00:01 PA 1,2026/11/22 10:00:01,0079,TRAFFIC,end,2561,2026/11/22 10:00:01,10.1.1.1,8.8.8.8,0.0.0.0,0.0.0.0,allow-dns,acme\\bob,,dns,vsys1,trust,untrust,ae1,ae2",
        "<14>Nov 22 10:00:02 PA 1,2026/11/22 10:00:02,0080,TRAFFIC,end,2561,2026/11/22 10:00:02,10.1.1.2,8.8.4.4,0.0.0.0,0.0.0.0,rule web,acme\\alice,,ssl,vsys2,dmz,untrust,ae7,ae2",
    ],
    [
        '192.0.2.1 - bob [22/Nov/2026:10:00:01 +0000] "GET /a/b HTTP/1.1" 200 123 "-" "curl"',
        '192.0.2.9 - - [22/Nov/2026:11:00:01 +0000] "GET /c?d=e HTTP/1.1" 404 7 "http://x/" "Mozilla/5.0 (X; Y)"',
    ],
    [
        "date=2026-11-22 time=10:00:01 devname=fg1 type=traffic subtype=forward action=accept srcip=10.1.1.1",
        "date=2026-11-23 time=11:00:01 devname=fg2 type=traffic subtype=forward srcip=10.1.1.9 action=accept sentbyte=4",
    ],
]
DIFFERENT = [
    [
        "Nov 22 10:00:01 web1 sshd[1]: Failed password for bob from 198.51.100.2 port 22 ssh2",
        "Nov 22 10:00:01 web1 sshd[1]: Accepted password for bob from 198.51.100.2 port 22 ssh2",
        "Nov 22 10:00:01 web1 sshd[1]: Connection closed by 198.51.100.2 port 22",
        "Nov 22 10:00:01 web1 sshd[1]: pam_unix(sshd:session): session opened for user bob by (uid=0)",
        "Nov 22 10:00:01 web1 sshd[1]: pam_unix(sshd:session): session closed for user bob",
    ],
    [
        "<134>Nov 22 10:00:01 fw1 %ASA-6-302013: Built outbound TCP connection 1",
        "<134>Nov 22 10:00:01 fw1 %ASA-6-302014: Teardown TCP connection 1",
        "<134>Nov 22 10:00:01 fw1 %FTD-6-302014: Teardown TCP connection 1",
    ],
    [
        "CEF:0|V|P|1|7|Logon|3|src=1.2.3.4",
        "CEF:0|V|P|1|8|Logon|3|src=1.2.3.4",
        "CEF:0|V|P|1|7|Logoff|3|src=1.2.3.4",
        "CEF:0|W|P|1|7|Logon|3|src=1.2.3.4",
        "LEEF:1.0|V|P|1|7|src=1.2.3.4",
    ],
    [
        "<14>Nov 22 10:00:01 PA 1,2026/11/22 10:00:01,0079,TRAFFIC,end,2561,2026/11/22 10:00:01,10.1.1.1,8.8.8.8,0.0.0.0,0.0.0.0,r,u,,dns",
        "<14>Nov 22 10:00:01 PA 1,2026/11/22 10:00:01,0079,THREAT,url,2561,2026/11/22 10:00:01,10.1.1.1,8.8.8.8,0.0.0.0,0.0.0.0,r,u,,dns",
        "<14>Nov 22 10:00:01 PA 1,2026/11/22 10:00:01,0079,SYSTEM,auth,0,2026/11/22 10:00:01,,auth-success,bob,0,0,general,informational",
    ],
    [
        "date=2026-11-22 time=10:00:01 devname=fg1 type=traffic subtype=forward action=accept",
        "date=2026-11-22 time=10:00:01 devname=fg1 type=event subtype=vpn action=tunnel-up",
        "date=2026-11-22 time=10:00:01 devname=fg1 type=utm subtype=virus action=blocked",
    ],
    [
        "type=SYSCALL msg=audit(1.0:1): arch=c000003e syscall=59 success=yes pid=1 comm=x",
        "type=SYSCALL msg=audit(1.0:1): arch=c000003e syscall=257 success=yes pid=1 comm=x",
        "type=USER_LOGIN msg=audit(1.0:1): pid=1 uid=0 auid=0 ses=1 msg='op=login res=failed'",
    ],
    [
        '192.0.2.1 - bob [22/Nov/2026:10:00:01 +0000] "GET /a HTTP/1.1" 200 1',
        '192.0.2.1 - bob [22/Nov/2026:10:00:01 +0000] "POST /a HTTP/1.1" 200 1',
    ],
    [
        '{"eventId":"6a710d514c9b4c8e","loginName":"bob","description":"Logged in successfully"}',
        '{"eventId":"0b2c4d6e8f1a3b5c","loginName":"bob","description":"Added user bob with role Analyst"}',
    ],
]  # fmt: skip


@pytest.mark.parametrize("logs", SAME)
def test_values_do_not_split_templates(logs: list[str]) -> None:
    assert len({template_of(log) for log in logs}) == 1


@pytest.mark.parametrize("logs", DIFFERENT)
def test_events_split_templates(logs: list[str]) -> None:
    assert len({template_of(log) for log in logs}) == len(logs)


def test_ids_depend_on_no_order_of_arrival() -> None:
    logs = [log for group in SAME + DIFFERENT for log in group]
    there = normalize_texts(logs, HOUR, TemplateRegistry())
    back = normalize_texts(logs[::-1], HOUR, TemplateRegistry())
    forgetful = normalize_texts(logs, HOUR, TemplateRegistry(max_shapes=0))
    assert there.records["template_id"].to_list() == back.records["template_id"].to_list()[::-1]
    assert forgetful.records.equals(there.records)


def test_vendor_and_product_are_told_where_they_are_evident() -> None:
    texts = [
        "CEF:0|Palo Alto Networks|PAN-OS|10|end|TRAFFIC|3|src=1.2.3.4",
        "<134>Nov 22 10:00:01 fw1 %ASA-6-302013: Built outbound TCP connection 1",
        "Nov 22 10:00:01 web1 sshd[1]: Accepted password for bob",
    ]
    records = normalize_texts(texts).records
    assert records["vendor"].to_list() == ["Palo Alto Networks", "Cisco", None]
    assert records["product"].to_list() == ["PAN-OS", "ASA", "sshd"]
