from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocsf_pipeline.knowledge.chunks import ClassChunk, corpus_version, make_chunk
from ocsf_pipeline.knowledge.plan import IndexState, PlanError, plan_index

EMPTY = IndexState(corpus_version=None, chunk_hashes={})


def corpus_of(texts: dict[str, str]) -> list[ClassChunk]:
    return [make_chunk(key, 1, "overview", text) for key, text in texts.items()]


def state_of(chunks: list[ClassChunk]) -> IndexState:
    return IndexState(corpus_version(chunks), {item.chunk_id: item.content_hash for item in chunks})


_CORPORA = st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from("xyz"), min_size=1).map(
    corpus_of
)


@given(_CORPORA, _CORPORA)
def test_a_plan_is_right_and_minimal(held: list[ClassChunk], wanted: list[ClassChunk]) -> None:
    before = {chunk.chunk_id: chunk for chunk in held}
    target = {chunk.chunk_id: chunk for chunk in wanted}
    plan = plan_index(state_of(held), wanted)

    after = {key: chunk for key, chunk in before.items() if key not in plan.deletes}
    after.update((chunk.chunk_id, chunk) for chunk in plan.upserts)
    assert after == target, "carrying the plan out gives the corpus"

    assert all(before.get(chunk.chunk_id) != chunk for chunk in plan.upserts), "no idle upsert"
    assert set(plan.deletes) == set(before) - set(target), "no idle delete"
    assert plan.unchanged_count == len(target) - len(plan.upserts)
    assert plan.corpus_version == corpus_version(wanted)
    assert plan_index(state_of(list(after.values())), wanted).is_empty


@given(_CORPORA, _CORPORA)
def test_a_plan_does_not_depend_on_order(held: list[ClassChunk], wanted: list[ClassChunk]) -> None:
    assert plan_index(state_of(held), wanted) == plan_index(state_of(held[::-1]), wanted[::-1])


def test_an_empty_index_needs_everything() -> None:
    chunks = corpus_of({"a": "x", "b": "y"})
    plan = plan_index(EMPTY, iter(chunks))
    assert [chunk.chunk_id for chunk in plan.upserts] == ["a", "b"]
    assert plan.deletes == ()


@pytest.mark.parametrize("state", [EMPTY, state_of(corpus_of({"a": "x"}))])
def test_an_empty_corpus_is_refused(state: IndexState) -> None:
    with pytest.raises(PlanError, match="empty corpus"):
        plan_index(state, [])


def test_an_id_used_twice_is_refused() -> None:
    chunks = [*corpus_of({"a": "x"}), *corpus_of({"a": "y"})]
    with pytest.raises(PlanError, match="'a' is used twice"):
        plan_index(EMPTY, chunks)
