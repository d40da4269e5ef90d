"""The compiled pass over `key=value` lists agrees with the patterns, or leaves the text to them."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocsf_pipeline.logs.pairs import KEY, PAIR_START, extract_kv, extract_kv_by_pattern
from ocsf_pipeline.logs.plain_pairs import mark_pairs, write_plain_pairs
from ocsf_pipeline.samples.labels import read_sample_logs

TEXTS = st.one_of(
    st.text('ab9_=" ,;|([{\'\\\t/-.@é ', max_size=40),
    st.lists(
        st.sampled_from(
            ["a=1", 'user="x y"', "k=", 'q=""', "word", "9z=3", "c=d,e=f", "(x=1", '"p r=s"', "t=é",
             "msg=audit(1.2:3):", "u='v'", "h=[i]", ";j=k", "l=m=n", "@o=p", "-r=s", ": ", "x"]
        ),
        max_size=8,
    ).map(" ".join),
)  # fmt: skip


def read_by_pattern(texts: list[str]) -> tuple[list[str | None], list[str | None]]:
    read = extract_kv_by_pattern(pl.Series(texts, dtype=pl.String))
    inside, message = read["_inside"], read["message"]
    assert inside is not None and message is not None
    return inside.to_list(), message.to_list()


@settings(deadline=None, max_examples=400)  # the first call compiles the pass
@given(st.lists(TEXTS, min_size=1, max_size=6))
def test_what_the_pass_reads_is_what_the_patterns_read(texts: list[str]) -> None:
    inside, message, left = write_plain_pairs(pl.Series(texts, dtype=pl.String))
    expected_inside, expected_message = read_by_pattern(texts)
    for row in set(range(len(texts))) - set(left.tolist()):
        assert inside[row] == expected_inside[row], texts[row]
        assert message[row] == expected_message[row], texts[row]
    both = extract_kv(pl.Series(texts, dtype=pl.String))
    assert both["_inside"] is not None and both["_inside"].to_list() == expected_inside
    assert both["message"] is not None and both["message"].to_list() == expected_message


@settings(deadline=None, max_examples=400)
@given(st.lists(TEXTS, min_size=1, max_size=6))
def test_lists_of_pairs_are_those_that_the_pattern_finds(texts: list[str]) -> None:
    column = pl.Series(texts, dtype=pl.String)
    three = rf"(?:{PAIR_START}[^=]*?){{2}}{PAIR_START}"
    two = rf"^{KEY}=[^=]*?{PAIR_START}"
    assert mark_pairs(column).to_list() == column.str.contains(f"{three}|{two}").to_list()


@pytest.mark.parametrize(
    ("text", "inside", "message"),
    [
        ("a=1 b=2", '"a":"1","b":"2"', None),
        ('date=2026-11-23 user="j doe",n=', '"date":"2026-11-23","user":"j doe","n":""', None),
        ("fw1: src=192.0.2.1;dst=192.0.2.2", '"src":"192.0.2.1","dst":"192.0.2.2"', "fw1:"),
        (
            "Accepted a connection from far away x=1",
            '"x":"1"',
            "Accepted a connection from far away x=1",
        ),
    ],
)
def test_plain_lists_are_read_by_the_pass(text: str, inside: str, message: str | None) -> None:
    found = write_plain_pairs(pl.Series([text]))
    assert (found[0].item(), found[1].item(), len(found[2])) == (inside, message, 0)


def test_most_sample_lines_of_pairs_are_read_by_the_pass() -> None:
    lines = [
        sample.raw
        for sample in read_sample_logs()
        if sample.raw.count("=") > 6 and sample.raw[0] not in "{<" and "EF:" not in sample.raw
    ]
    assert len(lines) > 20
    left = write_plain_pairs(pl.Series(lines))[2]
    assert len(left) < len(lines) / 2
