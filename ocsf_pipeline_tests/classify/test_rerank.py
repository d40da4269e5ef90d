"""Weighing a second opinion: it moves the ranker's, and its failure leaves it."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pytest

from ocsf_pipeline.classify.rerank import (
    Outcome,
    blend_scores,
    has_outcome,
    rerank_unsure,
    spell_version,
)
from ocsf_pipeline.ports import Candidate, PermanentPortError, Reranking, RerankQuestion
from ocsf_pipeline_tests.classify.conftest import Knowledge
from ocsf_pipeline_tests.fakes.reranker import FakeReranker

FLAT = [Candidate(3002, "Authentication", 0.4), Candidate(3001, "Account Change", 0.3),
        Candidate(6003, "API Activity", 0.1)]  # fmt: skip


def scores(candidates: Sequence[Candidate]) -> dict[int, float]:
    return {item.class_uid: item.score for item in candidates}


def test_a_sure_choice_comes_first_and_sums_stay_below_one() -> None:
    rated = blend_scores(FLAT, (0.0, 1.0, 0.0), 0.9)
    assert [item.class_uid for item in rated] == [3001, 3002, 6003]
    assert rated[0].score > 0.9
    assert sum(item.score for item in rated) <= 1.0


def test_trust_is_what_a_choice_weighs() -> None:
    by_trust = [
        scores(blend_scores(FLAT, (0.0, 1.0, 0.0), trust))[3001] for trust in (0.1, 0.5, 0.9)
    ]
    assert by_trust == sorted(by_trust)
    assert by_trust[0] < 0.6


def test_no_opinion_changes_little() -> None:
    even = blend_scores(FLAT, (0.25, 0.25, 0.25), 0.9)
    assert scores(even) == pytest.approx(scores(FLAT), abs=0.03)
    assert [item.class_uid for item in even] == [3002, 3001, 6003]


def test_against_a_ranker_that_rules_it_out_a_choice_is_not_accepted() -> None:
    firm = [Candidate(3002, "Authentication", 0.8), Candidate(6003, "API Activity", 0.00001)]
    assert blend_scores(firm, (0.0, 1.0), 0.9)[0].score < 0.7


def test_none_of_these_lowers_all() -> None:
    rated = blend_scores(FLAT, (0.0, 0.0, 0.0), 0.9)
    assert max(scores(rated).values()) < 0.2


def rank(knowledge: Knowledge, reranker: object) -> tuple[list[list[int]], list[Outcome | None]]:
    sure = [Candidate(3002, "Authentication", 0.99), Candidate(3001, "Account Change", 0.01)]
    rated = rerank_unsure(
        reranker, ["q1", "q2"], ["raw1", "raw2"], [sure, FLAT], knowledge.schema, 0.9
    )  # type: ignore[arg-type]
    return [[c.class_uid for c in item.candidates] for item in rated], [r.outcome for r in rated]


def test_only_what_is_unsure_is_asked_about(knowledge: Knowledge) -> None:
    reranker = FakeReranker()
    order, outcomes = rank(knowledge, reranker)
    assert [question.sample for question in reranker.questions] == ["raw2"]
    [question] = reranker.questions
    assert [len(text) > 20 for text in question.descriptions] == [True] * 3
    assert order == [[3002, 3001], [6003, 3002, 3001]]
    assert outcomes == [None, Outcome.answered]


def test_without_a_reranker_nothing_happens(knowledge: Knowledge) -> None:
    assert rank(knowledge, None) == ([[3002, 3001], [3002, 3001, 6003]], [None, None])


class Raising(FakeReranker):
    def rerank_candidates(self, questions: Sequence[RerankQuestion]) -> list[Reranking]:
        raise PermanentPortError("no such model")


@pytest.mark.parametrize(
    ("reranker", "outcome"),
    [
        (FakeReranker(outage="the endpoint is down"), Outcome.failed),
        (Raising(), Outcome.failed),
        (FakeReranker(lambda question: 9999), Outcome.unanswered),
    ],
    ids=["outage", "raises", "no candidate"],
)
def test_failure_leaves_the_rankers_answer(
    knowledge: Knowledge, reranker: FakeReranker, outcome: Outcome
) -> None:
    order, outcomes = rank(knowledge, reranker)
    assert order[1] == [3002, 3001, 6003]
    assert outcomes == [None, outcome]


def test_the_version_says_what_happened() -> None:
    reranker = FakeReranker()
    versions = {outcome: spell_version("r1", reranker, outcome) for outcome in (None, *Outcome)}
    assert versions[None] == "r1"
    assert versions[Outcome.answered] == "r1+fake"
    assert versions[Outcome.failed] == "r1+fake:failed"
    frame = pl.DataFrame({"ranker_version": list(versions.values())})
    for outcome in Outcome:
        found = frame.filter(has_outcome(outcome))["ranker_version"].to_list()
        assert found == [versions[outcome]]
