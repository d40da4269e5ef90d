"""Decisions: whole rows, honest status, evidence that an analyst can read."""

from __future__ import annotations

import json

import polars as pl

from ocsf_pipeline.classify.decide import decide_templates
from ocsf_pipeline.classify.decisions import DECISION_SCHEMA
from ocsf_pipeline.classify.ranker import Ranker
from ocsf_pipeline_tests.classify.conftest import Knowledge
from ocsf_pipeline_tests.fakes.embedder import FakeEmbedder
from ocsf_pipeline_tests.fakes.reranker import FakeReranker

LOGIN = json.dumps({"eventType": "user.session.start", "actor": {"type": "User"}})
PROSE = "It rained all afternoon, so we stayed in and read the old letters once more."


def frame(*logs: tuple[str, str, str]) -> pl.DataFrame:
    rows = [
        {
            "template_id": f"t{number}",
            "format": log_format,
            "vendor": None,
            "product": None,
            "sample_fields": fields,
            "sample_raw": raw,
        }
        for number, (log_format, fields, raw) in enumerate(logs)
    ]
    names = ("template_id", "format", "vendor", "product", "sample_fields", "sample_raw")
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String))


TWO = frame(("json", LOGIN, LOGIN), ("text", json.dumps({"message": PROSE}), PROSE))


def decide(
    knowledge: Knowledge, ranker: Ranker, templates: pl.DataFrame = TWO, threshold: float = 0.5
) -> pl.DataFrame:
    return decide_templates(
        templates, knowledge.schema, ranker, knowledge.index, FakeEmbedder(), threshold, "k1"
    )


def test_one_whole_row_per_template_in_order(knowledge: Knowledge, rich_ranker: Ranker) -> None:
    rows = decide(knowledge, rich_ranker)
    assert rows.schema == DECISION_SCHEMA
    assert rows["template_id"].to_list() == ["t0", "t1"]
    first = rows.row(0, named=True)
    assert first["class_uid"] == 3002
    assert first["class_name"] == "Authentication"
    assert first["category_uid"] == 3
    assert first["type_uid"] == 300200 + first["activity_id"]
    assert first["ranker_version"] == rich_ranker.version
    assert first["knowledge_version"] == "k1"
    candidates = json.loads(first["candidates"])
    assert candidates[0]["class_uid"] == 3002
    assert len(candidates) == 5
    assert sum(item["score"] for item in candidates) <= 1.0001
    scores = [item["score"] for item in candidates]
    assert scores == sorted(scores, reverse=True)


def test_prose_is_for_review(knowledge: Knowledge, rich_ranker: Ranker) -> None:
    rows = decide(knowledge, rich_ranker)
    assert rows["confidence"][1] < rows["confidence"][0]
    assert rows["status"][1] == "review"


def test_the_threshold_alone_decides_the_status(knowledge: Knowledge, ranker: Ranker) -> None:
    assert set(decide(knowledge, ranker, threshold=0.0)["status"]) == {"accepted"}
    assert set(decide(knowledge, ranker, threshold=1.0)["status"]) == {"review"}


def test_deprecated_classes_are_never_proposed(knowledge: Knowledge, ranker: Ranker) -> None:
    live = {item.uid for item in knowledge.schema.live_classes}
    for text in decide(knowledge, ranker)["candidates"]:
        assert {item["class_uid"] for item in json.loads(text)} <= live


def test_evidence_names_examples_and_words(knowledge: Knowledge, rich_ranker: Ranker) -> None:
    evidence = json.loads(decide(knowledge, rich_ranker)["evidence"][0])
    assert all(set(item) == {"kind", "text", "weight"} for item in evidence)
    kinds = {item["kind"] for item in evidence}
    assert "example" in kinds
    assert kinds - {"example"}
    example = next(item for item in evidence if item["kind"] == "example")
    assert example["text"] == "okta: Authentication, Logon"
    field = next(item for item in evidence if "eventType" in item["text"])
    assert field["text"].startswith("eventType: user.session.start (")


def test_no_templates_give_no_rows(knowledge: Knowledge, ranker: Ranker) -> None:
    rows = decide(knowledge, ranker, TWO.clear())
    assert rows.is_empty()
    assert rows.schema == DECISION_SCHEMA


def test_a_reranker_sees_only_what_is_unsure(knowledge: Knowledge, rich_ranker: Ranker) -> None:
    plain = decide(knowledge, rich_ranker)
    threshold = float(plain["confidence"][0])
    reranker = FakeReranker(trust=0.999)
    rows = decide_templates(
        TWO, knowledge.schema, rich_ranker, knowledge.index, FakeEmbedder(), threshold, "k1",
        reranker,
    )  # fmt: skip
    [question] = reranker.questions
    assert (question.query, question.sample) == (plain["query"][1], PROSE)
    assert len(question.candidates) == 10
    assert rows["class_uid"][0] == plain["class_uid"][0]
    assert rows["class_uid"][1] == question.candidates[-1].class_uid
    assert f"chose {question.candidates[-1].class_uid}" in rows["evidence"][1]
    version = rich_ranker.version
    assert rows["ranker_version"].to_list() == [version, f"{version}+fake"]
    assert [len(json.loads(text)) for text in rows["candidates"]] == [5, 5]


def test_a_reranker_that_fails_leaves_the_rankers_answer(
    knowledge: Knowledge, rich_ranker: Ranker
) -> None:
    plain = decide(knowledge, rich_ranker)
    rows = decide_templates(
        TWO, knowledge.schema, rich_ranker, knowledge.index, FakeEmbedder(), 1.0, "k1",
        FakeReranker(outage="the endpoint did not answer"),
    )  # fmt: skip
    kept = ("class_uid", "activity_id", "confidence", "candidates")
    assert rows.select(kept).equals(plain.select(kept))
    assert "the endpoint did not answer" in rows["evidence"][0]
    assert rows["ranker_version"][0] == f"{rich_ranker.version}+fake:failed"
