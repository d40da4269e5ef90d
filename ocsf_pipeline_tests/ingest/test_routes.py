"""The routes, over a store in memory: what is answered, and what lies in the store then."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import replace

import pytest
import zstandard
from starlette.testclient import TestClient

from ocsf_pipeline.ingest.bodies import BodyLimits
from ocsf_pipeline.logs.layout import parse_hour
from ocsf_pipeline_tests.fakes.object_store import FakeObjectStore
from ocsf_pipeline_tests.ingest.conftest import OPTIONS, TOKEN, Serve, read_lines, read_texts

_NDJSON = b'{"a":1}\n{"b":"two"}\n'
_COMPRESSED = {
    "": _NDJSON,
    "identity": _NDJSON,
    "gzip": gzip.compress(_NDJSON),
    "zstd": zstandard.ZstdCompressor().compress(_NDJSON),
    "deflate": zlib.compress(_NDJSON),
}


@pytest.mark.parametrize("encoding", _COMPRESSED)
def test_ndjson_is_stored_as_it_came(
    client: TestClient, store: FakeObjectStore, encoding: str
) -> None:
    headers = {"Content-Encoding": encoding} if encoding else {}
    answer = client.post("/logs", content=_COMPRESSED[encoding], headers=headers)
    assert (answer.status_code, answer.json()) == (200, {"events": 2})
    assert read_lines(store) == [{"a": 1}, {"b": "two"}]
    assert all(parse_hour(key) is not None for key in store.writes)


def test_arrays_and_text_become_lines(client: TestClient, store: FakeObjectStore) -> None:
    client.post("/logs", content=b'[{"a":1},\n {"b":[2, 3]}]')
    client.post("/logs", content=b'sshd[1]: Failed "password"\n\n{"a": 2}\r\n')
    first, second, text, bare = read_lines(store)
    assert (first, second, bare) == ({"a": 1}, {"b": [2, 3]}, {"a": 2})
    assert text["message"] == 'sshd[1]: Failed "password"'
    assert text["source_type"] == "http"
    assert text["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    "document",
    [
        b"time,src_ip,user,action\n1,192.0.2.1,amara,login\n",
        b"<Events><Event><A>1</A></Event><Event><A>2</A></Event></Events>",
        b"not text: \xff\xfe\nmore\n",
        b'[{"a":1},{"b":',
    ],
)
def test_what_is_read_as_a_whole_is_an_object_by_itself(
    client: TestClient, store: FakeObjectStore, document: bytes
) -> None:
    assert client.post("/logs", content=document).status_code == 200
    assert client.post("/logs", content=b'{"a":1}').status_code == 200
    assert len(store.writes) == 2
    ref = next(ref for ref in store.list_objects("") if ref.key.endswith(".log.zst"))
    unpacked = zstandard.ZstdDecompressor().decompressobj()
    raw = store.read_object(ref.key)
    assert document in raw or unpacked.decompress(raw[raw.index(b"\x28\xb5\x2f\xfd") :]) == document


def test_nothing_is_taken_and_nothing_is_stored(client: TestClient, store: FakeObjectStore) -> None:
    for body in (b"", b"\n \n", b"[]", b"[ ]"):
        answer = client.post("/logs", content=body)
        assert (answer.status_code, answer.json()) == (200, {"events": 0})
    assert store.writes == []


def test_hec_events_keep_their_envelope(client: TestClient, store: FakeObjectStore) -> None:
    body = b'{"event":"one","host":"h"} {"event":{"x":1},"sourcetype":"s","time":1.5}'
    answer = client.post("/services/collector/event", content=body)
    assert (answer.status_code, answer.json()) == (200, {"text": "Success", "code": 0})
    assert read_lines(store) == [
        {"sourcetype": "httpevent", "event": "one", "host": "h"},
        {"event": {"x": 1}, "sourcetype": "s", "time": 1.5},
    ]


def test_hec_raw_takes_its_metadata_from_the_url(
    client: TestClient, store: FakeObjectStore
) -> None:
    answer = client.post(
        "/services/collector/raw?host=fw1&sourcetype=cisco:asa&time=1763632800",
        content=b'%ASA-6-302013: Built\r\n{"k":1}\n',
    )
    assert answer.json()["code"] == 0
    said = {"sourcetype": "cisco:asa", "host": "fw1", "time": 1763632800.0}
    assert read_lines(store) == [
        {"event": "%ASA-6-302013: Built", **said},
        {"event": '{"k":1}', **said},
    ]


@pytest.mark.parametrize(
    ("body", "status", "code", "number"),
    [
        (b"", 400, 5, None),
        (b"[]", 400, 5, None),
        (b"text", 400, 6, 0),
        (b'{"event":"a"}{"event":', 400, 6, 1),
        (b'{"event":"a"} x {"event":"b"}', 400, 6, 2),
        (b'{"event":"a", x}', 400, 6, 0),
        (b'{"event":"\xff"}', 400, 6, 0),
        (b'{"event":"a"}{"evnt":"b"}', 400, 12, 1),
        (b'{"event":"a"}{"event":null}', 400, 12, 1),
        (b'{"event":""}', 400, 13, 0),
    ],
)
def test_hec_refuses_as_splunk_does(
    client: TestClient, store: FakeObjectStore, body: bytes, status: int, code: int,
    number: int | None,
) -> None:  # fmt: skip
    answer = client.post("/services/collector", content=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json().get("invalid-event-number") == number
    assert store.writes == []


def test_hec_acknowledges_every_id_that_it_gave_out(client: TestClient) -> None:
    channel = {"X-Splunk-Request-Channel": "0aeeac95-ac74-4aa9-b30d-6c4c0ac581ba"}
    ids = [
        client.post(
            "/services/collector/event", content=b'{"event":"%d"}' % n, headers=channel
        ).json()["ackId"]
        for n in range(3)
    ]
    assert len(set(ids)) == 3
    asked = client.post("/services/collector/ack", json={"acks": ids}, headers=channel)
    assert asked.json() == {"acks": {str(number): True for number in ids}}
    assert client.post("/services/collector/ack", json={"acks": ids}).json()["code"] == 10
    bad = client.post("/services/collector/ack?channel=x", json={"acks": ["1"]})
    assert (bad.status_code, bad.json()["code"]) == (400, 6)


@pytest.mark.parametrize(
    ("header", "status", "code"),
    [
        ("", 401, 2),
        ("Splunk wrong-token-of-tests", 403, 4),
        (f"Negotiate {TOKEN}", 401, 2),
        (f"Splunk {TOKEN}", 200, 0),
        (f"bearer {TOKEN}", 200, 0),
        ("Basic eDphLXRva2VuLW9mLXRoZS10ZXN0cw==", 200, 0),
        ("Basic no-base64", 401, 2),
    ],
)
def test_only_who_has_a_token_may_send(
    client: TestClient, header: str, status: int, code: int
) -> None:
    answer = client.post(
        "/services/collector/event",
        content=b'{"event":"a"}',
        headers={"Authorization": header},
    )
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    plain = client.post("/logs", content=b"a", headers={"Authorization": header})
    assert plain.status_code == status


def test_bodies_are_bounded_as_sent_and_decompressed(serve: Serve, store: FakeObjectStore) -> None:
    client = serve(replace(OPTIONS, body=BodyLimits(max_body_bytes=2_000, max_text_bytes=10_000)))

    def chunks() -> list[bytes]:
        return [b"x" * 500] * 5

    bomb = gzip.compress(b"x" * 1_000_000)
    assert len(bomb) < 2_000
    assert client.post("/logs", content=b"x" * 2_001).status_code == 413
    assert client.post("/logs", content=iter(chunks())).status_code == 413
    assert client.post("/logs", content=bomb).status_code == 413
    assert client.post("/logs", content=zlib.compress(b"x" * 1_000_000),
                       headers={"Content-Encoding": "deflate"}).status_code == 413  # fmt: skip
    assert client.post("/services/collector/raw", content=bomb).json()["code"] == 27
    assert client.post("/logs", content=b"x" * 2_000).status_code == 200
    assert len(store.writes) == 1


def test_damaged_and_unknown_compression_is_refused(client: TestClient) -> None:
    cut = gzip.compress(_NDJSON * 100)[:-20]
    assert client.post("/logs", content=cut).status_code == 400
    snappy = client.post("/logs", content=b"x", headers={"Content-Encoding": "snappy"})
    assert snappy.status_code == 415
    assert "gzip" in snappy.json()["error"]


def test_health_readiness_and_metrics_need_no_token(client: TestClient) -> None:
    client.post("/logs", content=_NDJSON)
    client.headers.pop("Authorization")
    assert client.get("/healthz").json() == {"status": "alive"}
    assert client.get("/readyz").json() == {"status": "ready"}
    assert client.get("/services/collector/health").json()["code"] == 17
    metrics = client.get("/metrics").text
    assert 'ocsf_ingest_events_total{route="logs",sender="tests"} 2.0' in metrics
    assert "ocsf_ingest_objects_total 1.0" in metrics
    assert "ocsf_ingest_ready 1.0" in metrics


def test_wrong_methods_and_paths_are_told(client: TestClient) -> None:
    assert client.get("/logs").status_code == 405
    assert client.post("/elsewhere").status_code == 404


def test_stored_text_is_what_was_sent(client: TestClient, store: FakeObjectStore) -> None:
    client.post("/logs", content=b'{"keep":  "spaces" }\n{"and":"order"}')
    assert read_texts(store) == ['{"keep":  "spaces" }\n{"and":"order"}\n']
