"""Explanations: the fields and examples that carried a decision, in words."""

from __future__ import annotations

import json
from typing import Any

import polars as pl

from ocsf_pipeline.classify.explain import Explained, gather_nearest, write_evidence
from ocsf_pipeline.classify.leaves import read_leaves
from ocsf_pipeline.classify.words import OBJECTS, VERBS
from ocsf_pipeline.knowledge.hits import HIT_SCHEMA
from ocsf_pipeline.ports import Candidate
from ocsf_pipeline_tests.classify.conftest import Knowledge

CANDIDATES = (Candidate(3004, "Entity Management", 0.6), Candidate(3001, "Account Change", 0.2))
HIT = {
    "chunk_id": "example:pack:okta:1", "product": "okta", "class_uid": 3004, "activity_id": 6,
    "nearness": 0.71,
}  # fmt: skip


def explain(
    knowledge: Knowledge, fields: dict[str, Any] | None, *terms: tuple[str, str, float],
    raw: str = "", nearest: tuple[dict[str, Any], ...] = (), note: str = "",
) -> list[dict[str, Any]]:  # fmt: skip
    known = Explained(CANDIDATES, terms, (("names", "type=user", 0.1),), nearest, note)
    text = write_evidence(
        known, read_leaves(json.dumps(fields) if fields else "", raw), knowledge.schema,
        {"example:pack:okta:1": "device.enroll"},
    )  # fmt: skip
    found: list[dict[str, Any]] = json.loads(text)
    return found


def test_terms_of_one_field_are_one_line_with_its_value(knowledge: Knowledge) -> None:
    first, *_ = explain(
        knowledge, {"eventType": "device.enrolled", "device": {"serial": "X1"}},
        ("head", "type=enrolled", 0.2), ("head", "enrolled", 0.1), ("names", "enrolled", 0.05),
    )  # fmt: skip
    assert first["kind"] == "event name"
    assert first["text"] == "eventType: device.enrolled (type is enrolled)"
    assert first["weight"] == 0.35


def test_each_part_of_the_query_is_found_in_its_field(knowledge: Knowledge) -> None:
    said = f"{VERBS['changed']} {OBJECTS['password']}"
    fields = {"ip": "192.0.2.7", "msg": "password changed", "targetUser": "x", "EventID": "4723"}
    evidence = explain(
        knowledge, fields, ("kinds", "ipaddress", 0.5), ("concepts", f"m:{said}", 0.4),
        ("keys", "target user", 0.3), ("head", "eventid4723", 0.2), ("source", "json", 0.1),
    )  # fmt: skip
    texts = {item["kind"]: item["text"] for item in evidence}
    assert texts["kind of value"] == "ip: 192.0.2.7 (ipaddress)"
    assert texts["says"] == f"msg: password changed ({said})"
    assert texts["field"] == "targetUser: x (target user)"
    assert texts["event name"] == "EventID: 4723 (eventid4723)"
    assert texts["source"] == "json"


def test_the_runner_up_and_the_examples_are_named(knowledge: Knowledge) -> None:
    evidence = explain(knowledge, {"a": "b"}, nearest=(HIT, {**HIT, "chunk_id": "x"}), note="hm")
    texts = [(item["kind"], item["text"]) for item in evidence]
    assert ("instead of", "Account Change (3001), for: type is user") in texts
    assert ("example", "okta device.enroll: Entity Management, Enroll") in texts
    assert ("example", "okta: Entity Management, Enroll") in texts
    assert texts[-1] == ("reranker", "hm")


def test_a_log_without_fields_is_explained_by_its_text(knowledge: Knowledge) -> None:
    first, *_ = explain(knowledge, None, ("message", "drive", 0.2), raw="drive mounted\x1b[31m")
    assert first["text"] == "message: drive mounted [31m (drive)"


def test_long_and_odd_values_are_cut_and_made_printable(knowledge: Knowledge) -> None:
    first, *_ = explain(
        knowledge, {"note": "alert " + "x" * 500}, ("values", "alert", 0.2), note="a\x00\nb"
    )
    assert len(first["text"]) < 130
    evidence = explain(knowledge, {"a": "b"}, note="a\x00\nb")
    assert evidence[-1]["text"] == "a b"


def test_nearest_examples_are_of_different_products_or_meanings() -> None:
    rows = [
        (0, 0, "e1", 3002, "example", 1, "okta", 0.9, 1.0, None, 1.0),
        (0, 1, "e2", 3002, "example", 1, "okta", 0.8, 1.0, None, 0.9),
        (0, 2, "c1", 3002, "overview", None, None, 0.7, 1.0, None, 0.8),
        (0, 3, "e3", 3002, "example", 2, "okta", 0.6, 1.0, None, 0.7),
        (0, 4, "e4", 3002, "example", 1, "duo", 0.5, 1.0, None, 0.6),
        (0, 5, "e5", 3002, "example", 1, "zoom", 0.4, 1.0, None, 0.5),
    ]
    hits = pl.DataFrame(rows, schema=HIT_SCHEMA, orient="row")
    nearest = gather_nearest(hits)
    assert [hit["chunk_id"] for hit in nearest[0]] == ["e1", "e3", "e4"]
    assert gather_nearest(hits.clear()) == {}
