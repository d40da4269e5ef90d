"""The compiled pass takes headers off as the expressions do, or leaves the line to them."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocsf_pipeline.logs.plain_headers import PLAIN_COLUMNS, read_plain_headers
from ocsf_pipeline.logs.syslog import HEADER_COLUMNS, split_headers, split_headers_by_pattern
from ocsf_pipeline.samples.labels import read_benchmark_logs, read_sample_logs

untimed = settings(deadline=None, max_examples=600)  # the first call compiles the pass
PRIORITIES = ["", "<34>", "<3", "<>", "<34>1 ", "<013>", "<1>1 2026-01-01T00:00:00Z h a 1 - - "]
COUNTS = ["", "123: ", "123 : ", "99:", "5 ", "7: 8: "]
ORIGINS = ["", "db-b2: ", "h:", "a.b_c: ", "[", "db: [", "a/b: "]
DATES = [
    "Oct 11 ", "Oct  1 ", "*Nov 20 ", ".Nov 2, ", "Nov 20, 2026, ", "Nov 20 2026 ", "2026-03-02T",
    "2026/03/02 ", "2026-03-02 ", "2026-03/02T", "Oct\t1 ", "oct 1 ", "Oct 111 ", "2126-03-02T", "",
]  # fmt: skip
CLOCKS = ["22:14:15", "22:14:15.123", "22:14:15,5", "22:14:15.", "22:14", "22:14:155", "2:14:15"]
ZONES = [
    "", " 2026", " 20261", " UTC", " CEST", " CETXX", " CEt", " 2026 CET", " CEF", "Z", "+0200",
    "-03:30", "+02:0", " GMT", " UTCé", " 2026 UTC_", "z", " ASA", " CE",
]  # fmt: skip
GAPS = [" ", "", "]", ":", ": ", "  ", "\t", "]: ", "] ", ":  \t ", "é", ",", "\n", "\x0b"]
HOSTS = [
    "", "host ", "192.0.2.1 ", "2001:db8::1 ", "h:10:ab\t", ": ", ":", "host : ", "-x ", "key=",
    "a/b=", "{", "%ASA: ", "CEF:", "LEEF:0|", "CEF ", "h: ", "h:: ", "h:g ", "hé ", "::  : ",
]  # fmt: skip
TAGS = [
    "", "prog: ", "prog[12]: ", "prog[12]:", "a/b(pam)[1]: ", "prog(x y): ", "Prog[1]: ", "_p[2]: ",
    "CEF: ", "CEF:0|", "CEF[1]: ", "LEEF:1|", "LEEFX: ", "x[]: ", "9p: ", "x(é): ", "aé: ",
    "x(a)(b): ", "x(): ", "x[1](a): ", "x(a[1]: ", "/a: ", "a[1] : ",
]  # fmt: skip
BODIES = ["body", "", "a=b c", "é", " text", ": x", "日本語 and more than twelve bytes"]
PARTS = (PRIORITIES, COUNTS, ORIGINS, DATES, CLOCKS, ZONES, GAPS, HOSTS, TAGS, BODIES)
DAMAGE = st.sampled_from([*"<>02:[]()=.-/ \tTZ+AbéCF,*%{\x00\u00a0\x1c", "", "", "2026-"])


@st.composite
def headers(draw: st.DrawFn) -> str:
    """A line with some parts of a header, often damaged in one place."""
    parts = []
    for choices in PARTS:
        # Mostly what is common, so that the later parts are reached.
        common = choices[: draw(st.sampled_from([2, 2, len(choices)]))]
        parts.append(draw(st.sampled_from(common)))
    text = "".join(parts)
    if draw(st.booleans()):
        place = draw(st.integers(0, min(len(text), 60)))
        text = text[:place] + draw(DAMAGE) + text[place + draw(st.integers(0, 1)) :]
    return text


LINES = headers() | st.text("<>012:[]()=.-/ TZU+AbéCEFL,*%{", max_size=30) | st.text(max_size=20)


def number_lines(lines: list[str] | list[str | None]) -> pl.DataFrame:
    raw = pl.Series("raw", lines, dtype=pl.String)
    return pl.DataFrame({"position": range(len(lines))}, schema={"position": pl.Int64}).hstack(
        [raw]
    )


def check(frame: pl.DataFrame) -> int:
    """Compare all that the pass reads with what the expressions read; return how many it left."""
    frame = frame.with_row_index("row")
    expected = split_headers_by_pattern(frame, "raw").sort("row")
    both = split_headers(frame, "raw").sort("row")
    assert both.columns == expected.columns
    assert both.to_dicts() == expected.to_dicts()
    read, rows, left = read_plain_headers(frame["raw"])
    assert sorted([*rows, *left]) == list(range(len(frame)))
    assert read.to_dicts() == expected.select(PLAIN_COLUMNS)[rows].to_dicts()
    assert expected[rows].select("msgid", "structured_data").null_count().row(0) == (len(rows),) * 2
    return len(left)


@untimed
@given(st.lists(LINES, max_size=12), st.integers(0, 3))
def test_what_it_reads_the_expressions_read_alike(lines: list[str], offset: int) -> None:
    check(number_lines(lines)[offset:])


@pytest.mark.parametrize(
    "line",
    [
        "",
        "a text without any header, and a colon: here",
        "CEF:0|Vendor|Product|1.0|100|name|5|src=192.0.2.1",
        "date=2026-11-22 time=05:18:46 devname=fw",
        '{"a":1}',
        '192.0.2.1 - - [21/Nov/2026:02:14:31 +0000] "GET / HTTP/1.1" 200 6',
        "<34>Oct 11 22:14:15 host prog[123]: body",
        "Oct 11 22:14:15 host prog: body",
        "<13>2026-03-02T11:00:00.123Z host prog[1]: body",
        "2026-03-02 11:00:00,123 INFO [main] body",
        "[2026-03-02 11:00:00.123+02:00] body",
        "Mar  2 11:00:00 host CEF:0|Vendor|Product|1.0|100|name|5|src=192.0.2.1",
        "<166>Mar 02 2026 11:00:00: %ASA-6-302013: Built inbound TCP connection",
        "<166>Mar 02 2026 11:00:00 asa-1 : %ASA-6-302013: Built inbound TCP connection",
        "<189>99089: db-b2: *Nov 20 07:11:10.287: %SYS-5-CONFIG_I: Configured",
        "<189>date=2026-11-21 time=17:52:08 devname=fw",
        "Nov 22 10:00:01 localhost sshd(pam_unix)[15794]: body",
        "dnsmasq[43262]: query[A] files.example.com",
        "<30>Nov 20 11:00:00 host prog: 日本語 with more than twelve bytes",
        "日本語",
    ],
)
def test_it_reads_the_common_headers_itself(line: str) -> None:
    assert check(number_lines([line, line])) == 0


@pytest.mark.parametrize(
    "line",
    [
        "<34>1 2026-11-22T10:00:01Z h app - - - plain",
        '<165>1 2026-11-22T10:00:01.003Z m.example.com evnt 123 ID47 [ex@32473 iut="3"] An event',
        "<34>Oct 11 22:14:15 hôte prog: body",
        "progé: body",
    ],
)
def test_it_leaves_what_the_expressions_know_better(line: str) -> None:
    assert check(number_lines([line, line])) == 2


def test_it_takes_every_part_off() -> None:
    read, _rows, _left = read_plain_headers(
        pl.Series(["<34>Oct 11 22:14:15 host.example.com prog/x(remark)[123]: body", "body"])
    )
    assert read.rows() == [
        ("34", "Oct 11 22:14:15", "host.example.com", "prog/x", "123", "body"),
        (None, None, None, None, None, "body"),
    ]


def test_all_samples_but_those_of_rfc_5424_are_read_by_the_pass() -> None:
    lines = [sample.raw for sample in (*read_sample_logs(), *read_benchmark_logs())]
    left = check(number_lines(lines))
    assert left == sum(
        line.startswith("<") and line.partition(">")[2][:2] == "1 " for line in lines
    )
    assert 0 < left < len(lines) / 20
    # Cut anywhere, too: a header may be all of a line.
    check(number_lines([line[:size] for line in lines for size in range(0, 70, 3)]))


def test_rows_keep_their_columns_wherever_they_are_read() -> None:
    lines = [
        f"<{row}>Oct 11 22:14:15 h{'é' * (row % 3 == 0)} p: body {row}" for row in range(3_000)
    ]
    lines[::7] = ["<34>1 2026-11-22T10:00:01Z h app - - - plain"] * len(lines[::7])
    frame = number_lines(lines)
    parts = pl.concat([frame[5:1_000], frame[1_000:], frame[:5]], rechunk=False)
    assert check(parts.sort("position")) > 1_000
    assert check(parts) > 1_000
    assert check(frame[1_234:2_345]) > 300
    split = split_headers(parts, "raw").sort("position")
    assert split.select("position", "raw").equals(frame)


def test_null_stays_null() -> None:
    lines = [None, "<34>Oct 11 22:14:15 host prog: body", None, "", "<34>1 - h app - - - plain"]
    split = split_headers(number_lines(lines), "raw").sort("position")
    nothing = dict.fromkeys(HEADER_COLUMNS)
    found = split.select(HEADER_COLUMNS).to_dicts()
    assert found[0] == found[2] == nothing
    assert found[3] == nothing | {"body": ""}
    assert split["body"].to_list() == [None, "body", None, "", "plain"]
    assert split_headers(number_lines([None, None]), "raw")["body"].to_list() == [None, None]
    assert split_headers(number_lines([]), "raw").is_empty()


def test_long_lines_are_read() -> None:
    word = "a" * 300_000
    lines = [
        word, f"{word}: ", f"<34>Oct 11 22:14:15 {word} {word}[1]: {word}", f"<{'1' * 300_000}>x",
        f"Oct 11 22:14:15.{'1' * 300_000} h p: x", f"Oct{' ' * 300_000}1 10:00:00 p({word}): x",
        f"{'1' * 300_000}: {word}", f"<1>p({word} x): {word}", f"Oct 1 10:00:00 h{':' * 300_000} x",
    ]  # fmt: skip
    assert check(number_lines(lines)) == 0
