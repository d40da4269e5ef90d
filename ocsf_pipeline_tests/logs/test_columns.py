"""Rows under a header: CSV, TSV, Zeek, W3C."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ocsf_pipeline.logs.columns import recognize_header
from ocsf_pipeline.logs.read import ReadLimits
from ocsf_pipeline_tests.fakes.log_objects import read_all, read_fields

ZEEK = (
    "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tdns\n"
    "#fields\tts\tuid\tid.orig_h\tquery\tanswers\n#types\ttime\tstring\taddr\tstring\tvector\n"
    "1763805601.123456\tCx1\t192.0.2.1\texample.com\t-\n"
    "1763805602.5\tCx2\t192.0.2.2\texample.org\ta,b\n#close\t2026-11-22-10-00-05\n"
)
W3C = (
    "#Software: Microsoft Internet Information Services 10.0\n#Version: 1.0\n"
    "#Fields: date time c-ip cs-method cs-uri-stem sc-status\n"
    "2026-11-22 10:00:01 192.0.2.1 GET /a 200\n2026-11-22 10:00:02 192.0.2.2 POST /b 500\n"
)
CSV = (
    'time,user,src_ip,action,message\n2026-11-22T10:00:01Z,bob,192.0.2.1,login,"a, ""b""\nand c"\n'
)


def test_zeek_rows_carry_path_time_and_only_set_fields() -> None:
    result = read_all(ZEEK.encode())
    assert result.fields()[0] == {
        "ts": "1763805601.123456", "uid": "Cx1", "id.orig_h": "192.0.2.1",
        "query": "example.com", "_path": "dns",
    }  # fmt: skip
    assert result.fields()[1]["answers"] == "a,b"
    assert str(result.records["time"][0]) == "2025-11-22 10:00:01.123456+00:00"
    assert result.records["format"].to_list() == ["csv", "csv"]
    assert result.records["template_id"].n_unique() == 1
    assert result.records["position"].to_list() == [0, 1]


def test_w3c_date_and_time_are_one_time() -> None:
    result = read_all(W3C.encode())
    assert [str(time)[:19] for time in result.records["time"]] == [
        "2026-11-22 10:00:01",
        "2026-11-22 10:00:02",
    ]
    assert result.fields()[0]["software"] == "Microsoft Internet Information Services 10.0"


def test_quoted_cells_may_hold_delimiters_quotes_and_line_breaks() -> None:
    result = read_all(CSV.encode())
    assert result.fields()[0]["message"] == 'a, "b"\nand c'
    assert result.records["message"].to_list() == ['a, "b"\nand c']


def test_rows_of_another_width_are_quarantined() -> None:
    body = b"time,user,src_ip,action\n2026-11-22T10:00:01Z,bob,192.0.2.1,login\n1,2\nx,y,z,a,b\n"
    result = read_all(body)
    assert len(result.records) == 1
    assert result.reasons == ["column_mismatch"] * 2
    assert result.quarantine["bytes"].to_list() == [b"1,2", b"x,y,z,a,b"]


def test_a_header_holds_for_every_block() -> None:
    rows = "".join(f"2026-11-22T10:00:01Z,user{n},192.0.2.1,login\n" for n in range(300))
    body = f"time,user,src_ip,action\n{rows}".encode()
    result = read_all(body, ReadLimits(block_bytes=500))
    assert [fields["user"] for fields in result.fields()] == [f"user{n}" for n in range(300)]


def test_a_header_with_one_row_is_one_log() -> None:
    assert read_fields(CSV.replace("\nand c", " and c"))["user"] == "bob"


@pytest.mark.parametrize(
    "head",
    ["", "hello, this is, prose", "a=1,b=2,c=3", "1,2,3", "user,user,ip", '{"a":1,"b":2,"c":3}',
     "Nov 22 10:00:01 host app: time, user, action", "the quick brown fox jumps over"],
)  # fmt: skip
def test_prose_is_no_header(head: str) -> None:
    assert recognize_header(head) is None


cells = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)


@settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
@given(st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=20))
def test_any_csv_that_a_writer_writes_is_read_back(rows: list[tuple[str, str, str]]) -> None:
    names = ("time", "user", "message")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(names)
    writer.writerows(rows)
    result = read_all(text.getvalue().encode())
    assert result.fields() == [
        {name: cell for name, cell in zip(names, row, strict=True) if cell not in ("", "-")}
        for row in rows
    ]
