"""Downloading a schema: conditions, retries, limits, and the last good copy."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator

import httpx
import pytest

from ocsf_pipeline.adapters.schema_download import DownloadSchemaSource
from ocsf_pipeline.ports import PermanentPortError, SchemaDocument, TransientPortError
from ocsf_pipeline_tests.fakes.object_store import FakeObjectStore
from ocsf_pipeline_tests.fakes.schema_documents import server_body, server_document

Answer = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


class Server:
    """Gives the answers in order, the last one for ever; keeps the requests."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer(request) if callable(answer) else answer


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sleeps: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds

    def read(self) -> float:
        return self.now


def good(body: bytes | None = None, **headers: str) -> httpx.Response:
    return httpx.Response(200, content=body or server_body(), headers=headers)


def download(
    server: Server,
    store: FakeObjectStore | None = None,
    clock: Clock | None = None,
    **settings: object,
) -> SchemaDocument:
    clock = clock or Clock()
    source = DownloadSchemaSource(
        store if store is not None else FakeObjectStore(),
        transport=httpx.MockTransport(server),
        sleep=clock.sleep,
        clock=clock.read,
        jitter=lambda _, most: most,
        **settings,  # type: ignore[arg-type]
    )
    return source.fetch_schema("1.8.0")


@pytest.fixture
def filled() -> FakeObjectStore:
    store = FakeObjectStore()
    download(
        Server(good(ETag='"one"', **{"Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"})), store
    )
    return store


# --- the good path ---


def test_a_download_is_kept_with_its_metadata() -> None:
    store = FakeObjectStore()
    document = download(Server(good(ETag='"one"')), store)
    assert document.body == server_body()
    assert document.origin == "https://schema.ocsf.io/1.8.0/export/schema"
    copy = json.loads(store.read_object("schema/1.8.0/copy.json"))
    assert (copy["etag"], copy["sha256"]) == ('"one"', document.sha256)
    assert store.read_object(copy["body_key"]) == document.body
    assert store.writes[-1] == "schema/1.8.0/copy.json"


def test_the_second_request_is_conditional_and_304_uses_the_copy(filled: FakeObjectStore) -> None:
    server = Server(httpx.Response(304))
    writes = len(filled.writes)
    document = download(server, filled)
    headers = server.requests[0].headers
    assert headers["If-None-Match"] == '"one"'
    assert headers["If-Modified-Since"] == "Mon, 01 Jan 2024 00:00:00 GMT"
    assert document.body == server_body()
    assert not document.is_stale
    assert "not modified" in document.note
    assert len(filled.writes) == writes


def test_a_changed_document_replaces_the_copy(filled: FakeObjectStore) -> None:
    changed = json.dumps({**server_document(), "extra": 1}).encode()
    assert download(Server(good(changed, ETag='"two"')), filled).body == changed
    server = Server(httpx.Response(304))
    assert download(server, filled).body == changed
    assert server.requests[0].headers["If-None-Match"] == '"two"'


def test_a_compressed_answer_is_unpacked() -> None:
    packed = gzip.compress(server_body())
    answer = httpx.Response(200, content=packed, headers={"Content-Encoding": "gzip"})
    assert download(Server(answer)).body == server_body()


def test_extensions_are_asked_for_and_kept_apart() -> None:
    store = FakeObjectStore()
    server = Server(good())
    download(server, store, extensions=["win", "linux"])
    assert server.requests[0].url.params["extensions"] == "linux,win"
    download(server, store, extensions=[])
    assert server.requests[1].url.params["extensions"] == ""
    download(server, store)
    assert "extensions" not in server.requests[2].url.params
    assert len([key for key in store.writes if key.endswith("copy.json")]) == 3
    assert len(set(store.writes)) == 6


def test_another_server_is_not_asked_with_this_ones_etag(filled: FakeObjectStore) -> None:
    server = Server(good())
    download(server, filled, base_url="https://ocsf.example.com/mirror/")
    assert str(server.requests[0].url) == "https://ocsf.example.com/mirror/1.8.0/export/schema"
    assert "If-None-Match" not in server.requests[0].headers


def test_a_redirect_is_followed() -> None:
    moved = httpx.Response(302, headers={"Location": "https://schema.ocsf.io/elsewhere"})
    assert not download(Server(moved, good())).is_stale


# --- retries ---


@pytest.mark.parametrize(
    "failure",
    [
        httpx.Response(500),
        httpx.Response(503),
        httpx.Response(429),
        httpx.ReadTimeout("slow"),
        httpx.ConnectError("refused"),
        httpx.RemoteProtocolError("cut off"),
    ],
)
def test_a_passing_failure_is_tried_again(failure: Answer) -> None:
    clock = Clock()
    document = download(Server(failure, failure, good()), clock=clock)
    assert not document.is_stale
    assert clock.sleeps == [0.5, 1.0]


def test_retries_end() -> None:
    server, clock = Server(httpx.Response(500)), Clock()
    with pytest.raises(TransientPortError, match="HTTP 500"):
        download(server, clock=clock, attempts=3)
    assert len(server.requests) == 3
    assert len(clock.sleeps) == 2


