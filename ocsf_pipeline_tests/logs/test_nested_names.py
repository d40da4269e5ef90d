"""The compiled search for names in objects agrees with the pattern, or leaves the text to it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ocsf_pipeline.logs.nested_names import find_nested_names
from ocsf_pipeline.logs.shapes import extract_nested_names
from ocsf_pipeline.logs.survey import KeyMeanings
from ocsf_pipeline.samples.labels import read_benchmark_logs, read_sample_logs

untimed = settings(max_examples=500, deadline=None)
MEANINGS = KeyMeanings()
KEYS = st.sampled_from(
    [
        "rule", "event", "Rule", "eventType", "rule.name", "action", "name", "NAME", ".tag",
        "value", "Title", "id", "code", "type", "titles", "x", "é", "rul\u00e9",
        "action\u017f", "event_type", "alert", "y" * 70,
    ]
)  # fmt: skip
NAMES = st.sampled_from(
    [
        "", "login", "a:b", "a b-1", "12345", "123456", "a1b2c3", "a1b2c3d4", "a1b2c3d4e",
        "1a2b3c4d5", "x@y", "<x", 'q"q', "b\\", "é", "a,b", "{", "}", "[1]", '","name":"z',
        "name", "1.2.3.4",
    ]
)  # fmt: skip
SCALARS = NAMES | st.integers(-9, 10**7) | st.none() | st.just(1.5) | st.just([]) | st.just({})
ITEMS: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=9,
)
OBJECTS = st.dictionaries(KEYS, ITEMS, max_size=5)


def compact(item: Any) -> str:
    return json.dumps(item, separators=(",", ":"), ensure_ascii=False)


MEANINGS.survey(  # so that names which damage leaves whole are known
    pl.Series(
        [compact({key: 1}) for key in ("rule", "event", "name", "id", "x", "action", "alert")]
    )
)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """An object as JSON, often damaged in one place."""
    text = compact(draw(OBJECTS))
    if draw(st.integers(0, 2)) == 0:
        place = draw(st.integers(0, len(text) - 1))
        put = draw(st.sampled_from(["", '"', "{", "}", "[", "]", ",", ":", "\\", "1", "é"]))
        text = text[:place] + put + text[place + draw(st.integers(0, 1)) :]
    return text


def find_both(fields: pl.Series) -> tuple[list[str | None], list[str | None], list[int]]:
    """Return what the pass finds, what the pattern finds in the same rows, the rows it left."""
    MEANINGS.survey(fields)
    found, unread = find_nested_names(fields, np.ones(len(fields), dtype=bool), MEANINGS.table)
    slow = extract_nested_names(fields)
    return found.to_list(), slow.scatter(unread, None).to_list(), unread.tolist()


@untimed
@given(st.lists(texts() | st.none(), max_size=6))
@example(['{"rule":{"name":"a","x":1,"name":"b"}}', '{"rule":{"rule":{"name":"a"},"id":5}}', ""])
@example(
    [
        '"rule":{"id":5}',
        'e":{"id":5}',
        '":{"id":5}',
        '{"rule":{"\x0etag":"x"}}',
        '{"rule":[{"x":{"y":[1,{}]},"id":5}',
        "{",
    ]
)
def test_what_the_pass_finds_the_pattern_finds_too(fields: list[str | None]) -> None:
    found, slow, _left = find_both(pl.Series("fields", fields, dtype=pl.String))
    assert found == slow


@untimed
@given(st.lists(texts() | st.none(), min_size=2, max_size=6), st.data())
def test_slices_and_rows_that_are_not_asked(fields: list[str | None], data: st.DataObject) -> None:
    column = pl.Series(fields, dtype=pl.String)[data.draw(st.integers(0, len(fields) - 1)) :]
    where = np.array(
        data.draw(st.lists(st.booleans(), min_size=len(column), max_size=len(column))), dtype=bool
    )
    whole, _slow, left = find_both(column)
    found, left_of_asked = find_nested_names(column, where, MEANINGS.table)
    assert (
        found.to_list() == pl.Series(whole, dtype=pl.String).set(~pl.Series(where), None).to_list()
    )
    assert left_of_asked.tolist() == [row for row in left if where[row]]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('{"rule":{"level":3,"id":"5710"},"agent":{"id":"002"}}', "rule=5710"),
        ('{"a":1,"Event_Type":{".tag":"login_success"}}', "Event_Type=login_success"),
        ('{"alert":{"type":"x","severity":{"id":1},"title":"Port scan"}}', "alert=Port scan"),
        ('{"events":[{"parameters":[{"name":"n"}],"type":"t","name":"login"}]}', "events=login"),
        ('{"event":{"code":4624,"kind":{}}}', "event=4624"),
        ('{"event":{"kind":"x"},"other":{"name":"y"}}', None),
    ],
)  # fmt: skip
def test_it_vouches_for_what_is_common(text: str, name: str | None) -> None:
    assert find_both(pl.Series([text])) == ([name], [name], [])


@pytest.mark.parametrize(
    "text",
    ['{"never met":{"name":"x"}}', '{"rule":{"id":"a"},"alert":{"id":"b"}}', '{"é":{"id":"x"}}'],
)
def test_what_is_in_doubt_is_left(text: str) -> None:
    fields = pl.Series([text])
    keys = KeyMeanings()
    keys.survey(pl.Series(['{"rule":{"id":1},"alert":2,"é":{}}']))
    found, left = find_nested_names(fields, np.ones(1, dtype=bool), keys.table)
    assert (found.to_list(), left.tolist()) == ([None], [0])


@pytest.mark.parametrize("size", [0, 3])
def test_no_texts_and_nulls(size: int) -> None:
    assert find_both(pl.Series([None] * size, dtype=pl.String)) == (
        [None] * size,
        [None] * size,
        [],
    )


def test_samples_have_the_names_that_the_pattern_finds() -> None:
    raws = [sample.raw for sample in (*read_sample_logs(), *read_benchmark_logs())]
    found, slow, left = find_both(pl.Series(raws))
    assert found == slow
    assert len(left) < len(raws) / 10
    assert sum(name is not None for name in found) > 15
