"""What every ClassIndex must do. Subclass and give the fixture `index`, empty when handed out."""

from __future__ import annotations

import polars as pl
import pytest

from ocsf_pipeline.knowledge.chunks import ClassChunk, make_chunk
from ocsf_pipeline.knowledge.hits import HIT_SCHEMA
from ocsf_pipeline.knowledge.plan import plan_index
from ocsf_pipeline.ports import ClassIndex, PermanentPortError, TransientPortError

CHUNKS = [
    make_chunk("class:3002:overview", 3002, "overview", "Authentication. A user logs on or off."),
    make_chunk("class:3002:activity:1", 3002, "activity", "Authentication: Logon.", activity_id=1),
    make_chunk("class:4003:overview", 4003, "overview", "DNS Activity. Queries and answers."),
    make_chunk("class:1007:overview", 1007, "overview", "Process Activity. A process launched."),
    make_chunk(
        "example:pack:acme_dns:0001",
        4003,
        "example",
        "named query example.com IN A answered",
        activity_id=1,
        product="acme_dns",
    ),
]


def fill(index: ClassIndex, chunks: list[ClassChunk]) -> None:
    index.apply_plan(plan_index(index.read_state(), chunks))


class ClassIndexContract:
    @pytest.fixture
    def index(self) -> ClassIndex:
        raise NotImplementedError

    def test_is_a_class_index(self, index: ClassIndex) -> None:
        assert isinstance(index, ClassIndex)

    def test_an_empty_index_holds_nothing_and_refuses_to_search(self, index: ClassIndex) -> None:
        state = index.read_state()
        assert state.corpus_version is None
        assert dict(state.chunk_hashes) == {}
        with pytest.raises(PermanentPortError, match="knowledge_base"):
            index.search_chunks(["anything"], 3)

    def test_a_plan_makes_the_index_hold_the_corpus(self, index: ClassIndex) -> None:
        plan = plan_index(index.read_state(), CHUNKS)
        state = index.apply_plan(plan)
        assert state.corpus_version == plan.corpus_version
        assert dict(state.chunk_hashes) == {item.chunk_id: item.content_hash for item in CHUNKS}
        assert index.read_state() == state

    def test_the_version_is_that_of_the_state(self, index: ClassIndex) -> None:
        assert index.read_version() is None
        for corpus in (CHUNKS, CHUNKS[1:]):
            fill(index, corpus)
            assert index.read_version() == index.read_state().corpus_version is not None

    def test_the_name_stays(self, index: ClassIndex) -> None:
        fill(index, CHUNKS)
        name = index.name
        fill(index, CHUNKS[1:])
        assert index.name == name

    def test_a_second_plan_is_empty(self, index: ClassIndex) -> None:
        fill(index, CHUNKS)
        plan = plan_index(index.read_state(), CHUNKS)
        assert plan.is_empty
        assert plan.unchanged_count == len(CHUNKS)
        assert index.apply_plan(plan).corpus_version == plan.corpus_version

    def test_a_plan_may_be_applied_twice(self, index: ClassIndex) -> None:
        fill(index, CHUNKS)
        plan = plan_index(index.read_state(), CHUNKS[1:])
        assert index.apply_plan(plan) == index.apply_plan(plan)

    def test_changed_and_removed_chunks_are_followed(self, index: ClassIndex) -> None:
        fill(index, CHUNKS)
        changed = make_chunk("class:4003:overview", 4003, "overview", "Zebra crossing.")
        after = [changed, *(item for item in CHUNKS if item.class_uid not in (4003, 1007))]
        fill(index, after)
        query = "zebra process launched dns query authentication"
        held = set(index.search_chunks([query], 10)["chunk_id"])
        assert held == {item.chunk_id for item in after}
        assert index.search_chunks(["zebra crossing"], 1)["chunk_id"].item() == changed.chunk_id

    def test_a_plan_made_for_another_state_is_refused(self, index: ClassIndex) -> None:
        fill(index, CHUNKS)
        stale = plan_index(index.read_state(), CHUNKS[:3])
        fill(index, CHUNKS[2:])
        with pytest.raises(TransientPortError, match="plan again"):
            index.apply_plan(stale)
        assert set(index.read_state().chunk_hashes) == {item.chunk_id for item in CHUNKS[2:]}

    def test_hits_have_the_documented_columns(self, index: ClassIndex) -> None:
        fill(index, CHUNKS)
        hits = index.search_chunks(["user logs on", "dns query example.com"], 3)
        assert hits.schema == HIT_SCHEMA
        for name in ("query_no", "rank", "chunk_id", "class_uid", "kind", "score"):
            assert hits[name].null_count() == 0

    def test_hits_are_ranked_from_zero_best_first(self, index: ClassIndex) -> None:
        fill(index, CHUNKS)
        hits = index.search_chunks(["user logs on", "dns query", "process launched"], 2)
        for query_no, group in hits.group_by("query_no"):
            assert group["rank"].to_list() == list(range(len(group))), query_no
            assert group["score"].is_sorted(descending=True)
            assert len(group) <= 2
        assert hits["query_no"].is_sorted()
        assert set(hits["query_no"]) == {0, 1, 2}

    @pytest.mark.parametrize(
        ("query", "class_uid"),
        [
            ("a user logs on or off", 3002),
            ("named query example.com answered", 4003),
            ("process launched", 1007),
        ],
    )
    def test_the_nearest_chunk_is_of_the_right_class(
        self, index: ClassIndex, query: str, class_uid: int
    ) -> None:
        fill(index, CHUNKS)
        assert index.search_chunks([query], 1)["class_uid"].item() == class_uid

    def test_hits_carry_what_the_chunk_is(self, index: ClassIndex) -> None:
        fill(index, CHUNKS)
        hits = index.search_chunks(["named query example.com IN A answered"], 5)
        example = hits.row(0, named=True)
        assert example["chunk_id"] == "example:pack:acme_dns:0001"
        assert (example["kind"], example["activity_id"]) == ("example", 1)
        assert example["product"] == "acme_dns"
        overviews = hits.filter(pl.col("kind") == "overview")
        assert overviews["activity_id"].null_count() == len(overviews)
        assert overviews["product"].null_count() == len(overviews)

    def test_no_query_gives_no_rows(self, index: ClassIndex) -> None:
        fill(index, CHUNKS)
        hits = index.search_chunks([], 5)
        assert hits.schema == HIT_SCHEMA
        assert hits.is_empty()

    @pytest.mark.parametrize("query", ["", " ", "\x00\ud7ff☃", "the of and", "a" * 20_000])
    def test_any_query_is_answered(self, index: ClassIndex, query: str) -> None:
        fill(index, CHUNKS)
        assert len(index.search_chunks([query], 2)) <= 2

    def test_a_limit_below_one_is_refused(self, index: ClassIndex) -> None:
        fill(index, CHUNKS)
        with pytest.raises(ValueError, match="limit"):
            index.search_chunks(["user"], 0)
