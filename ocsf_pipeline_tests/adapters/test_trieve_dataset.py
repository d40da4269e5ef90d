"""The Trieve dataset as a state: incremental, crash-proof, repaired, and never more than ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from ocsf_pipeline.adapters.trieve import TrieveClassIndex, errors
from ocsf_pipeline.adapters.trieve.chunks import (
    CHUNK_TAG,
    MARKER_ID,
    make_payload,
    name_tracking_id,
)
from ocsf_pipeline.adapters.trieve.dataset import TrieveDataset
from ocsf_pipeline.adapters.trieve.transport import TrieveTransport, open_client
from ocsf_pipeline.knowledge.chunks import ClassChunk, corpus_version, make_chunk
from ocsf_pipeline.knowledge.plan import plan_index
from ocsf_pipeline.steps.indexes import observe_drift
from ocsf_pipeline_tests.contracts.class_index import CHUNKS, fill
from ocsf_pipeline_tests.fakes.trieve_server import TrieveStandIn, make_place, serve_trieve

POST = "POST /api/chunk"


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def read(self) -> float:
        return self.now


@pytest.fixture
def server() -> TrieveStandIn:
    return TrieveStandIn(delay_ticks=2)


@pytest.fixture
def url(server: TrieveStandIn) -> Iterator[str]:
    with serve_trieve(server) as base:
        yield base
    assert server.faults == []


def open_index(url: str, **changes: Any) -> TrieveClassIndex:
    clock = Clock()
    return TrieveClassIndex(make_place(url, **changes), sleep=clock.sleep, clock=clock.read)


@pytest.fixture
def index(url: str) -> TrieveClassIndex:
    return open_index(url)


def make_corpus(count: int, text: str = "text") -> list[ClassChunk]:
    return [
        make_chunk(f"class:{number}:overview", number, "overview", f"{text} number {number}")
        for number in range(count)
    ]


def assert_holds(server: TrieveStandIn, index: TrieveClassIndex, corpus: list[ClassChunk]) -> None:
    """The dataset is exactly the corpus, on both sides of the server."""
    state = index.read_state()
    assert state.corpus_version == index.read_version() == corpus_version(corpus)
    assert dict(state.chunk_hashes) == {item.chunk_id: item.content_hash for item in corpus}
    ours = [point for point in server.dataset.points.values() if CHUNK_TAG in point.tag_set]
    assert sorted(point.text for point in ours) == sorted(item.text for item in corpus)


# --- incremental ---


def test_only_what_changed_is_sent_in_batches(
    server: TrieveStandIn, index: TrieveClassIndex
) -> None:
    corpus = make_corpus(250)
    fill(index, corpus)
    assert server.requests.count(POST) == 3 + 1  # batches of 120, and the mark
    assert_holds(server, index, corpus)
    server.requests.clear()
    changed = [make_chunk("class:7:overview", 7, "overview", "changed"), *corpus[8:], *corpus[:5]]
    fill(index, changed)
    assert server.requests.count(POST) == 1 + 1
    assert sum(line.startswith("DELETE") for line in server.requests) == 1 + 2  # 5 and 6 went
    assert_holds(server, index, changed)


def test_nothing_changed_sends_nothing(server: TrieveStandIn, index: TrieveClassIndex) -> None:
    fill(index, CHUNKS)
    server.requests.clear()
    fill(index, CHUNKS)
    assert not [line for line in server.requests if line.startswith(("DELETE", POST + "\n"))]
    assert POST not in server.requests


def test_the_version_lacks_until_everything_is_stored(
    server: TrieveStandIn, index: TrieveClassIndex, url: str
) -> None:
    fill(index, CHUNKS)
    reader = open_index(url)
    server.dataset.is_lost = lambda message: True
    with pytest.raises(errors.TrieveIngestionStalledError):
        fill(index, make_corpus(3))
    assert reader.read_version() is None
    assert reader.read_state().corpus_version is None
    with pytest.raises(errors.TrieveNotReadyError, match="cut off"):
        reader.search_chunks(["user logs on"], 3)


def test_a_change_during_a_search_spoils_it(server: TrieveStandIn, url: str) -> None:
    index = open_index(url)
    fill(index, CHUNKS)
    writer = open_index(url)

    def meddle(query: str, texts: Any) -> list[float]:
        del server.dataset.rows[server.dataset.find_row(MARKER_ID).id]  # type: ignore[union-attr]
        return [0.5 for _ in texts]

    server.rerank = meddle
    with pytest.raises(errors.TrieveNotReadyError):
        open_index(url, search_mode="hybrid").search_chunks(["user logs on"], 2)
    fill(writer, CHUNKS)
    assert_holds(server, index, CHUNKS)


# --- ingestion that fails without a word ---


def test_a_lost_batch_is_sent_again(server: TrieveStandIn, index: TrieveClassIndex) -> None:
    lost = []

    def lose_first(message: Any) -> bool:
        lost.append(message)
        return len(lost) == 1

    fill(index, CHUNKS)
    server.dataset.is_lost = lose_first
    corpus = make_corpus(130)
    fill(index, corpus)
    assert len(server.dataset.parked) == 1
    assert_holds(server, index, corpus)


def test_what_is_lost_for_good_is_named(server: TrieveStandIn, index: TrieveClassIndex) -> None:
    fill(index, CHUNKS)
    server.dataset.is_lost = lambda message: any(
        item["tracking_id"].startswith("ocsf:class:") for item in message.payloads
    )
    with pytest.raises(errors.TrieveIngestionStalledError) as caught:
        fill(index, [*CHUNKS, *make_corpus(30)])
    assert "accepted 30 chunks" in str(caught.value)
    assert "class:0:overview, class:10:overview" in str(caught.value)
    assert "and 10 more" in str(caught.value)
    assert "ingestion worker" in str(caught.value)


def test_a_new_text_with_the_old_vector_is_found_and_repaired(
    server: TrieveStandIn, index: TrieveClassIndex
) -> None:
    fill(index, CHUNKS)
    after = [make_chunk("class:4003:overview", 4003, "overview", "Zebra crossing."), *CHUNKS[:2]]
    server.dataset.is_lost = lambda message: True
    with pytest.raises(errors.TrieveIngestionStalledError):
        fill(index, after)
    row = server.dataset.find_row("ocsf:class:4003:overview")
    assert row is not None
    assert row.chunk_html == "Zebra crossing."  # the half that listings show looks right
    assert index.read_state().chunk_hashes["class:4003:overview"] == ""
    server.dataset.is_lost = lambda message: False
    fill(index, after)
    assert_holds(server, index, after)


def test_no_one_waits_for_ever(url: str, server: TrieveStandIn) -> None:
    clock = Clock()
    index = TrieveClassIndex(make_place(url, stall_s=60.0), sleep=clock.sleep, clock=clock.read)
    server.delay_ticks = 10**9
    with pytest.raises(errors.TrieveIngestionStalledError):
        fill(index, CHUNKS)
    assert 120 < clock.now < 180  # sent twice, waited for twice


# --- crashes ---


class KilledError(BaseException):
    """The process died."""


class Deadly:
    """Sends like the library, and dies around one of the requests."""

    def __init__(self, url: str, number: int, is_sent: bool) -> None:
        self._send = open_client(make_place(url))
        self._left = number
        self._is_sent = is_sent

    def __call__(
        self, method: str, path: str, ids: Mapping[str, str], headers: dict[str, str], body: Any
    ) -> tuple[int, bytes]:
        self._left -= 1
        if self._left < 0 and not self._is_sent:
            raise KilledError
        answer = self._send(method, path, ids, headers, body)
        if self._left < 0:
            raise KilledError
        return answer


@pytest.mark.parametrize("is_sent", [False, True], ids=["before", "after"])
def test_a_crash_at_any_request_is_repaired_by_the_next_run(url: str, is_sent: bool) -> None:
    """Every request of a change is where one run dies; the next one makes the same dataset."""
    before, after = make_corpus(4), [*make_corpus(6, "other")[2:], *make_corpus(1)]
    for number in range(200):
        server = TrieveStandIn(delay_ticks=1)
        with serve_trieve(server) as base:
            index = open_index(base)
            fill(index, before)
            clock = Clock()
            doomed = TrieveClassIndex(
                make_place(base, concurrency=1),
                sender=Deadly(base, number, is_sent),
                sleep=clock.sleep,
                clock=clock.read,
            )
            try:
                fill(doomed, after)
            except KilledError:
                pass
            else:
                assert number > 10
                return
            fill(index, after)
            assert_holds(server, index, after)
            assert server.faults == []
    pytest.fail("the change never came to its end")


def test_two_writers_end_in_one_corpus_or_in_an_error(
    server: TrieveStandIn, url: str, index: TrieveClassIndex
) -> None:
    fill(index, CHUNKS)
    theirs = make_chunk("class:9:overview", 9, "overview", "Theirs.")

    def meddle(message: Any) -> bool:
        server.dataset.is_lost = lambda message: False
        server.dataset.enqueue([make_payload(theirs, "their-build")], 0)
        return False

    server.dataset.is_lost = meddle
    wanted = [*CHUNKS, *make_corpus(1)]
    with pytest.raises(errors.TrieveNotReadyError, match="somebody else"):
        fill(index, wanted)
    fill(index, wanted)
    assert_holds(server, index, wanted)


# --- what others did ---


def test_drift_is_seen_and_repaired(server: TrieveStandIn, index: TrieveClassIndex) -> None:
    corpus = make_corpus(6)
    fill(index, corpus)
    assert observe_drift(index, corpus).count == 0
    data = server.dataset
    rows = [data.find_row(name_tracking_id(item.chunk_id)) for item in corpus]
    rows[0].chunk_html = "edited by hand"  # type: ignore[union-attr]
    rows[1].metadata = {**rows[1].metadata, "class_uid": 9999}  # type: ignore[union-attr]
    rows[2].metadata = None  # type: ignore[union-attr]
    data.delete_row(rows[3])  # type: ignore[arg-type]
    data.points[rows[4].id].metadata = {"build_id": "another"}  # type: ignore[union-attr]
    extra = make_chunk("class:77:overview", 77, "overview", "put there by hand")
    data.enqueue([make_payload(extra, "hand")], 0)
    server.settle()

    drift = observe_drift(index, corpus)
    assert drift.missing == ("class:3:overview",)
    assert drift.changed == tuple(f"class:{number}:overview" for number in (0, 1, 2, 4))
    assert drift.unwanted == ("class:77:overview",)
    assert (drift.count, drift.held_version) == (6, None)
    fill(index, corpus)
    assert observe_drift(index, corpus).count == 0
    assert_holds(server, index, corpus)


def test_a_lost_mark_is_drift_too(server: TrieveStandIn, index: TrieveClassIndex) -> None:
    fill(index, CHUNKS)
    server.dataset.delete_row(server.dataset.find_row(MARKER_ID))  # type: ignore[arg-type]
    assert observe_drift(index, CHUNKS).count == 1
    fill(index, CHUNKS)
    assert_holds(server, index, CHUNKS)


def test_a_chunk_of_ours_without_its_name_is_removed(
    server: TrieveStandIn, index: TrieveClassIndex
) -> None:
    odd = make_chunk("example:pack:a/b c:1", 3002, "example", "odd id")
    fill(index, [*CHUNKS, odd])
    row = server.dataset.find_row(name_tracking_id(odd.chunk_id))
    assert row is not None
    assert "/" not in str(row.tracking_id)
    row.metadata = {}
    fill(index, [*CHUNKS, odd])  # stored again in its place
    assert_holds(server, index, [*CHUNKS, odd])
    row = server.dataset.find_row(name_tracking_id(odd.chunk_id))
    row.metadata = {}  # type: ignore[union-attr]
    fill(index, CHUNKS)
    assert_holds(server, index, CHUNKS)


def test_chunks_of_others_are_neither_found_nor_touched(
    server: TrieveStandIn, index: TrieveClassIndex
) -> None:
    fill(index, CHUNKS)
    theirs = {
        "chunk_html": "a user logs on or off, says somebody else",
        "tracking_id": "handbook-1",
        "upsert_by_tracking_id": True,
        "metadata": {"class_uid": 6003, "kind": "example"},
    }
    server.dataset.enqueue([theirs], 0)
    server.settle()
    assert "handbook-1" in {row.tracking_id for row in server.dataset.rows.values()}
    assert observe_drift(index, CHUNKS).count == 0
    hits = index.search_chunks(["a user logs on or off, says somebody else"], 10)
    assert 6003 not in hits["class_uid"]
    fill(index, CHUNKS[:1])
    assert server.dataset.find_row("handbook-1") is not None


def test_a_dataset_removed_by_others_is_made_again(
    server: TrieveStandIn, index: TrieveClassIndex
) -> None:
    fill(index, CHUNKS)
    server.datasets.clear()
    assert dict(index.read_state().chunk_hashes) == {}
    fill(index, CHUNKS)
    assert_holds(server, index, CHUNKS)


# --- listing ---


def test_listing_walks_pages_that_overlap(server: TrieveStandIn, index: TrieveClassIndex) -> None:
    corpus = make_corpus(450)
    fill(index, corpus)
    server.requests.clear()
    assert len(index.read_state().chunk_hashes) == 450
    assert server.requests.count("POST /api/chunks/scroll") < 20


def test_a_chunk_removed_under_the_listing_is_no_error_of_ours(
    server: TrieveStandIn, index: TrieveClassIndex
) -> None:
    fill(index, make_corpus(250))
    real, calls = server.dataset.scroll, []

    def scroll(filters: Any, offset: str | None, size: int) -> Any:
        calls.append(offset)
        if len(calls) == 2 and offset is not None:
            server.dataset.delete_row(server.dataset.rows[offset])
        return real(filters, offset, size)

    server.dataset.scroll = scroll  # type: ignore[method-assign]
    with pytest.raises(errors.TrieveNotReadyError, match="while it was listed"):
        index.read_state()


# --- refusing what would lose data ---


def test_an_empty_corpus_or_batch_or_id_is_refused(url: str, index: TrieveClassIndex) -> None:
    fill(index, CHUNKS)
    place = make_place(url)
    dataset = TrieveDataset(TrieveTransport(place), place)
    with pytest.raises(ValueError, match="empty corpus"):
        plan_index(index.read_state(), [])
    with pytest.raises(ValueError, match="1 to 120"):
        dataset.post_chunks([])
    with pytest.raises(ValueError, match="1 to 120"):
        dataset.post_chunks([{}] * 121)
    with pytest.raises(ValueError, match="without a tracking id"):
        dataset.delete_chunks([""])


def test_nothing_is_ever_deleted_by_filter(server: TrieveStandIn, index: TrieveClassIndex) -> None:
    fill(index, make_corpus(30))
    fill(index, CHUNKS)
    assert "DELETE /api/chunk" not in server.requests


@pytest.mark.parametrize(
    "text",
    [
        "<134>Nov 20 10:00:00 host app: <Event xmlns='x'><A>b</A></Event> & more",
        "nul \x00 bell \x07 lone \ud800 end",
        "&lt;b&gt; is no tag",
        "snow ☃ and 𝄞",
        " ",
        "x" * 30_000,
    ],
    ids=["markup", "controls", "entities", "unicode", "blank", "long"],
)
def test_any_text_is_stored_as_it_is(
    server: TrieveStandIn, index: TrieveClassIndex, text: str
) -> None:
    corpus = [*CHUNKS, make_chunk("example:odd", 3002, "example", text)]
    fill(index, corpus)
    assert observe_drift(index, corpus).count == 0
    row = server.dataset.find_row("ocsf:example:odd")
    assert row is not None
    assert "<" not in row.chunk_html
