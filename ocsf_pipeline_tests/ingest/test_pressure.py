"""Too much, too slow, nowhere to store: senders are told to come back, memory is bounded."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from starlette.testclient import TestClient

from ocsf_pipeline.ingest.errors import BusyError
from ocsf_pipeline.ingest.gate import Gate
from ocsf_pipeline.ports import TransientPortError
from ocsf_pipeline_tests.fakes.object_store import FakeObjectStore
from ocsf_pipeline_tests.ingest.conftest import OPTIONS, QUICK, Serve, read_lines

_HASTY = replace(OPTIONS, gather=replace(QUICK, answer_seconds=0.05))
_OTLP = ExportLogsServiceRequest(
    resource_logs=[ResourceLogs(scope_logs=[ScopeLogs(log_records=[LogRecord(event_name="x")])])]
).SerializeToString()


def break_store(store: FakeObjectStore) -> None:
    def fail(key: str) -> None:
        raise TransientPortError("no space left")

    store.before_write = fail


def test_a_store_that_is_away_is_told_in_every_protocol(
    serve: Serve, store: FakeObjectStore
) -> None:
    break_store(store)
    client = serve(replace(_HASTY, drain_seconds=0.1))
    plain = client.post("/logs", content=b'{"a":1}')
    assert (plain.status_code, plain.headers["Retry-After"]) == (503, "5")
    assert "no space left" in plain.json()["error"]
    splunk = client.post("/services/collector/event", content=b'{"event":1}')
    assert (splunk.status_code, splunk.json()["code"]) == (503, 9)
    otlp = client.post(
        "/v1/logs", content=_OTLP, headers={"Content-Type": "application/x-protobuf"}
    )
    assert (otlp.status_code, otlp.headers["Retry-After"]) == (503, "5")
    assert otlp.headers["Content-Type"] == "application/x-protobuf"
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200
    assert client.get("/services/collector/health").json()["code"] == 18
    assert 'ocsf_ingest_refused_total{reason="store"} 3.0' in client.get("/metrics").text


def test_what_the_store_takes_later_is_there_once(serve: Serve, store: FakeObjectStore) -> None:
    break_store(store)
    client = serve(_HASTY)
    assert client.post("/logs", content=b'{"a":1}').status_code == 503
    store.before_write = None
    for _ in range(100):
        if client.post("/logs", content=b'{"a":1}').status_code == 200:
            break
    assert read_lines(store) == [{"a": 1}]
    assert client.get("/readyz").status_code == 200


def test_bytes_that_cannot_be_stored_yet_are_bounded(serve: Serve, store: FakeObjectStore) -> None:
    break_store(store)
    client = serve(replace(_HASTY, max_pending_bytes=3_000, drain_seconds=0.1))
    answers = [client.post("/logs", content=b'{"a":"%d%1000d"}' % (n, n)) for n in range(6)]
    assert [answer.status_code for answer in answers] == [503, 503, 429, 429, 429, 429]
    assert answers[-1].headers["Retry-After"] == "2"
    raw = client.post("/services/collector/raw", content=b"x" * 2_000)
    assert (raw.status_code, raw.json()["code"]) == (503, 9)
    assert "ocsf_ingest_pending_bytes 2" in client.get("/metrics").text


def test_requests_at_a_time_are_bounded(serve: Serve, store: FakeObjectStore) -> None:
    gate = threading.Event()

    def wait(key: str) -> None:
        assert gate.wait(10)

    store.before_write = wait
    client = serve(replace(OPTIONS, max_requests=2))

    def send(number: int) -> int:
        return client.post("/logs", content=b'{"n":%d}' % number).status_code

    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(send, number) for number in range(2)]
        while "in_flight 2.0" not in client.get("/metrics").text:
            pass
        assert send(2) == 429
        gate.set()
        assert [done.result() for done in waiting] == [200, 200]
    assert send(2) == 200


def test_a_body_that_does_not_arrive_is_given_up(serve: Serve, store: FakeObjectStore) -> None:
    """Over ASGI itself: the test client sends bodies whole."""
    client = serve(replace(OPTIONS, body_seconds=0.05))
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        await asyncio.sleep(30)
        raise AssertionError

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    token = client.headers["Authorization"].encode()
    scope = {
        "type": "http", "method": "POST", "path": "/logs", "query_string": b"",
        "headers": [(b"authorization", token)], "client": ("192.0.2.9", 1), "http_version": "1.1",
    }  # fmt: skip
    asyncio.run(client.app(scope, receive, send))  # type: ignore[arg-type]
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]  # type: ignore[operator]


def test_whoever_is_alone_may_be_as_large_as_a_request_may_be() -> None:
    gate = Gate(10, 100, lambda: 0)
    with gate.enter() as first:
        first.grow(500)
        with gate.enter() as second, pytest.raises(BusyError):
            second.grow(1)
    assert (gate.held_bytes, gate.request_count) == (0, 0)


def test_a_closing_gate_sends_everyone_elsewhere(client: TestClient) -> None:
    gate = Gate(10, 100, lambda: 0)
    gate.is_closing = True
    with pytest.raises(BusyError, match="shutting down") as caught, gate.enter():
        pass
    assert caught.value.status == 503
