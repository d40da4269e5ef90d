"""Values that the compiled pass cuts out are those that searching the text finds."""

import json
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocsf_pipeline.logs import found
from ocsf_pipeline.logs.survey import KeyMeanings

untimed = settings(max_examples=300, deadline=None)
MEANINGS = KeyMeanings()
NAMES = [
    "time",
    "host",
    "severity",
    "message",
    "hostname",
    "name",
    "Device",
    "ho\u017ft",
    "x",
    "agent",
]
KEYS = st.sampled_from(NAMES)
TEXTS = st.sampled_from(
    [
        "", "a", "a longer value than twelve", "é" * 30, "x" * 24, "y" * 25, "z" * 300, "ü" * 253,
        'q"q', "b\\", "a,b", "[x]", "{", "}", 'x":"y', '","host":"z', "é,", "ho\u017ftname",
    ]
)  # fmt: skip
SCALARS = TEXTS | st.none() | st.booleans() | st.integers(-99, 10**15) | st.just(1.5)
OBJECTS = st.dictionaries(
    KEYS,
    st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3),
        max_leaves=6,
    ),
    max_size=6,
)


def find_both(
    texts: list[str], key: str, form: int
) -> tuple[list[str | None], list[str | None], int]:
    """Return what the pass finds, what the pattern finds there, how many were unsure."""
    fields = pl.Series("fields", texts, dtype=pl.String)
    survey = MEANINGS.survey(fields)
    rows = np.flatnonzero(survey.has_keys)
    wanted = np.full(len(rows), MEANINGS.table.hash_name(key), dtype=np.uint64)
    forms = np.full(len(rows), form, dtype=np.uint8)
    values, unsure = found.find_values(survey.keys, rows, wanted, forms)
    pattern = found.PATTERNS[form]
    slow = fields[rows].str.extract(pattern if form == found.NESTED_NAME else f'"{key}":' + pattern)
    return values.to_list(), slow.scatter(unsure, None).to_list(), len(unsure)


def compact(item: dict[str, Any]) -> str:
    return json.dumps(item, separators=(",", ":"), ensure_ascii=False)


@untimed
@given(
    st.lists(OBJECTS.map(compact), min_size=1, max_size=6),
    st.sampled_from(["time", "host", "severity", "message", "name"]),
    st.sampled_from(sorted(found.PATTERNS)),
)
def test_the_pass_finds_what_the_pattern_finds(texts: list[str], key: str, form: int) -> None:
    values, slow, _unsure_count = find_both(texts, key, form)
    assert values == slow


@pytest.mark.parametrize(
    ("text", "key", "form", "value"),
    [
        ('{"time":1769000000,"a":"b"}', "time", found.OPEN, "1769000000,"),
        ('{"time":"","x":{"time":"2026"}}', "time", found.OPEN, "2026"),
        ('{"severity":"High"}', "severity", found.WORD, "High"),
        ('{"host":{"id":1,"Name":"web-1"}}', "host", found.NESTED_NAME, "web-1"),
        ('{"message":"a \\"b\\""}', "message", found.TEXT, 'a \\"b\\"'),
    ],
)
def test_it_answers_itself(text: str, key: str, form: int, value: str) -> None:
    assert find_both([text], key, form) == ([value], [value], 0)