def test_retries_end_at_the_deadline() -> None:
    server, clock = Server(httpx.Response(500)), Clock()
    with pytest.raises(TransientPortError):
        download(server, clock=clock, attempts=1000, deadline_s=10.0)
    assert clock.now < 25


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_final_answer_is_not_tried_again(status: int) -> None:
    server = Server(httpx.Response(status))
    with pytest.raises(PermanentPortError, match=f"HTTP {status}"):
        download(server)
    assert len(server.requests) == 1


# --- falling back ---

UNUSABLE = {
    "server error": httpx.Response(500),
    "not found": httpx.Response(404),
    "timeout": httpx.ConnectTimeout("no answer"),
    "garbage": httpx.Response(200, content=b"<html>maintenance</html>"),
    "other json": httpx.Response(200, content=b'{"hello": "world"}'),
    "wrong version": httpx.Response(200, content=server_body("1.7.0")),
    "too large": httpx.Response(200, content=b" " * 100_000),
    "damaged gzip": lambda _: httpx.Response(
        200, content=iter([b"no gzip"]), headers={"Content-Encoding": "gzip"}
    ),
}


@pytest.mark.parametrize("failure", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_the_last_good_copy_is_used_and_said(filled: FakeObjectStore, failure: Answer) -> None:
    writes = len(filled.writes)
    document = download(Server(failure), filled, max_bytes=50_000)
    assert document.is_stale
    assert document.body == server_body()
    assert document.note.startswith("last good copy used: https://schema.ocsf.io/1.8.0/")
    assert len(filled.writes) == writes


@pytest.mark.parametrize(
    ("failure", "error", "message"),
    [
        ("timeout", TransientPortError, "no answer; check the network"),
        ("garbage", PermanentPortError, "not an OCSF schema: not JSON"),
        ("other json", PermanentPortError, "missing 'version'"),
        ("wrong version", PermanentPortError, r"asked for OCSF 1\.8\.0 and got 1\.7\.0"),
        ("too large", PermanentPortError, "more than 50,000 bytes"),
    ],
)
def test_without_a_copy_the_failure_is_raised(
    failure: str, error: type[Exception], message: str
) -> None:
    store = FakeObjectStore()
    with pytest.raises(error, match=message):
        download(Server(UNUSABLE[failure]), store, max_bytes=50_000)
    assert store.writes == []


def test_an_endless_answer_is_cut_off() -> None:
    given = 0

    def pour(_: httpx.Request) -> httpx.Response:
        def pieces() -> Iterator[bytes]:
            nonlocal given
            while True:
                given += 1
                yield b" " * 1000

        return httpx.Response(200, content=pieces())

    with pytest.raises(PermanentPortError, match="more than 50,000 bytes"):
        download(Server(pour), max_bytes=50_000)
    assert given <= 60


def test_a_trickling_answer_is_cut_off_at_the_deadline() -> None:
    clock = Clock()

    def trickle(_: httpx.Request) -> httpx.Response:
        def pieces() -> Iterator[bytes]:
            while True:
                clock.now += 5
                yield b" "

        return httpx.Response(200, content=pieces())

    with pytest.raises(TransientPortError, match="not finished within 60 s"):
        download(Server(trickle), clock=clock, deadline_s=60)


def test_a_small_bomb_is_refused() -> None:
    bomb = gzip.compress(b" " * 3_000_000)

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=iter([bomb]), headers={"Content-Encoding": "gzip"})

    with pytest.raises(PermanentPortError, match="more than 1,000,000 bytes"):
        download(Server(answer), max_bytes=1_000_000)


# --- the copy itself ---


def test_a_damaged_copy_is_ignored_and_replaced(filled: FakeObjectStore) -> None:
    copy = json.loads(filled.read_object("schema/1.8.0/copy.json"))
    filled.write_object(copy["body_key"], b"damaged")
    server = Server(good(ETag='"two"'))
    document = download(server, filled)
    assert "If-None-Match" not in server.requests[0].headers
    assert "damaged and is ignored" in document.note
    assert download(Server(httpx.Response(304)), filled).body == server_body()


def test_unreadable_metadata_is_ignored(filled: FakeObjectStore) -> None:
    filled.write_object("schema/1.8.0/copy.json", b"{}")
    document = download(Server(good()), filled)
    assert "unreadable and is ignored" in document.note


def test_a_kill_between_the_two_writes_leaves_the_old_copy(filled: FakeObjectStore) -> None:
    def die(key: str) -> None:
        if key.endswith("copy.json"):
            raise KeyboardInterrupt

    filled.before_write = die
    changed = json.dumps({**server_document(), "extra": 1}).encode()
    with pytest.raises(KeyboardInterrupt):
        download(Server(good(changed)), filled)
    filled.before_write = None
    document = download(Server(httpx.Response(500)), filled)
    assert document.is_stale
    assert document.body == server_body()


def test_a_store_that_cannot_be_written_does_not_hide_the_schema() -> None:
    def refuse(key: str) -> None:
        raise TransientPortError(f"{key}: disk full")

    document = download(Server(good()), FakeObjectStore(before_write=refuse))
    assert document.body == server_body()
    assert "no copy could be kept" in document.note
    assert "disk full" in document.note


def test_304_without_a_copy_is_an_error() -> None:
    with pytest.raises(PermanentPortError, match="304"):
        download(Server(httpx.Response(304)))
