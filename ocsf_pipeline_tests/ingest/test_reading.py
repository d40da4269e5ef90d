"""What the endpoint stores is what the pipeline reads: as many records, with what senders said."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from ocsf_pipeline.ingest.dialects import Facts, Plain
from ocsf_pipeline.ingest.errors import RequestError
from ocsf_pipeline.ingest.hec import decode_events, decode_raw
from ocsf_pipeline.ingest.lines import Lines
from ocsf_pipeline.ingest.objects import Batch, encode_object
from ocsf_pipeline.ingest.otlp import decode_request, encode_failure
from ocsf_pipeline.logs.normalize import ObjectContext, TemplateRegistry
from ocsf_pipeline.logs.read import ObjectSummary, read_object

_NOW = datetime(2026, 11, 20, 10, 30, tzinfo=UTC)
_FACTS = Facts(_NOW)
_SSHD = "Nov 20 10:00:01 host7 sshd[1]: Failed password for root from 192.0.2.1 port 22 ssh2"


def read(*decoded: Lines) -> tuple[pl.DataFrame, ObjectSummary]:
    """Store requests in one object and read it as the pipeline does."""
    body = encode_object([Batch(bytes(16), lines) for lines in decoded])
    context = ObjectContext("k", "v", _NOW.replace(minute=0), _NOW)
    summary = ObjectSummary()
    frames = list(read_object(iter([body]), context, TemplateRegistry(), summary))
    return pl.concat([frame.records for frame in frames]), summary


def plain(text: bytes) -> Lines:
    return Plain().decode(text, _FACTS)


def test_text_and_events_of_many_requests_are_read_from_one_object() -> None:
    records, summary = read(
        plain(_SSHD.encode()),
        plain(b'{"eventName":"ConsoleLogin","sourceIPAddress":"192.0.2.9"}\n'),
        decode_raw(_SSHD.encode(), {"host": "hec-host"}),
        decode_events(b'{"event":"plain text","host":"h1","time":1763632800}{"event":{"k":1}}'),
    )
    assert (summary.record_count, summary.quarantined_count) == (5, 0)
    assert records["raw"].to_list()[:3] == [
        _SSHD, '{"eventName":"ConsoleLogin","sourceIPAddress":"192.0.2.9"}', _SSHD,
    ]  # fmt: skip
    assert records["raw"][3] == "plain text"
    assert records["host"].to_list()[0] == "host7"
    assert records["host"][3] == "h1"
    assert records["time"][3] == datetime(2025, 11, 20, 10, tzinfo=UTC)
    assert json.loads(records["fields"][4]) == {"k": 1}
    assert records["template_id"][0] == records["template_id"][2]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.text(min_size=1).filter(str.strip),
            st.dictionaries(st.text(), st.integers() | st.text(), min_size=1).map(json.dumps),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_as_many_records_come_out_as_lines_went_in(logs: list[str]) -> None:
    text = "\n".join(logs).encode()
    _records, summary = read(plain(text))
    _alone, expected = read(Lines(text, 0, is_alone=True))
    assert summary.read_count == expected.read_count or _is_document(text)
    _raw, counted = read(decode_raw(text, {}))
    assert counted.quarantined_count == 0 or _is_document(text)


def _is_document(text: bytes) -> bool:
    """Whether the whole is read in another way than its lines: it stays as it came."""
    return plain(text).is_alone or text.lstrip()[:1] in b"[{<#"


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_break_a_decoder(body: bytes) -> None:
    plain(body)
    for decode in (decode_events, lambda b: decode_raw(b, {})):
        with contextlib.suppress(RequestError):
            decode(body)
    for is_json in (True, False):
        with contextlib.suppress(RequestError):
            decode_request(body, is_json)


def make_request(*records: LogRecord) -> ExportLogsServiceRequest:
    resource = Resource(
        attributes=[
            KeyValue(key="host.name", value=AnyValue(string_value="otel-host")),
            KeyValue(key="service.name", value=AnyValue(string_value="auth")),
        ]
    )
    scoped = [ScopeLogs(log_records=records)]
    return ExportLogsServiceRequest(
        resource_logs=[ResourceLogs(resource=resource, scope_logs=scoped)]
    )


def text_value(text: str) -> AnyValue:
    return AnyValue(string_value=text)


_NANOS = 1_763_632_800_123_456_789


def test_an_otlp_body_that_is_a_log_is_read_as_that_log() -> None:
    where = KeyValue(key="log.file.name", value=text_value("auth.log"))
    record = LogRecord(time_unix_nano=_NANOS, body=text_value(_SSHD), attributes=[where])
    records, _summary = read(decode_request(make_request(record).SerializeToString(), False))
    assert records["raw"].to_list() == [_SSHD]
    assert records["host"].to_list() == ["host7"]
    direct, _summary = read(plain(_SSHD.encode()))
    assert records["template_id"].to_list() == direct["template_id"].to_list()


def test_an_otlp_event_keeps_attributes_and_resource() -> None:
    attributes = [
        KeyValue(key="user.name", value=text_value("amara")),
        KeyValue(key="ok", value=AnyValue(bool_value=True)),
        KeyValue(key="load", value=AnyValue(double_value=float("nan"))),
        KeyValue(key="raw", value=AnyValue(bytes_value=b"\x00\xff")),
    ]
    record = LogRecord(
        time_unix_nano=_NANOS, severity_number=13, body=text_value("login failed"),
        attributes=attributes, event_name="auth.failure", trace_id=bytes(range(16)),
    )  # fmt: skip
    records, summary = read(decode_request(make_request(record).SerializeToString(), False))
    assert (summary.record_count, summary.quarantined_count) == (1, 0)
    fields = json.loads(records["fields"][0])
    assert fields["message"] == "login failed"
    assert fields["severity_text"] == "WARN"
    assert fields["attributes"] == {
        "user.name": "amara", "ok": True, "load": "nan", "raw": "AP8=",
        "event.name": "auth.failure",
    }  # fmt: skip
    assert fields["resource"] == {"host.name": "otel-host", "service.name": "auth"}
    assert fields["trace_id"] == bytes(range(16)).hex()
    assert records["time"][0] == datetime(2025, 11, 20, 10, 0, 0, 123456, tzinfo=UTC)
    assert records["host"][0] == "otel-host"


def test_an_otlp_body_of_fields_is_an_event() -> None:
    pairs = KeyValueList(
        values=[
            KeyValue(key="eventName", value=text_value("ConsoleLogin")),
            KeyValue(key="n", value=AnyValue(int_value=-5)),
        ]
    )
    record = LogRecord(body=AnyValue(kvlist_value=pairs))
    records, _summary = read(decode_request(make_request(record).SerializeToString(), False))
    fields = json.loads(records["fields"][0])
    assert (fields["eventName"], fields["n"]) == ("ConsoleLogin", -5)


def test_otlp_json_says_the_same_as_protobuf() -> None:
    document = {
        "resourceLogs": [
            {
                "resource": {
                    "attributes": [{"key": "host.name", "value": {"stringValue": "otel-host"}},
                                   {"key": "service.name", "value": {"stringValue": "auth"}}]
                },
                "scopeLogs": [{"logRecords": [{
                    "timeUnixNano": str(_NANOS), "severityNumber": 13,
                    "body": {"stringValue": "login failed"},
                    "attributes": [{"key": "n", "value": {"intValue": "7"}}],
                    "traceId": "000102030405060708090a0b0c0d0e0f", "newField": 1,
                }]}],
            }
        ]
    }  # fmt: skip
    attributes = [KeyValue(key="n", value=AnyValue(int_value=7))]
    record = LogRecord(
        time_unix_nano=_NANOS, severity_number=13, body=text_value("login failed"),
        attributes=attributes, trace_id=bytes(range(16)),
    )  # fmt: skip
    binary = decode_request(make_request(record).SerializeToString(), False)
    assert decode_request(json.dumps(document).encode(), True) == binary


@pytest.mark.parametrize(
    "body", [b"[]", b'{"resourceLogs":5}', b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[5]}]}]}',
             b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"traceId":"zz"}]}]}]}', b"{"],
)  # fmt: skip
def test_what_is_no_export_request_is_refused(body: bytes) -> None:
    with pytest.raises(RequestError, match="ExportLogsServiceRequest"):
        decode_request(body, True)


def test_a_refusal_in_protobuf_is_a_status() -> None:
    assert encode_failure("bad", False) == b"\x12\x03bad"
    assert len(encode_failure("ü" * 500, False)) == 129
