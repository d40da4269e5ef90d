"""Trieve's failures: told apart, tried again where that helps, and never with the key in them."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from ocsf_pipeline.adapters.trieve import TrieveClassIndex, errors
from ocsf_pipeline.adapters.trieve.transport import TrieveTransport
from ocsf_pipeline.ports import PermanentPortError, TransientPortError
from ocsf_pipeline_tests.contracts.class_index import CHUNKS, fill
from ocsf_pipeline_tests.fakes.trieve_server import (
    HTML_502,
    OWNER,
    READER,
    TrieveStandIn,
    make_place,
    serve_trieve,
)

SCROLL = "POST /api/chunks/scroll"


class Waits:
    """Takes the place of sleeping; keeps the times."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


@pytest.fixture
def server() -> TrieveStandIn:
    return TrieveStandIn()


@pytest.fixture
def url(server: TrieveStandIn) -> Iterator[str]:
    with serve_trieve(server) as base:
        yield base
    assert server.faults == []


def open_index(url: str, **changes: Any) -> TrieveClassIndex:
    return TrieveClassIndex(make_place(url, **changes), sleep=lambda _: None)


@pytest.mark.parametrize(
    ("status", "message", "error", "advice"),
    [
        (401, "Unauthorized", errors.TrieveKeyRefusedError, "TRIEVE_API_KEY"),
        (403, "Forbidden", errors.TrieveOrganizationRefusedError, "TRIEVE_ORGANIZATION_ID"),
        (404, "Not Found: Dataset", errors.TrieveDatasetMissingError, "TRIEVE_DATASET_ID"),
        (413, "more than 120 chunks", errors.TrieveBatchTooLargeError, "BATCH_CHUNK_LIMIT"),
        (426, "Please upgrade", errors.TrieveBatchTooLargeError, "UNLIMITED=true"),
        (400, "Json Deserialization Error: *Type*", errors.TrieveRejectedError, "Json"),
        (307, "", errors.TrieveRejectedError, "redirects"),
    ],
)
def test_a_refusal_says_what_to_check_and_is_not_repeated(
    server: TrieveStandIn, url: str, status: int, message: str, error: type, advice: str
) -> None:
    server.add_dataset("ocsf-pipeline")
    server.fail(SCROLL, status, message, times=99)
    with pytest.raises(error, match=advice) as caught:
        open_index(url).read_state()
    assert isinstance(caught.value, PermanentPortError)
    assert server.requests.count(SCROLL) == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [(408, "extended load"), (429, "slow"), (500, "oh"), (502, HTML_502), (503, ""), (504, b"")],
)
def test_a_passing_failure_is_tried_again_with_growing_waits(
    server: TrieveStandIn, url: str, status: int, body: str | bytes
) -> None:
    server.add_dataset("ocsf-pipeline")
    server.fail(SCROLL, status, body, times=4)
    waits = Waits()
    index = TrieveClassIndex(make_place(url), sleep=waits)
    assert dict(index.read_state().chunk_hashes) == {}
    assert server.requests.count(SCROLL) == 5
    for wait, longest in zip(waits.seconds, (0.5, 1.0, 2.0, 4.0), strict=True):
        assert longest / 2 <= wait <= longest


def test_retries_end(server: TrieveStandIn, url: str) -> None:
    server.add_dataset("ocsf-pipeline")
    server.fail(SCROLL, 502, HTML_502, times=99)
    with pytest.raises(errors.TrieveUnreachableError, match="a page that is no JSON") as caught:
        open_index(url, attempts=3).read_state()
    assert isinstance(caught.value, TransientPortError)
    assert server.requests.count(SCROLL) == 3


def test_every_call_is_tried_again(server: TrieveStandIn, url: str) -> None:
    """Also when the request was carried out and only its answer was lost."""
    for path in (
        "GET /api/dataset",
        "POST /api/dataset",
        "POST /api/chunk",
        "DELETE",
        "GET /api/c",
    ):
        server.fail(path, 502, HTML_502)
        server.fail(path, 502, HTML_502, after=True)
    index = open_index(url)
    fill(index, CHUNKS)
    fill(index, CHUNKS[1:])
    assert set(index.read_state().chunk_hashes) == {item.chunk_id for item in CHUNKS[1:]}
    assert all(failure.times == 0 for failure in server.failures)


