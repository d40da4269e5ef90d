"""The stand-in has the surprises that the adapter is written for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ocsf_pipeline.adapters.trieve import errors
from ocsf_pipeline.adapters.trieve.transport import TrieveTransport
from ocsf_pipeline_tests.fakes.trieve_contract import find_faults
from ocsf_pipeline_tests.fakes.trieve_server import TrieveStandIn, make_place, serve_trieve

NAME = "ocsf-pipeline"


@pytest.fixture
def server() -> TrieveStandIn:
    server = TrieveStandIn()
    server.add_dataset(NAME)
    return server


@pytest.fixture
def transport(server: TrieveStandIn) -> Iterator[TrieveTransport]:
    with serve_trieve(server) as url:
        yield TrieveTransport(make_place(url, attempts=1))


def payload(name: str, text: str = "some text", *tags: str, **more: Any) -> dict[str, Any]:
    return {
        "chunk_html": text, "tracking_id": name, "upsert_by_tracking_id": True,
        "tag_set": list(tags), **more,
    }  # fmt: skip


def post(transport: TrieveTransport, *payloads: dict[str, Any]) -> list[dict[str, Any]]:
    answer = transport.call("POST", "/api/chunk", list(payloads), dataset_id=NAME)
    return list(answer["chunk_metadata"])


def scroll(transport: TrieveTransport, **body: Any) -> list[dict[str, Any]]:
    answer = transport.call("POST", "/api/chunks/scroll", body, dataset_id=NAME)
    return list(answer["chunks"])


def test_a_missing_dataset_is_a_500(transport: TrieveTransport) -> None:
    path = "/api/dataset/tracking_id/{tracking_id}"
    with pytest.raises(errors.TrieveUnreachableError, match=r"HTTP 500: Not Found"):
        transport.call("GET", path, ids={"tracking_id": "nowhere"})
    assert transport.find(path, {"tracking_id": "nowhere"}) is None


def test_chunks_show_up_later_and_ids_are_minted_anew(
    server: TrieveStandIn, transport: TrieveTransport
) -> None:
    server.delay_ticks = 3
    (echo,) = post(transport, payload("a"))
    assert [len(scroll(transport)) for _ in range(4)] == [0, 0, 0, 1]
    (stored,) = scroll(transport)
    assert stored["id"] == echo["id"]
    (again,) = post(transport, payload("a", "changed"))
    server.settle()
    (stored,) = scroll(transport)
    assert stored["id"] == echo["id"] != again["id"]
    assert stored["chunk_html"] == "changed"


def test_a_lost_batch_says_nothing_and_leaves_halves(
    server: TrieveStandIn, transport: TrieveTransport
) -> None:
    post(transport, payload("old", "before", metadata={"build": "1"}))
    server.settle()
    server.dataset.is_lost = lambda message: True
    assert (
        len(post(transport, payload("old", "after", metadata={"build": "2"}), payload("new"))) == 2
    )
    server.settle()
    (found,) = scroll(transport)
    assert (found["chunk_html"], found["metadata"]) == ("after", {"build": "2"})
    for build, count in (("1", 1), ("2", 0)):
        condition = {"field": "metadata.build", "match_any": [build]}
        assert len(scroll(transport, filters={"must": [condition]})) == count
    assert len(server.dataset.parked) == 1


def test_tags_are_kept_where_they_are_shown_and_not_where_they_filter(
    server: TrieveStandIn, transport: TrieveTransport
) -> None:
    post(transport, payload("a", "text", "old"))
    server.settle()
    post(transport, payload("a", "text", "new"))
    server.settle()
    assert scroll(transport)[0]["tag_set"] == ["new", "old"]
    for tag, count in (("old", 0), ("new", 1)):
        condition = {"field": "tag_set", "match_any": [tag]}
        assert len(scroll(transport, filters={"must": [condition]})) == count


def test_pages_begin_with_the_last_chunk_of_the_page_before(
    server: TrieveStandIn, transport: TrieveTransport
) -> None:
    post(transport, *(payload(f"c{number}") for number in range(5)))
    server.settle()
    first = scroll(transport, page_size=3)
    second = scroll(transport, page_size=3, offset_chunk_id=first[-1]["id"])
    assert [item["id"] for item in second[:1]] == [first[-1]["id"]]
    assert len({item["id"] for item in first + second}) == 5


def test_121_chunks_are_too_many(transport: TrieveTransport) -> None:
    with pytest.raises(errors.TrieveBatchTooLargeError):
        post(transport, *(payload(f"c{number}") for number in range(121)))


def test_without_upsert_and_without_text_chunks_are_dropped_in_silence(
    server: TrieveStandIn, transport: TrieveTransport
) -> None:
    post(transport, payload("a", "first"), payload("blank", " "))
    server.settle()
    post(transport, payload("a", "second", upsert_by_tracking_id=False))
    server.settle()
    assert [item["chunk_html"] for item in scroll(transport)] == ["first"]
    assert "vectors go to the wrong chunks" in server.faults[0]


@pytest.mark.parametrize(
    ("condition", "left"),
    [
        ({"must": [{"field": "tag_set", "match_any": ["x"]}]}, 2),
        ({"must": [{"tracking_ids": ["c0"]}]}, 2),
        ({}, 0),
        ({"must": [{"field": "tag_set", "match_any": []}]}, 0),
    ],
    ids=["by tag", "by id", "empty filter", "empty list"],
)
def test_deletion_by_filter_is_queued_and_an_empty_one_takes_all(
    server: TrieveStandIn, transport: TrieveTransport, condition: dict[str, Any], left: int
) -> None:
    post(transport, payload("c0", "text", "x"), payload("c1"), payload("c2"))
    server.settle()
    transport.call("DELETE", "/api/chunk", {"filter": condition}, dataset_id=NAME)
    assert len(server.dataset.rows) == 3
    server.settle()
    assert len(server.dataset.rows) == left


@pytest.mark.parametrize(
    "body",
    [
        {"query": "x", "search_type": "semantic", "wieght": 2},
        {"query": "x", "search_type": "hybird"},
        {"search_type": "semantic"},
    ],
)
def test_what_the_server_would_not_understand_is_caught(body: dict[str, Any]) -> None:
    assert find_faults("POST /api/chunk/search", body)
