"""Searching Trieve: modes, scores by their kind, concurrency, what the ranker makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ocsf_pipeline.adapters.trieve import TrieveClassIndex
from ocsf_pipeline.adapters.trieve.errors import TrieveKeyRefusedError
from ocsf_pipeline.classify.hit_features import score_hits
from ocsf_pipeline.knowledge.hits import HIT_SCHEMA
from ocsf_pipeline_tests.contracts.class_index import CHUNKS, fill
from ocsf_pipeline_tests.fakes.trieve_server import TrieveStandIn, make_place, serve_trieve

SEARCH = "POST /api/chunk/search"
QUERY = "a user logs on or off"


@pytest.fixture
def server() -> TrieveStandIn:
    return TrieveStandIn()


@pytest.fixture
def url(server: TrieveStandIn) -> Iterator[str]:
    with serve_trieve(server) as base:
        fill(open_index(base), CHUNKS)
        yield base
    assert server.faults == []


def open_index(url: str, **changes: Any) -> TrieveClassIndex:
    return TrieveClassIndex(make_place(url, **changes), sleep=lambda _: None)


@pytest.mark.parametrize(
    ("mode", "column", "is_share"),
    [
        ("semantic", "dense_score", True),
        ("fulltext", "lexical_score", False),
        ("bm25", "lexical_score", False),
        ("hybrid", "rerank_score", True),
    ],
)
def test_each_mode_gives_its_kind_of_score(
    url: str, mode: str, column: str, is_share: bool
) -> None:
    hits = open_index(url, search_mode=mode).search_chunks([QUERY], 3)
    assert hits["class_uid"][0] == 3002
    assert (hits[column] == hits["score"]).all()
    others = {"dense_score", "lexical_score", "rerank_score"} - {column}
    assert all(hits[name].null_count() == len(hits) for name in others)
    assert not is_share or hits["score"].max() <= 1.0 + 1e-6


def test_hybrid_widens_with_the_limit_and_lets_the_re_ranker_decide(
    server: TrieveStandIn, url: str
) -> None:
    seen: list[int] = []

    def rerank(query: str, texts: Any) -> list[float]:
        seen.append(len(texts))
        return [float("DNS" in text) for text in texts]

    server.rerank = rerank
    hits = open_index(url, search_mode="hybrid").search_chunks([f"{QUERY}; queries"], 4)
    assert hits["class_uid"][0] == 4003
    assert 4 <= seen[0] <= 8


@pytest.mark.parametrize("mode", ["semantic", "hybrid"])
def test_the_ranker_reads_nearness_from_either_score(url: str, mode: str) -> None:
    hits = open_index(url, search_mode=mode).search_chunks(
        ["named query example.com IN A answered queries"], 5
    )
    scores = score_hits(hits, 1, [3002, 4003])
    assert scores[0, 1, 0] > 0.9  # the example itself
    assert scores[0, 1, 1] == 1.0
    assert 0 < scores[0, 1, 2] < scores[0, 1, 0]


def test_the_ranker_reads_votes_where_no_score_compares(url: str) -> None:
    hits = open_index(url, search_mode="bm25").search_chunks(["named query answered"], 5)
    scores = score_hits(hits, 1, [3002, 4003])
    assert scores[0, 1].tolist() == [0.0, 1.0, 0.0]


def test_requests_are_concurrent_within_the_bound(server: TrieveStandIn, url: str) -> None:
    queries = [f"user {number} logs on" for number in range(40)]
    server.most_at_once = 0
    hits = open_index(url, concurrency=3).search_chunks(queries, 2)
    assert hits["query_no"].unique().to_list() == list(range(40))
    assert server.most_at_once <= 3
    assert server.requests.count(SEARCH) == 40


def test_many_queries_are_searched_block_by_block(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ocsf_pipeline.adapters.trieve.index._QUERIES_PER_BLOCK", 4)
    index = open_index(url)
    queries = [QUERY if number % 2 else "dns query answered" for number in range(11)]
    hits = index.search_chunks(queries, 3)
    for number in range(11):
        alone = index.search_chunks([queries[number]], 3).drop("query_no")
        assert hits.filter(query_no=number).drop("query_no").equals(alone)


def test_queries_without_text_are_not_sent(server: TrieveStandIn, url: str) -> None:
    hits = open_index(url).search_chunks(["", "\x00 \x01", QUERY], 2)
    assert hits["query_no"].unique().to_list() == [2]
    assert server.requests.count(SEARCH) == 1


def test_a_search_fails_as_a_whole(server: TrieveStandIn, url: str) -> None:
    """Half an answer would be decided by silently worse evidence."""
    server.fail(SEARCH, 401, "Unauthorized")
    with pytest.raises(TrieveKeyRefusedError):
        open_index(url).search_chunks([QUERY] * 20, 2)


def test_hits_without_our_metadata_are_left_out(server: TrieveStandIn, url: str) -> None:
    for row in server.dataset.rows.values():
        if row.tracking_id == "ocsf:class:3002:overview":
            row.metadata = {"class_uid": "no number"}
    hits = open_index(url).search_chunks([QUERY], 10)
    assert hits.schema == HIT_SCHEMA
    assert "class:3002:overview" not in hits["chunk_id"]
    assert hits["rank"].to_list() == list(range(len(hits)))


def test_the_name_tells_mode_and_model(url: str) -> None:
    assert open_index(url).name == "trieve semantic fake-bag-of-words"
    assert open_index(url, search_mode="bm25").name == "trieve bm25 fake-bag-of-words"