def test_a_server_that_is_not_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(errors.TrieveUnreachableError, match="TRIEVE_BASE_URL"):
        open_index(url, attempts=2).read_state()


def test_a_server_that_says_nothing() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(errors.TrieveUnreachableError, match="imed out"):
            open_index(url, attempts=2, read_timeout_s=0.05).read_state()


def test_something_else_answers(server: TrieveStandIn, url: str) -> None:
    server.fail("GET /api/dataset", 200, b"<html>Welcome</html>")
    with pytest.raises(errors.TrieveRejectedError, match="is not Trieve's API"):
        open_index(url).read_state()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"api_key": "tr-unknown"}, errors.TrieveKeyRefusedError),
        ({"api_key": READER}, errors.TrieveOrganizationRefusedError),
        (
            {"organization_id": "5a1d2b1e-3c9e-4a37-8b7a-9a5c0b1f2e33"},
            errors.TrieveOrganizationRefusedError,
        ),
    ],
)
def test_wrong_access_is_told_apart(
    server: TrieveStandIn, url: str, changes: dict[str, str], error: type
) -> None:
    with pytest.raises(error):
        fill(open_index(url, **changes), CHUNKS)


def test_a_dataset_by_uuid_is_used_and_never_created(server: TrieveStandIn, url: str) -> None:
    missing = open_index(url, dataset="11111111-2222-3333-4444-555555555555")
    assert missing.read_version() is None
    with pytest.raises(errors.TrieveDatasetMissingError, match="TRIEVE_DATASET_ID"):
        fill(missing, CHUNKS)
    there = server.add_dataset(None)
    fill(open_index(url, dataset=there.id), CHUNKS)
    assert len(there.rows) == len(CHUNKS) + 1


@pytest.mark.parametrize(
    ("mode", "knobs", "error", "advice"),
    [
        ("bm25", {"is_bm25_active": False}, errors.TrieveBm25DisabledError, "BM25_ACTIVE=true"),
        ("hybrid", {"is_reranker_up": False}, errors.TrieveRerankerDownError, "RERANKER_SERVER"),
    ],
)
def test_a_mode_that_the_server_cannot_do(
    server: TrieveStandIn, url: str, mode: str, knobs: dict[str, bool], error: type, advice: str
) -> None:
    fill(open_index(url), CHUNKS)
    for name, value in knobs.items():
        setattr(server, name, value)
    with pytest.raises(error, match=advice):
        open_index(url, search_mode=mode, attempts=2).search_chunks(["user logs on"], 3)


def test_an_embedding_server_that_is_down_is_waited_for(server: TrieveStandIn, url: str) -> None:
    index = open_index(url)
    fill(index, CHUNKS)
    search = "POST /api/chunk/search"
    server.fail(search, 400, "Error getting dense vector: connection refused", times=2)
    assert len(index.search_chunks(["user logs on"], 3)) == 3
    server.fail(search, 400, "SPARSE_SERVER_QUERY_ORIGIN does not exist")
    with pytest.raises(errors.TrieveRejectedError, match="set that variable"):
        index.search_chunks(["user logs on"], 3)
    server.fail(search, 400, "Error getting dense vector", times=99)
    with pytest.raises(errors.TrieveModelDownError, match="embedding servers"):
        index.search_chunks(["user logs on"], 3)


def test_the_key_is_in_no_log_and_no_error(
    server: TrieveStandIn, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    place = make_place(url)
    index = TrieveClassIndex(place, sleep=lambda _: None)
    fill(index, CHUNKS)
    told = [repr(place), repr(index)]
    for status in (400, 401, 403, 404, 413, 500, 502):
        server.fail(SCROLL, status, f"refused {status}", times=place.attempts)
        with pytest.raises((PermanentPortError, TransientPortError)) as caught:
            index.read_state()
        told.append(f"{caught.value!r} {caught.value.__cause__!r}")
    assert caplog.text
    assert OWNER not in caplog.text + "".join(told)


def test_the_library_is_loaded_only_when_it_is_needed() -> None:
    code = (
        "import sys; from ocsf_pipeline.adapters.trieve import TrieveClassIndex\n"
        "print('trieve_py_client' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr


def test_without_the_library_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trieve_py_client.api_client", None)
    with pytest.raises(PermanentPortError, match=r"ocsf-pipeline\[trieve\]"):
        TrieveTransport(make_place("http://127.0.0.1:9")).call("GET", "/api/x")
