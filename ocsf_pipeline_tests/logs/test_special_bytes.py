"""The compiled look at special bytes finds what patterns find."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocsf_pipeline.logs.jsontext import (
    escape_column,
    escape_json,
    strip_control,
    strip_control_column,
)
from ocsf_pipeline.logs.special_bytes import find_control, find_unplain_texts

SPECIAL = [
    '"',
    "\\",
    "\x00",
    "\x1f",
    "\t",
    "\n",
    "\r",
    "\x7f",
    " ",
    "!",
    "~",
    "\x80",
    "é",
    "漢",
    "😀",
]
TEXTS = st.lists(
    st.none()
    | st.text(st.sampled_from(SPECIAL), max_size=20)
    | st.builds(
        lambda length, place, sign: "x" * (place % (length + 1)) + sign + "y" * length,
        st.integers(0, 40), st.integers(0, 60), st.sampled_from(SPECIAL),
    ),
    min_size=1, max_size=6,
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(TEXTS, st.integers(0, 2))
def test_the_rows_found_are_those_that_a_pattern_finds(texts: list[str | None], cut: int) -> None:
    column = pl.Series("text", texts, dtype=pl.String)[cut:]
    for find, pattern in (
        (find_control, r"[\x00-\x1f\x7f]"),
        (find_unplain_texts, r'[\x00-\x1f\x7f"\\]'),
    ):
        wanted = column.str.contains(pattern).fill_null(value=False)
        assert find(column).tolist() == wanted.to_list()


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_columns_are_escaped_and_stripped_as_expressions_do(texts: list[str | None]) -> None:
    column = pl.Series("text", texts, dtype=pl.String)
    frame = column.to_frame()
    escaped = frame.select(escape_json(pl.col("text")))["text"]
    assert escape_column(column).to_list() == escaped.to_list()
    stripped = frame.select(strip_control(pl.col("text")))["text"]
    assert strip_control_column(column).to_list() == stripped.to_list()


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 12, 13, 16, 17, 100])
def test_a_special_byte_is_found_wherever_it_stands(length: int) -> None:
    for place in range(length):
        text = "a" * place + '"' + "a" * (length - place - 1)
        assert find_unplain_texts(pl.Series([text])).tolist() == [True], place
        assert find_control(pl.Series([text])).tolist() == [False]
    assert find_unplain_texts(pl.Series(["a" * length, None])).tolist() == [False, False]
