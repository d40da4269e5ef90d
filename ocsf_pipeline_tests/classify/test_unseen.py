"""Measuring products that no pack knows: what is left out is left out everywhere."""

from __future__ import annotations

import json
from importlib.resources import files

import polars as pl

from ocsf_pipeline.bench.unseen import (
    Known,
    choose_hits,
    group_sources,
    match_products,
    measure_unseen,
    relate_products,
)
from ocsf_pipeline.classify.evaluate import Label
from ocsf_pipeline.classify.ranker import list_training_texts
from ocsf_pipeline_tests.classify.conftest import Knowledge


def test_sources_are_related_to_packs_by_telling_words() -> None:
    packs = {"cisco_asa", "cisco_ftd", "okta", "palo_alto_cortex_xdr"}
    related = relate_products({"cisco_asa", "okta_system_log", "acme_audit"}, packs)
    assert related["cisco_asa"] == {"cisco_asa"}
    assert related["okta_system_log"] == {"okta"}
    assert related["acme_audit"] == frozenset()


def test_the_list_of_the_project_names_packs_that_there_are() -> None:
    packs = (files("ocsf_pipeline") / "packs").iterdir()
    products = {path.name.removesuffix(".yaml") for path in packs}
    told = json.loads((files("ocsf_pipeline.bench") / "related_packs.json").read_text("utf-8"))
    related = relate_products(told, products)
    assert related["linux_su"] == {"linux_sudo_su_pam"}
    for source, patterns in told.items():
        for pattern in patterns:
            assert match_products([pattern], products), f"{source}: no pack is named {pattern}"


def test_sources_that_share_a_pack_stay_together() -> None:
    related = {"a": frozenset({"p"}), "b": frozenset({"p"}), "c": frozenset(), "d": frozenset()}
    groups = group_sources(related, {"a": 5, "b": 1, "c": 3, "d": 2}, 2)
    assert sorted(map(sorted, groups)) == [["a", "b"], ["c", "d"]]


def test_hits_are_numbered_anew_without_what_is_left_out(knowledge: Knowledge) -> None:
    hits = knowledge.index.search_chunks([query.text for query in knowledge.queries[:6]], 50)
    chosen = choose_hits(hits, [4, 1], {"okta"}, limit=7)
    assert set(chosen["query_no"]) == {0, 1}
    assert "okta" not in chosen["product"].drop_nulls().to_list()
    assert chosen.group_by("query_no").len()["len"].to_list() == [7, 7]
    first = hits.filter((pl.col("query_no") == 4) & (pl.col("product") != "okta"))
    assert set(chosen.filter(pl.col("query_no") == 0)["chunk_id"]) >= {first["chunk_id"][0]}


def test_every_label_is_decided_once(knowledge: Knowledge) -> None:
    texts = list_training_texts(knowledge.queries)
    known = Known(
        knowledge.schema, knowledge.examples, knowledge.queries,
        knowledge.index.search_chunks(texts, 40), knowledge.embeddings,
    )  # fmt: skip
    rows = [*range(0, len(knowledge.queries), 5)]
    labels = [
        Label(
            str(row),
            knowledge.examples[row].class_uid,
            frozenset({knowledge.examples[row].class_uid}),
            source=knowledge.examples[row].product,
        )
        for row in rows
    ]
    asked = [knowledge.queries[row] for row in rows]
    hits = knowledge.index.search_chunks([query.text for query in asked], 40)
    related = {label.source: frozenset({label.source}) for label in labels}
    report = measure_unseen(known, labels, (asked, hits, knowledge.embeddings[rows]), related, 2)
    assert report.overall.count == len(rows)
    # Four products of different kinds know little of each other; chance would be a fortieth.
    assert report.overall.top3 > 0.2
