from __future__ import annotations

import random
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocsf_pipeline.adapters.schema_package import EmbeddedSchemaSource
from ocsf_pipeline.knowledge.chunks import (
    MAX_ATTRIBUTES,
    ClassChunk,
    build_class_chunks,
    corpus_version,
    examples_to_chunks,
    hash_corpus,
    make_chunk,
)
from ocsf_pipeline.knowledge.examples import LabelledExample, make_example_id
from ocsf_pipeline.knowledge.words import spell_out, split_name, strip_html
from ocsf_pipeline.schema.model import DEFAULT_VERSION, OcsfSchema
from ocsf_pipeline.schema.parse import parse_schema


@pytest.fixture(scope="module")
def schema() -> OcsfSchema:
    return parse_schema(EmbeddedSchemaSource().fetch_schema(DEFAULT_VERSION).body)


@pytest.fixture(scope="module")
def chunks(schema: OcsfSchema) -> dict[str, ClassChunk]:
    return {chunk.chunk_id: chunk for chunk in build_class_chunks(schema)}


def make_example(
    raw: str, query: str, product: str = "acme", class_uid: int = 3002, activity_id: int = 1
) -> LabelledExample:
    return LabelledExample(
        example_id=make_example_id("pack", product, "login", raw),
        product=product,
        event_name="login",
        class_uid=class_uid,
        activity_id=activity_id,
        acceptable=(),
        raw=raw,
        query=query,
        origin="pack",
    )


# --- chunks of classes ---


def test_every_live_class_has_an_overview_and_no_other_class_has_any(
    schema: OcsfSchema, chunks: dict[str, ClassChunk]
) -> None:
    live = {item.uid for item in schema.live_classes}
    assert {chunk.class_uid for chunk in chunks.values()} == live
    assert {chunk.class_uid for chunk in chunks.values() if chunk.kind == "overview"} == live


def test_an_overview_says_what_the_class_is(chunks: dict[str, ClassChunk]) -> None:
    text = chunks["class:3002:overview"].text
    assert text.startswith("Authentication. Authentication events report")
    assert text.endswith("Category: Identity & Access Management.")


def test_each_activity_has_a_chunk_but_not_unknown_and_other(
    chunks: dict[str, ClassChunk],
) -> None:
    found = {
        chunk.activity_id: chunk.text
        for chunk in chunks.values()
        if chunk.class_uid == 3002 and chunk.kind == "activity"
    }
    assert sorted(found, key=str) == [1, 2, 3, 4, 5, 6, 7]
    assert found[1] == "Authentication: Logon. A new logon session was requested."


def test_attributes_that_set_a_class_apart_come_first(chunks: dict[str, ClassChunk]) -> None:
    words = chunks["class:4003:attributes"].text
    assert words.startswith("DNS Activity attributes: answers, query")
    for common in ("metadata", "severity", "observables", ", time,"):
        assert common not in words
    for chunk in chunks.values():
        if chunk.kind == "attributes":
            assert chunk.text.count(",") < MAX_ATTRIBUTES


def test_no_text_holds_markup(chunks: dict[str, ClassChunk]) -> None:
    for chunk in chunks.values():
        assert "<" not in chunk.text, chunk.chunk_id
        assert "&quot;" not in chunk.text
        assert chunk.text == chunk.text.strip()
        assert "  " not in chunk.text


def test_ids_and_hashes_are_stable_and_unique(
    schema: OcsfSchema, chunks: dict[str, ClassChunk]
) -> None:
    again = build_class_chunks(schema)
    assert len(again) == len(chunks)
    assert {chunk.chunk_id: chunk for chunk in again} == chunks
    assert len({chunk.content_hash for chunk in again}) == len(again)


def test_a_change_in_one_class_changes_only_its_chunks(
    schema: OcsfSchema, chunks: dict[str, ClassChunk]
) -> None:
    dns = schema.classes["dns_activity"].model_copy(update={"description": "Something else."})
    changed = schema.model_copy(update={"classes": {**schema.classes, "dns_activity": dns}})
    changed.__dict__.pop("live_classes", None)
    changed.__dict__.pop("classes_by_uid", None)
    after = {chunk.chunk_id: chunk for chunk in build_class_chunks(changed)}
    different = {key for key, chunk in after.items() if chunk != chunks[key]}
    assert different == {"class:4003:overview"}


# --- chunks of examples ---


def test_an_example_chunk_is_its_query() -> None:
    example = make_example("raw one", "acme login")
    (chunk,) = examples_to_chunks([example])
    assert chunk.chunk_id == example.example_id
    assert (chunk.kind, chunk.text, chunk.class_uid) == ("example", "acme login", 3002)
    assert (chunk.activity_id, chunk.product) == (1, "acme")


