"""Rankers: honest probabilities, the same every time, from text alone or with hits as well."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocsf_pipeline.classify import training_rows
from ocsf_pipeline.classify.combine import fit_calibrator
from ocsf_pipeline.classify.hit_features import drop_hits, score_hits
from ocsf_pipeline.classify.noise import build_noise_queries
from ocsf_pipeline.classify.queries import LogQuery, build_query
from ocsf_pipeline.classify.ranker import Ranker, RankerError, train_ranker
from ocsf_pipeline.classify.training_rows import gather_rows, name_event
from ocsf_pipeline.classify.trust import choose_threshold
from ocsf_pipeline.knowledge.hits import HIT_SCHEMA
from ocsf_pipeline_tests.classify.conftest import Knowledge

NO_HITS = HIT_SCHEMA.to_frame()
UNSEEN_LOGIN = json.dumps(
    {"event_type": "UserLoginFailed", "username": "kim", "source_ip": "192.0.2.7"}
)


def ask(document: str) -> LogQuery:
    return build_query(document, document, "json")


def test_learns_its_examples_and_a_product_never_seen(knowledge: Knowledge, ranker: Ranker) -> None:
    best = ranker.rank_classes(knowledge.queries, NO_HITS).argmax(axis=1)
    right = [
        ranker.class_uids[column] in {example.class_uid, *example.acceptable}
        for column, example in zip(best, knowledge.examples, strict=True)
    ]
    assert np.mean(right) > 0.9
    row = ranker.rank_classes([ask(UNSEEN_LOGIN)], NO_HITS)[0]
    assert ranker.class_uids[row.argmax()] == 3002


def test_the_same_examples_give_the_same_ranker(knowledge: Knowledge, ranker: Ranker) -> None:
    again = train_ranker(knowledge.schema, knowledge.examples, knowledge.queries, NO_HITS)
    assert again.version == ranker.version
    assert again.to_bytes() == ranker.to_bytes()


@pytest.mark.parametrize("name", ["ranker", "rich_ranker"])
def test_bytes_bring_back_the_same_answers(
    knowledge: Knowledge, name: str, request: pytest.FixtureRequest
) -> None:
    trained: Ranker = request.getfixturevalue(name)
    stored = Ranker.from_bytes(trained.to_bytes())
    assert stored.version == trained.version
    asked = knowledge.queries[:40]
    hits = knowledge.index.search_chunks([query.text for query in asked], 12)
    answers = [
        item.rank_classes(asked, hits, knowledge.embeddings[:40]) for item in (trained, stored)
    ]
    np.testing.assert_array_equal(*answers)
    assert trained.threshold == stored.threshold


@pytest.mark.parametrize("body", [b"", b"PK\x03\x04 broken", b"not an archive at all"])
def test_bytes_of_something_else_are_refused(body: bytes) -> None:
    with pytest.raises(RankerError, match="materialise `class_ranker` again"):
        Ranker.from_bytes(body)


def test_too_few_classes_are_refused(knowledge: Knowledge) -> None:
    same = [item for item in knowledge.examples if item.class_uid == 3002][:3]
    queries = [ask(UNSEEN_LOGIN)] * len(same)
    with pytest.raises(RankerError, match="add source packs"):
        train_ranker(knowledge.schema, same, queries, NO_HITS)


WORDS = st.text(alphabet="abcdelogin _;:.=0123456789é\x00%", max_size=60)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.builds(
            LogQuery, names=WORDS, message=WORDS, keys=WORDS, kinds=WORDS, source=WORDS,
            values=WORDS, head=WORDS,
        ),
        min_size=1,
        max_size=5,
    )
)  # fmt: skip
def test_probabilities_are_probabilities_whatever_the_text(
    ranker: Ranker, queries: list[LogQuery]
) -> None:
    rows = ranker.rank_classes(queries, NO_HITS)
    assert rows.shape == (len(queries), len(ranker.class_uids))
    assert np.isfinite(rows).all()
    assert (rows >= 0).all()
    assert (rows.sum(axis=1, dtype=np.float64) <= 1).all()


def test_nothing_asked_is_nothing_answered(ranker: Ranker) -> None:
    assert ranker.rank_classes([], NO_HITS).shape == (0, len(ranker.class_uids))
    assert ranker.choose_activities([], []) == []


def test_answers_do_not_depend_on_the_batch(knowledge: Knowledge, rich_ranker: Ranker) -> None:
    asked = knowledge.queries[:10]
    hits = knowledge.index.search_chunks([query.text for query in asked], 12)
    together = rich_ranker.rank_classes(asked, hits, knowledge.embeddings[:10])
    for row, query in enumerate(asked):
        alone = rich_ranker.rank_classes(
            [query],
            knowledge.index.search_chunks([query.text], 12),
            knowledge.embeddings[row : row + 1],
        )
        np.testing.assert_allclose(alone[0], together[row], atol=1e-5)


def test_works_with_whatever_is_at_hand(knowledge: Knowledge, rich_ranker: Ranker) -> None:
    """Trieve gives hits and no vectors; a model may be missing; an index may be empty."""
    asked = knowledge.queries[::7]
    hits = knowledge.index.search_chunks([query.text for query in asked], 12)
    for given_hits in (hits, NO_HITS):
        for vectors in (knowledge.embeddings[: len(knowledge.queries) : 7], None):
            rows = rich_ranker.rank_classes(asked, given_hits, vectors)
            best = [rich_ranker.class_uids[column] for column in rows.argmax(axis=1)]
            right = [
                uid in {example.class_uid, *example.acceptable}
                for uid, example in zip(best, knowledge.examples[::7], strict=True)
            ]
            assert np.mean(right) > 0.85


def test_hits_of_the_own_product_are_left_out_in_training(knowledge: Knowledge) -> None:
    asked = knowledge.queries[:5]
    ids = [item.example_id for item in knowledge.examples[:5]]
    products = [item.product for item in knowledge.examples[:5]]
    owners = {item.example_id: item.product for item in knowledge.examples}
    hits = knowledge.index.search_chunks([query.text for query in asked], 400)
    without_self = drop_hits(hits, ids, {})
    for row, own in enumerate(ids):
        kept = without_self.filter(without_self["query_no"] == row)
        assert own not in kept["chunk_id"].to_list()
        assert products[row] in kept["product"].to_list()
    events = {item.example_id: str(name_event(item)) for item in knowledge.examples}
    without_event = drop_hits(hits, ids, events)
    for row, own in enumerate(ids):
        kept = without_event.filter(without_event["query_no"] == row)
        assert events[own] not in [events.get(name) for name in kept["chunk_id"]]
        assert products[row] in kept["product"].to_list()
    without_product = drop_hits(hits, ids, owners)
    for row, product in enumerate(products):
        kept = without_product.filter(without_product["query_no"] == row)
        assert product not in kept["product"].to_list()
        assert kept.height > 0


def test_hit_scores_know_only_the_classes_that_may_be_proposed(knowledge: Knowledge) -> None:
    hits = knowledge.index.search_chunks([UNSEEN_LOGIN, "zzz"], 50)
    scores = score_hits(hits, 2, (3002, 4001))
    assert scores.shape == (2, 2, 3)
    assert (scores >= 0).all()
    assert (scores <= 1.0001).all()


def test_noise_is_not_accepted(ranker: Ranker) -> None:
    rows = ranker.rank_classes(build_noise_queries(), NO_HITS)
    assert np.mean(rows.max(axis=1) < ranker.threshold) > 0.9


def test_activities_are_of_the_class_asked_for(knowledge: Knowledge, ranker: Ranker) -> None:
    uids = [example.class_uid for example in knowledge.examples]
    chosen = ranker.choose_activities(knowledge.queries, uids)
    right = [
        activity == example.activity_id
        for activity, example in zip(chosen, knowledge.examples, strict=True)
    ]
    assert np.mean(right) > 0.9
    for uid, activity in zip(uids, chosen, strict=True):
        assert activity in knowledge.schema.list_activities(uid)
    assert ranker.choose_activities(knowledge.queries[:1], [999]) == [0]


def test_an_answer_names_the_words_that_carried_it(ranker: Ranker) -> None:
    (terms,) = ranker.explain([ask(UNSEEN_LOGIN)], [3002])
    assert any("login" in term for _part, term, _weight in terms)
    weights = [weight for _part, _term, weight in terms]
    assert weights == sorted(weights, reverse=True)
    assert ranker.explain([ask(UNSEEN_LOGIN)], [999]) == [[]]


def test_what_thinning_leaves_out_are_unseen_logs_of_known_events(
    knowledge: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    uids = tuple(sorted({item.class_uid for item in knowledge.examples}))
    full = gather_rows(knowledge.examples, knowledge.queries, uids)
    assert len(full.spare.examples) == 0
    event_count = len({name_event(item) for item in full.examples})
    monkeypatch.setattr(training_rows, "MAX_ROWS", event_count)
    thinned = gather_rows(knowledge.examples, knowledge.queries, uids)
    assert thinned.example_count == event_count
    assert len(thinned.find_siblings()) == 0
    assert len(thinned.spare.examples) == full.example_count - event_count
    assert not set(thinned.positions) & set(thinned.spare.positions)
    for example, targets in zip(thinned.spare.examples, thinned.spare.targets, strict=True):
        assert uids[int(targets.argmax())] == example.class_uid
    assert train_ranker(knowledge.schema, knowledge.examples, knowledge.queries, NO_HITS)


def test_confidence_asks_which_classes_lead() -> None:
    signs = np.tile([0.4, 0.6], 200)[:, None].astype(np.float32)
    leaders = np.repeat(np.array([[0, 1], [1, 2]]), 200, axis=0)
    right = np.append(np.ones(200, dtype=bool), np.arange(200) % 2 == 0)
    calibrator = fit_calibrator(signs, leaders, 3, right, np.ones(400, dtype=np.float32))
    sure, unsure = calibrator.rate(
        np.full((2, 1), 0.5, dtype=np.float32), np.array([[0, 1], [1, 2]])
    )
    assert sure > 0.9
    assert 0.4 < unsure < 0.6


@pytest.mark.parametrize(("count", "is_reached"), [(200, False), (20_000, True)])
def test_the_threshold_asks_for_more_than_luck(count: int, is_reached: bool) -> None:
    confidence = np.linspace(0.99, 0.5, count, dtype=np.float32)
    right = np.arange(count) % 80 != 79  # 98.75 %
    found = choose_threshold(confidence, right, np.ones(count, dtype=np.float32))
    last = float(confidence[-1])
    assert (found == last) is is_reached
    assert found < confidence[70]
