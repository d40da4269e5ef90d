"""OpenTelemetry logs over HTTP (OTLP 1.x): protobuf and JSON -> lines, and the answers.

Belongs here: what of a log record becomes which line. Does not belong here: routes (`app`), reading
the lines again (`logs.envelopes` opens what has `body` and `severity_text`).

A record whose body is a log by itself, with nothing beside it but where it was read, becomes an
envelope with the body in it. Any other record is an event of its own: message, attributes and
resource together say what happened. Protobuf has no columns, so this is the one decoder that goes
through records one by one; docs/decisions/0011-ingest.md has the measured rate.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from ocsf_pipeline.ingest.errors import RequestError
from ocsf_pipeline.ingest.lines import NOTHING, Lines

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
# Attributes that say where a log was read or written, not what it says.
_WHEREABOUTS = ("log.", "code.", "thread.", "otel.", "k8s.", "container.")
_ID_FIELDS = ("traceId", "spanId")
_MAX_DEPTH = 20

Json = dict[str, Any]


def decode_request(text: bytes, is_json: bool) -> Lines:
    """Decode one export request. Raises RequestError for what is none."""
    request = _parse_json(text) if is_json else _parse_protobuf(text)
    lines = list(_describe_records(request))
    if not lines:
        return NOTHING
    return Lines(("\n".join(lines) + "\n").encode(), len(lines))


def encode_success(is_json: bool) -> bytes:
    """Return the body of a full success."""
    return b"{}" if is_json else ExportLogsServiceResponse().SerializeToString()


def encode_failure(message: str, is_json: bool) -> bytes:
    """Return the body of a refusal: a google.rpc.Status."""
    if is_json:
        return json.dumps({"message": message}).encode()
    text = message.encode("ascii", "replace")[
        :127
    ]  # a length of one byte; field 2 of the message is a string
    return b"\x12" + bytes([len(text)]) + text


def _parse_protobuf(text: bytes) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    try:
        request.ParseFromString(text)
    except DecodeError as error:
        raise RequestError(f"not an ExportLogsServiceRequest: {error}") from error
    if text and not request.ListFields():  # other bytes may pass for fields that are not known
        raise RequestError("not an ExportLogsServiceRequest: it holds no resource_logs")
    return request


def _parse_json(text: bytes) -> ExportLogsServiceRequest:
    try:
        document = json.loads(text)
        _recode_ids(document)
        request: ExportLogsServiceRequest = json_format.ParseDict(
            document, ExportLogsServiceRequest(), ignore_unknown_fields=True,
            max_recursion_depth=_MAX_DEPTH * 4,
        )  # fmt: skip
        return request
    except (ValueError, TypeError, AttributeError, RecursionError, json_format.ParseError) as error:
        raise RequestError(f"not an ExportLogsServiceRequest in JSON: {error}") from error


def _recode_ids(document: Json) -> None:
    """Turn trace and span ids from hex, as OTLP writes them, into base64, as protobuf does."""
    for resource in document.get("resourceLogs") or ():
        for scope in resource.get("scopeLogs") or ():
            for record in scope.get("logRecords") or ():
                for name in _ID_FIELDS:
                    if record.get(name):
                        record[name] = base64.b64encode(bytes.fromhex(record[name])).decode()


def _describe_records(request: ExportLogsServiceRequest) -> Iterator[str]:
    encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
    for resource_logs in request.resource_logs:
        resource = _read_pairs(resource_logs.resource.attributes)
        for scope_logs in resource_logs.scope_logs:
            scope = scope_logs.scope.name
            for record in scope_logs.log_records:
                # A lone surrogate or a raw control character cannot leave the encoder.
                yield encode(_describe_record(record, resource, scope))


def _describe_record(record: LogRecord, resource: Json, scope: str) -> Json:
    line = _describe_origin(record, resource)
    body = _read_value(record.body)
    attributes = _read_pairs(record.attributes)
    if record.event_name:
        attributes["event.name"] = record.event_name
    says_more = any(not name.startswith(_WHEREABOUTS) for name in attributes)
    if isinstance(body, str) and body.strip() and not says_more:
        return {**line, "body": body}
    if isinstance(body, dict):
        line = {**body, **line}
    elif body not in (None, ""):
        line["message"] = body
    more = {
        "attributes": attributes,
        "resource": resource,
        "scope": scope,
        "trace_id": record.trace_id.hex(),
        "span_id": record.span_id.hex(),
    }
    return {**line, **{name: value for name, value in more.items() if value}}


def _describe_origin(record: LogRecord, resource: Json) -> Json:
    line: Json = {}
    nanos = record.time_unix_nano or record.observed_time_unix_nano
    if nanos:
        line["timestamp"] = _format_time(nanos)
    host = resource.get("host.name")
    if isinstance(host, str):
        line["host"] = host
    line["severity_text"] = record.severity_text or _name_severity(record.severity_number)
    return line


def _format_time(nanos: int) -> str:
    seconds, rest = divmod(nanos, 1_000_000_000)
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return str(nanos)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest:09}Z"


def _name_severity(number: int) -> str:
    names = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
    return names[(number - 1) // 4] if 1 <= number <= 24 else ""


def _read_pairs(pairs: Iterable[KeyValue]) -> Json:
    return {pair.key: _read_value(pair.value) for pair in pairs}


def _read_value(value: AnyValue, depth: int = 0) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "kvlist_value" or kind == "array_value":
        if depth >= _MAX_DEPTH:
            return "…"
        if kind == "array_value":
            return [_read_value(item, depth + 1) for item in value.array_value.values]
        return {pair.key: _read_value(pair.value, depth + 1) for pair in value.kvlist_value.values}
    found = getattr(value, kind)
    if isinstance(found, bytes):
        return base64.b64encode(found).decode()
    # JSON has no word for infinity or NaN.
    return str(found) if isinstance(found, float) and not math.isfinite(found) else found