def test_examples_that_read_alike_give_one_chunk_whatever_their_order() -> None:
    examples = [make_example(f"raw {number}", "same query") for number in range(5)]
    first = examples_to_chunks(examples)
    assert len(first) == 1
    assert examples_to_chunks(reversed(examples)) == first


def test_examples_that_differ_in_label_or_product_stay_apart() -> None:
    examples = [
        make_example("raw", "query"),
        make_example("raw 2", "query", class_uid=3003),
        make_example("raw 3", "query", activity_id=2),
        make_example("raw", "query", product="other"),
    ]
    assert len(examples_to_chunks(examples)) == 4


def test_examples_per_event_can_be_bounded_but_not_overrides() -> None:
    examples = [make_example(f"raw {number}", f"query {number}") for number in range(5)]
    assert len(examples_to_chunks(examples, per_event=2)) == 2
    overrides = [replace(example, origin="override") for example in examples]
    assert len(examples_to_chunks(overrides, per_event=2)) == 5


def test_an_example_without_a_query_gives_no_chunk() -> None:
    assert examples_to_chunks([make_example("raw", "  ")]) == []


def test_relabelling_keeps_the_id_and_changes_the_hash() -> None:
    (before,) = examples_to_chunks([make_example("raw", "query")])
    (after,) = examples_to_chunks([replace(make_example("raw", "query"), class_uid=3003)])
    assert before.chunk_id == after.chunk_id
    assert before.content_hash != after.content_hash


# --- versions ---

_CHUNKS = st.lists(
    st.builds(
        make_chunk,
        st.text(min_size=1, max_size=6),
        st.integers(0, 9999),
        st.sampled_from(["overview", "activity", "attributes", "example"]),
        st.text(max_size=20),
        activity_id=st.none() | st.integers(0, 99),
        product=st.none() | st.text(max_size=5),
    ),
    unique_by=lambda chunk: chunk.chunk_id,
    min_size=1,
    max_size=8,
)


@given(_CHUNKS, st.randoms(use_true_random=False))
def test_the_version_does_not_depend_on_order(
    some: list[ClassChunk], shuffler: random.Random
) -> None:
    mixed = list(some)
    shuffler.shuffle(mixed)
    assert corpus_version(mixed) == corpus_version(some)
    assert hash_corpus((item.chunk_id, item.content_hash) for item in mixed) == corpus_version(some)


@given(_CHUNKS)
def test_the_version_depends_on_every_chunk(some: list[ClassChunk]) -> None:
    versions = {corpus_version(some[:cut]) for cut in range(len(some) + 1)}
    assert len(versions) == len(some) + 1


@pytest.mark.parametrize(
    "change",
    [
        {"class_uid": 1},
        {"kind": "example"},
        {"text": "other"},
        {"activity_id": 2},
        {"product": "acme"},
        {"chunk_id": "other"},
    ],
)
def test_the_hash_covers_every_field(change: dict[str, object]) -> None:
    fields: dict[str, object] = {
        "chunk_id": "a",
        "class_uid": 0,
        "kind": "overview",
        "text": "text",
        "activity_id": None,
        "product": None,
    }
    first = make_chunk(**fields)  # type: ignore[arg-type]
    second = make_chunk(**{**fields, **change})  # type: ignore[arg-type]
    assert first.content_hash != second.content_hash


# --- words ---


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("plain", "plain"),
        ("See <code>a_b</code>.", "See a_b."),
        ("one<br>two<p>three</p>", "one two three"),
        ("A &amp; B &lt;c&gt;", "A & B <c>"),
        ("<ul><li>x</li><li>y</li></ul>", "x y"),
        ("a < b and c > d", "a d"),
        ("  many \n spaces ", "many spaces"),
    ],
)
def test_markup_is_removed(html: str, text: str) -> None:
    assert strip_html(html) == text


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("auth_protocol_id", "auth protocol"),
        ("is_mfa", "is mfa"),
        ("uid", "uid"),
        ("ja4_fingerprint_list", "ja4 fingerprint list"),
        ("HTTPRequest", "http request"),
    ],
)
def test_names_become_words(name: str, words: str) -> None:
    assert split_name(name) == words


def test_compounds_are_spelt_out_beside_themselves() -> None:
    assert spell_out("ConsoleLogin by user_name at 10") == (
        "ConsoleLogin Console Login by user_name user name at 10"
    )


@given(st.text(max_size=300))
def test_words_take_any_text(text: str) -> None:
    strip_html(text)
    split_name(text)
    spell_out(text)


@pytest.mark.parametrize("piece", ["a", "_", "aB", "<", " .", "<p", "A_"])
def test_hostile_text_takes_linear_time(piece: str) -> None:
    text = piece * 200_000
    started = time.perf_counter()
    spell_out(text)
    split_name(text)
    strip_html(text[:20_000])
    assert time.perf_counter() - started < 5.0
