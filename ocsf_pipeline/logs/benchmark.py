"""How fast objects are read: mixed lines in memory -> normalised frames.

Belongs here: making the lines, measuring. Does not belong here: storage, classification, tables.
`python -m ocsf_pipeline.logs.benchmark [ROWS [WORKERS]]` prints one JSON object.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from ocsf_pipeline.logs.normalize import ObjectContext, TemplateRegistry
from ocsf_pipeline.logs.parallel import read_object_in_parallel
from ocsf_pipeline.logs.read import ObjectSummary

_HOUR = datetime(2026, 11, 22, 10, tzinfo=UTC)
_PIECE_BYTES = 1 << 20
_ACTIONS = ("RunInstances", "DescribeInstances", "TerminateInstances", "CreateUser")
_TEXTS = (
    "<134>Nov 22 10:{m:02d}:{s:02d} fw1 %ASA-6-302013: Built outbound TCP connection {n} for "
    "outside:203.0.113.{b}/443 (203.0.113.{b}/443) to inside:10.0.0.{b}/{p} (10.0.0.{b}/{p})",
    "Nov 22 10:{m:02d}:{s:02d} host{b} sshd[{p}]: Failed password for invalid user u{b} from "
    "198.51.100.{b} port {p} ssh2",
    'date=2026-11-22 time=10:{m:02d}:{s:02d} devname="fg1" devid="FG1" logid="0000000013" '
    'type="traffic" subtype="forward" level="notice" vd="root" srcip=10.1.1.{b} srcport={p} '
    'dstip=203.0.113.{b} dstport=443 action="accept" policyid={b} sentbyte={n} rcvdbyte={n}',
    "Nov 22 10:{m:02d}:{s:02d} gw CEF:0|Palo Alto Networks|PAN-OS|10.1|end|TRAFFIC|3|"
    "rt=Nov 22 2026 10:{m:02d}:{s:02d} src=10.2.2.{b} dst=203.0.113.{b} spt={p} dpt=443 act=allow "
    "app=ssl",
)


def make_lines(count: int) -> Iterator[str]:
    """Yield `count` lines: three in seven CloudTrail JSON, the others text in Vector envelopes."""
    for number in range(count):
        kind, minute, second = number % 7, number // 60 % 60, number % 60
        if kind < 3:
            yield _make_trail(number, f"2026-11-22T10:{minute:02d}:{second:02d}Z")
            continue
        text = _TEXTS[kind - 3].format(
            m=minute, s=second, n=number, b=number % 250, p=1024 + number % 60_000
        )
        stamp = "2026-11-22T10:00:00.123456Z"
        envelope = {"host": "v1", "message": text, "source_type": "syslog", "timestamp": stamp}
        yield json.dumps(envelope)


def _make_trail(number: int, stamp: str) -> str:
    user, address = f"u{number % 500}", f"198.51.100.{number % 250}"
    event = {
        "eventVersion": "1.08",
        "userIdentity": {
            "type": "IAMUser", "principalId": f"AIDA{number}", "accountId": "123456789012",
            "arn": f"arn:aws:iam::123456789012:user/{user}", "userName": user,
        },
        "eventTime": stamp, "eventSource": "ec2.amazonaws.com",
        "eventName": _ACTIONS[number % 4], "awsRegion": "eu-west-1", "sourceIPAddress": address,
        "userAgent": "aws-cli/2.1",
        "requestParameters": {"instanceId": f"i-{number:x}", "x": [1, 2, 3]},
        "responseElements": None, "requestID": f"{number:032x}", "eventID": f"{number * 7:032x}",
        "readOnly": True, "eventType": "AwsApiCall", "managementEvent": True,
        "recipientAccountId": "123456789012",
    }  # fmt: skip
    return json.dumps(event, separators=(",", ":"))


def measure_reading(rows: int = 300_000, workers: int = 2) -> dict[str, float]:
    """Read `rows` lines twice and return the figures of the second time, templates known."""
    body = ("\n".join(make_lines(rows)) + "\n").encode()
    registry = TemplateRegistry()
    figures: dict[str, float] = {}
    for _ in range(2):
        context = ObjectContext("benchmark", "1", _HOUR, _HOUR)
        summary = ObjectSummary()
        pieces = (body[at : at + _PIECE_BYTES] for at in range(0, len(body), _PIECE_BYTES))
        began, cpu = time.perf_counter(), time.process_time()
        for _frame in read_object_in_parallel(pieces, context, registry, summary, workers=workers):
            pass
        wall = time.perf_counter() - began
        figures = {
            "rows": summary.record_count,
            "bytes_per_row": round(len(body) / rows, 1),
            "workers": workers,
            "cpu_us_per_row": round((time.process_time() - cpu) / rows * 1e6, 2),
            "read_events_per_s": round(rows / wall),
        }
    return figures


if __name__ == "__main__":
    sizes = [int(argument) for argument in sys.argv[1:3]]
    sys.stdout.write(json.dumps(measure_reading(*sizes)) + "\n")
