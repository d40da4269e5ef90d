from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import pytest

from ocsf_pipeline.adapters.schema_package import EmbeddedSchemaSource
from ocsf_pipeline.knowledge.examples import (
    LabelledExample,
    load_examples,
    make_example_id,
    merge_examples,
    split_by_label,
)
from ocsf_pipeline.knowledge.packs import PackError, load_packs
from ocsf_pipeline.schema.model import DEFAULT_VERSION, OcsfSchema
from ocsf_pipeline.schema.parse import parse_schema

PACK = """
product: {product}
vendor: Acme
name: Acme Gateway
family: firewall
formats: [syslog]
about: A gateway.
events:
  - name: login
    class_uid: 3002
    activity_id: 1
    meaning: A user logged on.
    acceptable: [3002, 3003]
    examples: ["user ann logged on", "user bob logged on", "user ann logged on"]
  - name: 4711
    class_uid: 4001
    activity_id: 6
    meaning: Traffic.
    examples: ["traffic from 10.0.0.1"]
"""


@pytest.fixture(scope="module")
def schema() -> OcsfSchema:
    return parse_schema(EmbeddedSchemaSource().fetch_schema(DEFAULT_VERSION).body)


@pytest.fixture
def examples() -> list[LabelledExample]:
    return load_examples(load_packs({"acme": PACK.format(product="acme")}))


def find(examples: list[LabelledExample], raw: str) -> LabelledExample:
    return next(example for example in examples if example.raw == raw)


def test_examples_carry_product_event_and_label(examples: list[LabelledExample]) -> None:
    example = find(examples, "user ann logged on")
    assert (example.product, example.event_name) == ("acme", "login")
    assert (example.class_uid, example.activity_id) == (3002, 1)
    assert (example.acceptable, example.origin) == ((3003,), "pack")
    assert find(examples, "traffic from 10.0.0.1").event_name == "4711"


def test_the_same_example_twice_is_one(examples: list[LabelledExample]) -> None:
    assert len(examples) == 3
    assert [item.example_id for item in examples] == sorted(item.example_id for item in examples)


def test_the_plainest_query_is_the_beginning_of_the_log() -> None:
    text = PACK.format(product="acme").replace("user bob logged on", "b" * 5_000)
    (long,) = [item for item in load_examples(load_packs({"acme": text})) if item.raw[0] == "b"]
    assert long.query == "b" * 1_000


def test_queries_are_made_in_one_call() -> None:
    calls: list[Sequence[str]] = []

    def shout(raws: Sequence[str]) -> list[str]:
        calls.append(raws)
        return [raw.upper() for raw in raws]

    texts = {name: PACK.format(product=name) for name in ("acme", "beta")}
    made = load_examples(load_packs(texts), shout)
    assert len(calls) == 1
    assert all(example.query == example.raw.upper() for example in made)


def test_a_query_maker_that_loses_rows_is_caught() -> None:
    packs = load_packs({"acme": PACK.format(product="acme")})
    with pytest.raises(ValueError, match="shorter"):
        load_examples(packs, lambda raws: raws[1:])


def test_ids_do_not_change_with_labels_or_other_packs(examples: list[LabelledExample]) -> None:
    relabelled = PACK.format(product="acme").replace("class_uid: 3002", "class_uid: 3003")
    more = load_examples(load_packs({"acme": relabelled, "beta": PACK.format(product="beta")}))
    ids = {example.example_id for example in examples}
    assert ids <= {example.example_id for example in more}
    assert find(examples, "user ann logged on").example_id.startswith("example:pack:acme:")


def test_an_override_takes_the_place_of_an_example_with_its_query(
    examples: list[LabelledExample],
) -> None:
    machine = find(examples, "user ann logged on")
    override = replace(
        machine,
        example_id=make_example_id("override", "", "", machine.raw),
        product="",
        class_uid=3003,
        origin="override",
    )
    merged = merge_examples(examples, [override])
    assert machine not in merged
    assert override in merged
    assert len(merged) == len(examples)
    assert merge_examples(examples, []) == examples


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"class_uid": 4242}, r"acme, event 'login': OCSF 1\.8\.0 has no class 4242"),
        ({"class_uid": 2001}, r"class 2001 \(Security Finding\) is deprecated: "),
        ({"activity_id": 55}, r"has no activity 55; choose one of 0, 1, 2"),
    ],
)
def test_labels_that_the_schema_does_not_know_are_told(
    examples: list[LabelledExample], schema: OcsfSchema, change: dict[str, int], reason: str
) -> None:
    wrong = replace(find(examples, "user ann logged on"), **change)  # type: ignore[arg-type]
    usable, problems = split_by_label([*examples, wrong], schema)
    assert usable == examples
    assert [problem.example for problem in problems] == [wrong]
    assert re.search(reason, problems[0].reason)


def test_a_later_folder_replaces_a_pack_of_the_same_name() -> None:
    ours = {"acme": PACK.format(product="acme"), "beta": PACK.format(product="beta")}
    theirs = {"acme": PACK.format(product="acme").replace("vendor: Acme", "vendor: Mine")}
    packs = load_packs(ours, theirs)
    assert list(packs) == ["acme", "beta"]
    assert packs["acme"].vendor == "Mine"
    assert packs["beta"].vendor == "Acme"


def test_a_pack_that_is_replaced_is_not_read() -> None:
    good = {"acme": PACK.format(product="acme")}
    assert list(load_packs({"acme": "not: a pack"}, good)) == ["acme"]
    with pytest.raises(PackError, match="acme"):
        load_packs(good, {"acme": "not: a pack"})
