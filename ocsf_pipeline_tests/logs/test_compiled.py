"""The steps that look at eight bytes at a time see what a look at each byte sees."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from ocsf_pipeline.logs.compiled import find_special, find_unplain, hash_bytes, is_same, load_part
from ocsf_pipeline.logs.textplaces import cut_texts, find_places

BYTES = st.binary(max_size=40) | st.text('ab"\\\x1f é', max_size=40).map(str.encode)
LIMITS = st.integers(0, 8)
"""How much more than the text may be read."""


def place(data: bytes, slack: int) -> tuple[np.uint64, np.ndarray, int]:
    codes = np.frombuffer(data + bytes(slack), dtype=np.uint8)
    return np.uint64(codes.ctypes.data), codes, len(codes)


@settings(deadline=None)  # the first call compiles
@given(BYTES, LIMITS, st.integers(0, 45))
def test_the_first_special_byte_is_found(data: bytes, slack: int, start: int) -> None:
    base, _kept, limit = place(data, slack)
    special = [at for at in range(start, len(data)) if data[at] in b'"\\']
    unplain = [at for at in range(start, len(data)) if data[at] in b'"\\' or data[at] < 32]
    assert find_special(base, start, len(data), limit) == (special or [len(data)])[0]
    assert find_unplain(base, start, len(data), limit) == (unplain or [len(data)])[0]


@settings(deadline=None)  # the first call compiles
@given(BYTES, LIMITS)
def test_parts_are_numbers_with_zeros_behind(data: bytes, slack: int) -> None:
    base, _kept, limit = place(data, slack)
    count = min(len(data), 8)
    assert int(load_part(base, 0, count, limit)) == int.from_bytes(data[:count], "little")


@settings(deadline=None)  # the first call compiles
@given(BYTES, BYTES, LIMITS)
def test_hashes_and_comparisons_depend_on_the_bytes_alone(
    data: bytes, other: bytes, slack: int
) -> None:
    base, _kept, limit = place(b"x" + data, slack)
    second, _kept_too, second_limit = place(other, 0)
    seed = np.uint64(7)
    own = int(hash_bytes(base, 1, 1 + len(data), limit, seed))
    assert (own == int(hash_bytes(second, 0, len(other), second_limit, seed))) == (data == other)
    if len(data) == len(other):
        same = is_same(base, 1, limit, second, 0, second_limit, len(data))
        assert same == (data == other)


@settings(deadline=None)  # the first call compiles
@given(st.lists(st.text(max_size=30) | st.none(), min_size=1, max_size=12), st.data())
def test_parts_of_texts_are_cut_out(texts: list[str | None], data: st.DataObject) -> None:
    column = pl.Series(texts, dtype=pl.String)
    found = find_places(column)
    rows, starts, stops, expected = [], [], [], []
    for row, text in enumerate(texts):
        whole = text or ""
        begin = data.draw(st.integers(0, len(whole)))
        end = data.draw(st.integers(begin, len(whole)))
        rows.append(row)
        starts.append(found.starts[row] + len(whole[:begin].encode()))
        stops.append(found.starts[row] + len(whole[:end].encode()))
        expected.append(whole[begin:end])
    places = np.array([starts, stops], dtype=np.int64)
    cut = cut_texts(found, np.array(rows), places[0], places[1], "t")
    assert cut.to_list() == expected
