"""The compiled pass vouches only for what slower readers confirm."""

import json
from itertools import combinations
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocsf_pipeline.logs.shapes import build_structured_shapes
from ocsf_pipeline.logs.survey import KeyMeanings

UNTIMED = settings(deadline=None)  # the first call compiles the pass
MEANINGS = KeyMeanings()
KEYS = st.sampled_from(
    ["eventName", "action", "log.type", "type", "user", "id", "x", "message", "é", "category"]
)
WORDS = st.sampled_from(
    ["login", "a b", "x1", "12345678", "1-2-3-4", "a/b", "<x>", "v12", "é", "a:b", 'q"q', "b\\s"]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | WORDS
)
OBJECTS = st.dictionaries(
    KEYS,
    st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=5,
)


def survey(*texts: str) -> pl.DataFrame:
    found = MEANINGS.survey(pl.Series("text", texts, dtype=pl.String))
    return pl.DataFrame([found.is_plain, found.may_wrap, found.structure])


def shapes_of(*texts: str) -> list[str]:
    frame = pl.DataFrame({"fields": texts})
    shape = build_structured_shapes(pl.col("fields"), pl.lit("json"))
    return frame.select(shape.alias("s"))["s"].to_list()


def compact(item: Any, *, is_ascii: bool = False) -> str:
    return json.dumps(item, separators=(",", ":"), ensure_ascii=is_ascii)


@UNTIMED
@given(st.lists(OBJECTS, min_size=2, max_size=6))
def test_equal_structures_have_equal_shapes(objects: list[dict[str, Any]]) -> None:
    texts = [compact(item) for item in objects]
    structures, shapes = survey(*texts)["structure"].to_list(), shapes_of(*texts)
    for left, right in combinations(range(len(texts)), 2):
        if structures[left] is not None and structures[left] == structures[right]:
            assert shapes[left] == shapes[right]


@UNTIMED
@given(st.text(max_size=60) | st.text(alphabet='{}[]",:\\ ax1n-.e0', max_size=40))
def test_what_it_calls_plain_is_a_json_object(text: str) -> None:
    if survey(text)["is_plain"][0]:
        assert isinstance(json.loads(text), dict)


@UNTIMED
@given(OBJECTS)
def test_compact_json_is_plain_unless_it_needs_the_strict_reader(item: dict[str, Any]) -> None:
    text = compact(item)
    is_hard = any(part in text for part in ("e+", "e-", "e1", "e2", "\\u")) or any(
        len(word.strip("-")) > 17 for word in text.replace("[", ",").replace(":", ",").split(",")
    )
    assert survey(text)["is_plain"][0] or is_hard


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", '"x"', '{"a":1', '{"a":01}', '{"a":1.}', '{"a":-}', '{"a":1e5}', '{"a":tru}',
        '{"a":"\\u00e9"}', '{"a":"\\x"}', '{"a":"\t"}', '{"a": 1}', '{"a":1,}', '{"a":1}}',
        '{"a":]}',
        '{"a":[1}', '{"a":[1,]}', '{,"a":1}', '{"a"}', '{"a":1} ', '{"a\\"b":1}', '{"a":"\\',
        '{"a":' + "[" * 100 + "]" * 100 + "}", '{"a":' + "9" * 30 + "}",
    ],
)  # fmt: skip
def test_it_vouches_for_nothing_unusual(text: str) -> None:
    assert survey(text).row(0) == (False, False, None)


def test_only_keys_at_the_top_may_wrap() -> None:
    found = survey('{"message":"x"}', '{"a":{"message":"x"}}', '{"a":"message"}')
    assert found["may_wrap"].to_list() == [True, False, False]


def test_values_of_naming_keys_and_brackets_tell_structures_apart() -> None:
    found = survey(
        '{"action":"login","user":"a"}', '{"action":"login","user":"b"}',
        '{"action":"logout","user":"a"}', '{"action":"4625","user":"a"}',
        '{"action":4625,"user":"a"}',
        '{"action":["login"],"user":"a"}',
    )["structure"]  # fmt: skip
    assert found[0] == found[1]
    assert found.n_unique() == 5


def test_ids_in_naming_keys_do_not_make_structures() -> None:
    texts = [f'{{"action":"{number}"}}' for number in range(10_000_000, 10_000_050)]
    assert survey(*texts)["structure"].n_unique() == 1


def test_more_new_keys_than_one_round_learns_are_left_or_learned() -> None:
    keys = KeyMeanings()
    texts = pl.Series([f'{{"key{number}":1}}' for number in range(20_000)])
    first = keys.survey(texts)
    again = keys.survey(texts)
    assert again.structure.null_count() <= first.structure.null_count()
    assert again.structure.drop_nulls().is_unique().all()
