"""The scan finds what a strict JSON reader finds, and flags what it leaves to that reader."""

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocsf_pipeline.events.decode import DecodedFields, FieldDecoder
from ocsf_pipeline.events.shapes import find_common_shape, find_shape

NAMES = st.sampled_from(["a", "b", "user", "ip", "längere Namen", "x.y", ""])
SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=30)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.dictionaries(NAMES, inner, max_size=4)
        | st.lists(SCALARS, max_size=3)
        | st.lists(st.dictionaries(NAMES, SCALARS, max_size=3), max_size=2)
    ),
    max_leaves=12,
)
UNTIMED = settings(deadline=None)  # the first call compiles the scan
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=5)


def decode(*texts: str | None) -> DecodedFields:
    shape = find_common_shape(texts)
    return FieldDecoder(shape).decode(pl.Series("fields", texts, dtype=pl.String))


def as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)


def find_value(data: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        data = data.get(name) if isinstance(data, dict) else None
    return data


@UNTIMED
@given(st.lists(OBJECTS, min_size=1, max_size=5), st.booleans(), st.booleans())
def test_text_leaves_are_what_a_json_reader_reads(
    objects: list[dict[str, Any]], is_ascii: bool, is_loose: bool
) -> None:
    texts = [
        json.dumps(item, ensure_ascii=is_ascii, indent=1 if is_loose else None) for item in objects
    ]
    shape = find_common_shape(texts)
    decoded = FieldDecoder(shape).decode(pl.Series("fields", texts))
    for row, item in enumerate(objects):
        if decoded.is_odd[row]:
            continue
        for number, (path, kind) in enumerate(shape.list_leaves()):
            if kind == "text" and decoded.is_whole[row]:
                found = decoded.values[f"f{number}"][row]
                expected = as_text(find_value(item, path))
                assert found == expected


@UNTIMED
@given(OBJECTS)
def test_an_object_is_never_odd_by_its_own_shape(item: dict[str, Any]) -> None:
    text = json.dumps(item)
    shape = find_shape(text)
    assert shape is not None
    assert not FieldDecoder(shape).decode(pl.Series([text])).is_odd[0]


@UNTIMED
@given(st.text(max_size=80) | st.text(alphabet='{}[]",:\\ ax1n', max_size=60))
def test_any_text_is_odd_or_begins_and_ends_an_object(text: str) -> None:
    decoder = FieldDecoder(find_common_shape(['{"a":1,"x":{"a":"1"},"n":[1]}']))
    decoded = decoder.decode(pl.Series([text, '{"a":"kept"}']))
    assert decoded.values["f0"][1] == "kept"
    assert decoded.is_odd[0] or (text.strip(" \t\r\n")[0] + text.strip(" \t\r\n")[-1] == "{}")


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "null", "{",
        '{"a"', '{"a":', '{"a":"', '{"a":"x', '{"a":"x\\', '{"a":1', '{"a":1,',
        '{"a":1}x', '{"a":1,}', '{"a" 1}', '{"a":}', '{"a":[', '{"a":{"b":[}', '{"b":{"c":{',
        '{"a":{"x":1}}', '{"a":[1]}', '{"o":1}', '{"o":[]}', '{"l":1}', '{"l":{}}', '{"l":"x"}',
    ],
)  # fmt: skip
def test_what_contradicts_the_shape_is_odd(text: str) -> None:
    decoder = FieldDecoder(find_common_shape(['{"a":1,"o":{"b":1},"l":["x"]}']))
    assert decoder.decode(pl.Series([text])).is_odd.to_list() == [True]


@pytest.mark.parametrize(
    ("text", "is_whole"),
    [
        ('{"a":1}', True),
        ('{"a":1,"new":null}', True),
        ('{"a":1,"new":2}', False),
        ('{"new":{"a":1}}', False),
        ('{"new":[{"a":"}"}],"a":1}', False),
        ('{"a":1,"a":2}', False),
        ('{"o":{"b":1},"o":{"b":2}}', False),
        ('{"o":{"b":1,"c":2}}', False),
        ('{"r":[{"k":1}]}', True),
        ('{"r":[{"k":1,"new":2}]}', False),
    ],
)
def test_fields_that_the_shape_does_not_know_are_noticed(text: str, is_whole: bool) -> None:
    decoder = FieldDecoder(find_common_shape(['{"a":1,"o":{"b":1},"r":[{"k":1}]}']))
    decoded = decoder.decode(pl.Series([text]))
    assert decoded.is_whole.to_list() == [is_whole]
    assert not decoded.is_odd[0]


@pytest.mark.parametrize("half", ["\\ud800", "\\udc00", "\\udc00\\ud800"])
def test_escapes_are_undone_and_half_a_surrogate_pair_spoils_no_other_row(half: str) -> None:
    decoded = decode('{"a":"tab\\there \\u00e9"}', f'{{"a":"{half}"}}', '{"a":"plain"}')
    assert decoded.values["f0"].gather([0, 2]).to_list() == ["tab\there é", "plain"]
    assert not decoded.is_odd.any()


def test_numbers_stay_as_they_were_written() -> None:
    decoded = decode('{"a":1.50,"b":12345678901234567890123,"c":true}')
    assert decoded.values.row(0) == ("1.50", "12345678901234567890123", "true")


def test_many_rows_are_scanned_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [json.dumps({"a": number, "b": "x" * (number % 20)}) for number in range(100)]
    whole = decode(*texts)
    monkeypatch.setattr("ocsf_pipeline.events.decode._MAX_CELLS", 14)
    assert decode(*texts).values.equals(whole.values)
