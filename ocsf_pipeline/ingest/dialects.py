"""The three ways in: plain HTTP, Splunk's collector, OpenTelemetry.

Belongs here: which decoder a route takes, and every answer in the words of its protocol. Does not
belong here: sockets, tokens, storage (`app`).
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ocsf_pipeline.ingest import hec, otlp
from ocsf_pipeline.ingest.errors import BusyError, RequestError, UnsupportedError
from ocsf_pipeline.ingest.lines import Envelope, Lines, decode_text

JSON = "application/json"


@dataclass(frozen=True)
class Facts:
    """What a request says beside its body."""

    received: datetime
    """UTC."""
    content_type: str = ""
    """Without parameters, in lower case."""
    parameters: Mapping[str, str] | None = None
    channel: str = ""
    """Where a HEC sender wants an id to ask about later."""

    def identify(self) -> bytes:
        """Return what of it tells requests with equal bodies apart."""
        return json.dumps([self.content_type, dict(self.parameters or {})]).encode()


@dataclass(frozen=True)
class Answer:
    """What is sent back."""

    status: int
    body: bytes
    media_type: str = JSON
    retry_after_seconds: int | None = None


class Dialect(Protocol):
    """One way in."""

    route: str

    def decode(self, text: bytes, facts: Facts) -> Lines:
        """Decode a request's text. Raises RequestError."""
        ...

    def succeed(self, facts: Facts, event_count: int) -> Answer:
        """Answer a request whose events are durable."""
        ...

    def refuse(self, facts: Facts, error: RequestError) -> Answer:
        """Answer a request that must be changed."""
        ...

    def postpone(self, facts: Facts, error: BusyError) -> Answer:
        """Answer a request that must be sent again later."""
        ...


class Plain:
    """Vector, Fluent Bit, syslog-ng, curl: NDJSON, JSON arrays, text."""

    route = "logs"

    def decode(self, text: bytes, facts: Facts) -> Lines:
        """Decode any form of logs."""
        stamp = facts.received.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return decode_text(text, Envelope("message", {"timestamp": stamp, "source_type": "http"}))

    def succeed(self, facts: Facts, event_count: int) -> Answer:
        """Tell how many events were taken."""
        return _answer_json(200, {"events": event_count})

    def refuse(self, facts: Facts, error: RequestError) -> Answer:
        """Tell what to change."""
        return _answer_json(error.status, {"error": str(error)})

    def postpone(self, facts: Facts, error: BusyError) -> Answer:
        """Tell when to come back."""
        return _answer_json(error.status, {"error": str(error)}, error.retry_after_seconds)


class Hec:
    """Splunk's HTTP event collector, `/event` and `/raw`.

    An answer means that the events are durable, so an acknowledgement is known when it is given
    out: every id that a sender can hold is acknowledged, whatever process it asks.
    """

    def __init__(self, kind: str, ack_ids: Iterator[int] | None = None) -> None:
        """`kind` is event or raw; `ack_ids` never repeat while a sender may ask for one."""
        self.route = f"hec_{kind}"
        self._is_raw = kind == "raw"
        self._ack_ids = ack_ids or itertools.count()

    def decode(self, text: bytes, facts: Facts) -> Lines:
        """Decode events or raw lines."""
        if self._is_raw:
            return hec.decode_raw(text, facts.parameters or {})
        return hec.decode_events(text)

    def succeed(self, facts: Facts, event_count: int) -> Answer:
        """Say Success, with an id where the sender named a channel."""
        ack_id = next(self._ack_ids) if facts.channel else None
        return _answer_json(200, hec.answer_success(ack_id))

    def refuse(self, facts: Facts, error: RequestError) -> Answer:
        """Say what Splunk would say."""
        status = 400 if error.status == 415 else error.status
        return _answer_json(status, hec.answer_refusal(error))

    def postpone(self, facts: Facts, error: BusyError) -> Answer:
        """Say that the server is busy: HEC's senders know no 429."""
        body = {"text": f"Server is busy: {error}", "code": hec.SERVER_BUSY}
        return _answer_json(503, body, error.retry_after_seconds)


class Otlp:
    """OpenTelemetry's `/v1/logs`."""

    route = "otlp"

    def decode(self, text: bytes, facts: Facts) -> Lines:
        """Decode an export request."""
        if facts.content_type not in (otlp.JSON, otlp.PROTOBUF):
            raise UnsupportedError(f"Content-Type must be {otlp.PROTOBUF} or {otlp.JSON}")
        return otlp.decode_request(text, self._is_json(facts))

    def succeed(self, facts: Facts, event_count: int) -> Answer:
        """Return an empty response: everything was taken."""
        is_json = self._is_json(facts)
        return self._answer(200, otlp.encode_success(is_json), is_json)

    def refuse(self, facts: Facts, error: RequestError) -> Answer:
        """Return a Status."""
        is_json = self._is_json(facts)
        return self._answer(error.status, otlp.encode_failure(str(error), is_json), is_json)

    def postpone(self, facts: Facts, error: BusyError) -> Answer:
        """Return a Status, and when to come back."""
        is_json = self._is_json(facts)
        body = otlp.encode_failure(str(error), is_json)
        return self._answer(error.status, body, is_json, error.retry_after_seconds)

    def _is_json(self, facts: Facts) -> bool:
        return facts.content_type == otlp.JSON

    def _answer(self, status: int, body: bytes, is_json: bool, retry: int | None = None) -> Answer:
        return Answer(status, body, otlp.JSON if is_json else otlp.PROTOBUF, retry)


def _answer_json(status: int, body: Mapping[str, object], retry: int | None = None) -> Answer:
    return Answer(status, json.dumps(body).encode(), JSON, retry)
