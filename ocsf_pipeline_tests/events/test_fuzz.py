"""Whatever attackers write: valid JSON, valid OCSF, nothing lost."""

import json
import re
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ocsf_pipeline_tests.fakes.mapped_logs import judge_by_json_schema, map_logs_with, read_schema

NAMES = st.sampled_from([
    "userName", "src_ip", "srcPort", "dst", "message", "status", "severity", "url", "process",
    "pid", "hashes", "sha256", "email", "timestamp", "startTime", "query", "bytes", "direction",
    "action", "logonType", "http_method", "a.b", "\"", ":null", "", "a,b", "\\", "*", "^.*$", "**",
])  # fmt: skip
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["192.0.2.1", "::1", "443", "-1", "0x1f", "2026-03-02T10:00:00Z", "success",
                       "a@b.example", '","x":null', "\x00", "-", "99999999999999999999"])
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(NAMES | st.text(max_size=6), below),
    max_leaves=8,
)
LOGS = st.dictionaries(NAMES | st.text(max_size=8), VALUES, max_size=8)
NUMBER_OR_TIME = re.compile(r"-?[0-9]")  # may be written in another way in the event
CLASSES = st.sampled_from([0, 1001, 1007, 2004, 3001, 3002, 4001, 4002, 4003, 4009, 6003])


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str) and value not in ("", "-"):
        yield value


def _has_text(event: object, text: str) -> bool:
    return any(text.lower() == found.lower() for found in _texts(event))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(class_uid=CLASSES, logs=st.lists(LOGS, min_size=1, max_size=4))
def test_any_log_becomes_a_valid_event(class_uid: int, logs: list[dict[str, Any]]) -> None:
    mapped = map_logs_with(read_schema(), class_uid, logs)
    assert mapped.frame.height == len(logs)
    assert mapped.invalid_count == 0
    for log, text in zip(logs, mapped.frame.get_column("event"), strict=True):
        event = json.loads(text)
        assert judge_by_json_schema(event) == []
        for value in _texts(log):
            if not NUMBER_OR_TIME.match(value):
                assert _has_text(event, value), (value, event)
