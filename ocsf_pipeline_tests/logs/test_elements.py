"""The compiled pass reads XML as the patterns do, or leaves it to those."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocsf_pipeline.logs.elements import write_xml_pairs
from ocsf_pipeline.logs.formats import extract_xml_pairs

# ruff: noqa: E501 - many small pieces

untimed = settings(max_examples=500, deadline=None)
PIECES = st.sampled_from(
    [
        "<Event>", "</Event>", "<a>", "</a>", "<ns:b>", "<ns:Data Name='Target User'>", "</Data>",
        '<Data Name="x">', "<Data Name='x'/>", "<Data Name=\"x\"></Data>", "<Data>", "<Data Name=''>",
        "<Data  Name='y' Type='z'>", "<Data\tName='it\"s'>", ' a="b"', " ns:a='b'", ' x=""', " y='",
        " z=\"='\"", " q=\"it's\"", " w=\"''\"", "\tt='u'", "<x y='z'>", "<x y='z'/>", "text", " ", "=",
        '"', "'", "<", ">", "/", "&amp;", "&lt;", "&quot;", "&#xD;", "&#10;", "&amp", "&;", "&nope;",
        "\\", "\t", "\n", "\r", "\x01", "\x7f", "é", "\u00a0", "a:b:c", "-:", "<a-b:c>", "</", "/>",
    ]
)  # fmt: skip
BODIES = st.lists(PIECES, max_size=25).map("".join)


def read_both(texts: list[str]) -> tuple[pl.Series, pl.Series, int]:
    """Return what the pass reads, what the patterns read in the same rows, how many it left."""
    bodies = pl.Series("body", texts, dtype=pl.String)
    inside, unsure = write_xml_pairs(bodies)
    return inside, extract_xml_pairs(bodies).scatter(unsure, None), len(unsure)


@untimed
@given(st.lists(BODIES | st.text(alphabet="<>/=\"' aD:&;", max_size=30), max_size=8))
def test_what_it_reads_the_patterns_read_alike(texts: list[str]) -> None:
    inside, slow, _left = read_both(texts)
    assert inside.to_list() == slow.to_list()


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        (
            "<Event xmlns='u'><System><Provider Name='P'/><EventID>4624</EventID></System>"
            "<EventData><Data Name='Target User'>DOM\\bob</Data><Data Name='Empty'></Data>"
            "</EventData></Event>",
            '"xmlns":"u","Name":"P","EventID":"4624","Target User":"DOM\\\\bob","Empty":""',
        ),
        ("<e><v>a &lt;b&gt; &amp;amp; \"c\"&#xA;d</v></e>", '"v":"a <b> &amp; \\"c\\"\\nd"'),
    ],
)  # fmt: skip
def test_it_reads_events_itself(text: str, pairs: str) -> None:
    inside, slow, left = read_both([text])
    assert (inside.to_list(), slow.to_list(), left) == ([pairs], [pairs], 0)


def test_long_texts_of_what_does_not_close_are_read_alike() -> None:
    for piece in ("<a ", ' a="', " a='b", "<Data Name='", "&amp", "<a>"):
        inside, slow, _left = read_both([piece * 20_000])
        assert inside.to_list() == slow.to_list()
