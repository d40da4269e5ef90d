"""Objects of every container and compression, whole or broken: nothing lost, nothing raised."""

# ruff: noqa: E501 - logs stand on one line, as they came

from __future__ import annotations

import gzip
import hashlib
import json
import tracemalloc
import zlib
from collections.abc import Iterator

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ocsf_pipeline.logs.compression import CompressionLimits
from ocsf_pipeline.logs.quarantine import MAX_KEPT_BYTES, REASONS
from ocsf_pipeline.logs.read import ReadLimits
from ocsf_pipeline_tests.fakes.log_objects import ReadResult, read_all

SSH = "Nov 22 10:00:01 web1 sshd[12]: Failed password for invalid user bob from 198.51.100.2 port 22 ssh2"
TRAIL = '{"eventTime":"2026-11-22T10:00:01Z","eventSource":"ec2.amazonaws.com","eventName":"RunInstances"}'
SMALL = ReadLimits(block_bytes=2_000, max_line_bytes=1_000, max_document_bytes=20_000)
relaxed = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)

PIECES_OF_LOGS = st.sampled_from(
    [
        SSH.encode(), TRAIL.encode(), b"{", b'{"a":', b'{"a":1}', b"[", b"]", b'{"Records":[', b"},",
        b"\n", b"\r\n", b"\n\n", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\x1f\x8b", b"(\xb5/\xfd",
        b"<Event>", b"</Event>", b"<?xml", b"#fields\ta\tb\n", b"a,b,c\n", b"1,2,3\n", b'"', b"\\",
        b"=", b"a=b ", b"CEF:0|a|b|c|d|e|f|", b"LEEF:1.0|a|b|c|d|", b"<13>1 - - - - - ", b"\x01\x02",
        b"\xc3\xa9", b"\xc3", b'{"message":"x","source_type":"y"}', b"\t", b" ", b"\x1f",
    ]
)  # fmt: skip


@relaxed
@given(st.binary(max_size=3_000))
def test_any_bytes_are_read_or_quarantined(body: bytes) -> None:
    read_all(body, SMALL)


@relaxed
@given(st.lists(PIECES_OF_LOGS, max_size=60).map(b"".join), st.integers(1, 500))
def test_any_mixture_of_log_pieces_is_read_or_quarantined(body: bytes, piece_bytes: int) -> None:
    read_all(body, SMALL, piece_bytes=piece_bytes)


@relaxed
@given(st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=200)))
def test_every_line_of_text_survives_as_it_was(texts: list[str]) -> None:
    lines = ["x " + text.replace("\n", " ").replace("\r", " ") for text in texts]
    result = read_all("\n".join(lines).encode())
    assert result.raws == lines


@relaxed
@given(st.lists(st.dictionaries(st.text(max_size=9), st.text(max_size=30)), min_size=1))
def test_every_json_line_survives_and_is_its_own_fields(values: list[dict[str, str]]) -> None:
    lines = [json.dumps({"kind": "x", **value}, ensure_ascii=False) for value in values]
    result = read_all("\n".join(lines).encode())
    assert result.raws == lines
    assert result.fields() == [json.loads(line) for line in lines]


def test_an_empty_object_has_nothing() -> None:
    for body in (b"", b"\n\n\r\n", b"   \n", b"\xef\xbb\xbf"):
        assert read_all(body).summary.read_count == 0


def test_line_ends_blank_lines_and_byte_order_marks_mean_nothing() -> None:
    plain = read_all(f"{SSH}\n{TRAIL}\n".encode())
    for body in (
        f"{SSH}\r\n{TRAIL}\r\n".encode(),
        f"\n\n{SSH}\n   \n{TRAIL}".encode(),
        b"\xef\xbb\xbf" + f"{SSH}\n{TRAIL}".encode(),
        f"{SSH}\n{TRAIL}".encode("utf-16"),
        "\ufeff".encode("utf-16-be") + f"{SSH}\n{TRAIL}".encode("utf-16-be"),
    ):
        result = read_all(body)
        assert result.raws == [SSH, TRAIL]
        assert result.records["template_id"].to_list() == plain.records["template_id"].to_list()


def test_nul_bytes_stay_in_raw_and_leave_valid_fields() -> None:
    result = read_all(b"first\0line with nul\nsecond line\n")
    assert result.raws == ["first\0line with nul", "second line"]


def test_binary_objects_are_refused_whole() -> None:
    result = read_all(b"\x7fELF" + b"\0\1\2\3" * 500)
    assert result.reasons == ["unsupported_content"]
    assert result.quarantine["size_bytes"].to_list() == [2004]


def test_invalid_utf8_is_quarantined_line_by_line() -> None:
    result = read_all(b"good line one\nbad \xff\xfe line\ngood line two\n")
    assert result.raws == ["good line one", "good line two"]
    assert result.reasons == ["invalid_utf8"]
    row = result.quarantine.row(0, named=True)
    assert (row["position"], row["offset_bytes"], row["bytes"]) == (1, 14, b"bad \xff\xfe line")


def test_half_a_json_line_is_quarantined_with_its_bytes() -> None:
    result = read_all(f"{TRAIL}\n{TRAIL[:50]}\n{TRAIL}\n".encode())
    assert result.raws == [TRAIL, TRAIL]
    assert result.reasons == ["invalid_json"]
    assert result.quarantine["bytes"][0] == TRAIL[:50].encode()
    assert result.quarantine["offset_bytes"][0] == len(TRAIL) + 1


@pytest.mark.parametrize(
    "broken", ['{"a":1}{"b":2}', '{"a":1} x', '{"a":01}', '{"a":"\x01"}', '{"a":1,}']
)
def test_what_only_looks_like_json_is_quarantined(broken: str) -> None:
    result = read_all(f"{TRAIL}\n{broken}\n{SSH}\n".encode())
    assert result.raws == [TRAIL, SSH]
    assert result.reasons == ["invalid_json"]


def test_a_ten_megabyte_line_is_quarantined_and_the_rest_is_read() -> None:
    def pieces() -> Iterator[bytes]:
        yield f"{SSH}\n".encode()
        for _ in range(160):
            yield b"x" * 65_536
        yield f"\n{TRAIL}\n".encode()

    result = read_all(pieces())
    assert result.raws == [SSH, TRAIL]
    row = result.quarantine.row(0, named=True)
    assert (row["reason"], row["size_bytes"]) == ("line_too_long", 160 * 65_536)
    assert row["bytes"] == b"x" * MAX_KEPT_BYTES


def test_every_reason_is_explained() -> None:
    assert all(text.endswith((".", "?")) for text in REASONS.values())


# --- compression ---------------------------------------------------------------------------------

TEXT = "".join(f"{SSH} {number}\n" for number in range(500)).encode()
ZSTD = zstandard.ZstdCompressor()


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(TEXT),
        gzip.compress(TEXT[:10_000]) + gzip.compress(TEXT[10_000:]),
        gzip.compress(TEXT) + b"\0" * 512,
        ZSTD.compress(TEXT),
        ZSTD.compress(TEXT[:10_000]) + ZSTD.compress(TEXT[10_000:]),
        b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd" + ZSTD.compress(TEXT),
    ],
    ids=["gzip", "gzip members", "gzip padded", "zstd", "zstd frames", "zstd skippable frame"],
)
@pytest.mark.parametrize("piece_bytes", [1, 7, 100_000])
def test_compressed_objects_are_recognised_by_content(body: bytes, piece_bytes: int) -> None:
    result = read_all(body, piece_bytes=piece_bytes)
    assert len(result.records) == 500
    assert result.reasons == []
    assert result.summary.size_bytes == len(body)
    assert result.summary.text_bytes == len(TEXT)
    assert result.summary.digest == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize("body", [gzip.compress(TEXT), ZSTD.compress(TEXT)], ids=["gzip", "zstd"])
def test_a_truncated_object_gives_its_good_part_and_says_so(body: bytes) -> None:
    for cut in (5, len(body) // 2, len(body) - 3):
        result = read_all(body[:cut])
        assert result.reasons[-1] == "corrupt_compression"
        assert result.raws == [line.decode() for line in TEXT.splitlines()][: len(result.raws)]


@pytest.mark.parametrize("body", [gzip.compress(TEXT), ZSTD.compress(TEXT)], ids=["gzip", "zstd"])
def test_garbage_behind_the_last_frame_is_reported(body: bytes) -> None:
    result = read_all(body + b"garbage that is no frame")
    assert len(result.records) == 500
    assert result.reasons == ["corrupt_compression"]


def _bomb_gzip(megabytes: int) -> Iterator[bytes]:
    stream = zlib.compressobj(9, wbits=31)
    for _ in range(megabytes):
        yield stream.compress((b"a" * 99 + b"\n") * 10_486)
    yield stream.flush()


def _bomb_zstd(megabytes: int) -> Iterator[bytes]:
    stream = zstandard.ZstdCompressor(level=19).compressobj()
    for _ in range(megabytes):
        yield stream.compress((b"a" * 99 + b"\n") * 10_486)
    yield stream.flush()


@pytest.mark.parametrize("bomb", [_bomb_gzip, _bomb_zstd])
def test_decompression_bombs_stop_within_bounded_memory(bomb: object) -> None:
    body = b"".join(bomb(48))  # type: ignore[operator]
    limits = ReadLimits(
        block_bytes=1 << 20, compression=CompressionLimits(ratio_floor_bytes=4 << 20, max_ratio=50)
    )
    tracemalloc.start()
    try:
        result = read_all(body, limits, piece_bytes=65_536)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert result.reasons == ["decompression_bomb"]
    assert result.summary.text_bytes < 6 << 20
    assert peak < 24 << 20


def test_a_total_limit_holds_whatever_the_ratio() -> None:
    limits = ReadLimits(compression=CompressionLimits(max_decompressed_bytes=10_000))
    assert read_all(gzip.compress(TEXT), limits).reasons == ["decompression_bomb"]


# --- containers ----------------------------------------------------------------------------------

EVENTS = [
    {"eventName": f"Event{'ABC'[number % 3]}", "id": number, "t": 'a } ] \\" \n é'}
    for number in range(9)
]


def _names(result: ReadResult) -> list[object]:
    return [fields["id"] for fields in result.fields()]


@pytest.mark.parametrize(
    "document",
    [
        json.dumps(EVENTS),
        json.dumps(EVENTS, indent=2),
        json.dumps({"Records": EVENTS}),
        json.dumps({"Records": EVENTS}, indent=4, ensure_ascii=False),
        json.dumps({"value": EVENTS, "count": 9}),
        "\n".join(json.dumps(event, indent=2) for event in EVENTS),
        "\n".join(json.dumps(event) for event in EVENTS),
        "\ufeff" + json.dumps(EVENTS, indent=1),
    ],
    ids=["array", "pretty array", "records", "pretty records", "value", "stream", "lines", "bom"],
)
def test_json_containers_give_one_record_per_event(document: str) -> None:
    result = read_all(document.encode())
    assert _names(result) == list(range(9))
    assert result.reasons == []


def test_a_document_that_does_not_close_gives_its_whole_events() -> None:
    text = json.dumps({"Records": EVENTS})
    result = read_all(text[: text.rindex('"id": 7')].encode())
    assert _names(result) == list(range(7))
    assert result.reasons == ["invalid_document"]


def test_a_document_beyond_the_limit_is_refused() -> None:
    result = read_all(json.dumps(EVENTS * 100).encode(), SMALL)
    assert result.reasons == ["document_too_large"]
    assert result.quarantine["size_bytes"][0] == len(json.dumps(EVENTS * 100))


def test_xml_documents_give_one_record_per_event() -> None:
    event = '<Event xmlns="x"><System>\n  <EventID>4624</EventID>\n</System></Event>'
    document = f'<?xml version="1.0"?>\n<Events>\n{event}\n{event}\n</Events>'
    result = read_all(document.encode())
    assert [fields["EventID"] for fields in result.fields()] == ["4624", "4624"]


def test_xml_entities_are_never_expanded() -> None:
    document = (
        '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "boom"><!ENTITY x SYSTEM "file:///etc/passwd">]>'
        "<Events><Event><EventID>1</EventID><Data Name='a'>&b;&x;</Data></Event></Events>"
    )
    fields = read_all(document.encode()).fields()[0]
    assert fields["a"] == "&b;&x;"


# --- blocks and threads --------------------------------------------------------------------------


def _mixed(count: int) -> bytes:
    kinds = [SSH, TRAIL, "a=1 b=2 c=3", TRAIL[:40], "CEF:0|V|P|1|7|n|3|src=1.2.3.4 msg=a b"]
    return "\n".join(f"{kinds[number % 5]}" for number in range(count)).encode()


@pytest.mark.parametrize("block_bytes", [200, 1_000, 100_000])
def test_the_size_of_blocks_changes_nothing(block_bytes: int) -> None:
    whole = read_all(_mixed(500))
    parts = read_all(_mixed(500), ReadLimits(block_bytes=block_bytes))
    assert parts.records.equals(whole.records)
    assert parts.quarantine.equals(whole.quarantine)


@pytest.mark.parametrize("workers", [2, 3])
def test_reading_in_parallel_gives_the_same_frames(workers: int) -> None:
    limits = ReadLimits(block_bytes=3_000)
    alone = read_all(_mixed(1_000), limits)
    together = read_all(_mixed(1_000), limits, workers=workers)
    assert together.records.equals(alone.records)
    assert together.quarantine.equals(alone.quarantine)
    assert together.summary == alone.summary


@pytest.mark.parametrize("workers", [1, 2])
def test_errors_of_the_source_are_raised_after_what_was_read(workers: int) -> None:
    def pieces() -> Iterator[bytes]:
        yield _mixed(100)
        raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError, match="gone"):
        read_all(pieces(), ReadLimits(block_bytes=100), workers=workers)


@pytest.mark.parametrize(
    ("body", "raws"),
    [
        (b'["sshd: failed","b [1]"]', ["sshd: failed", "b [1]"]),
        (b'[{"a":1},"text, {not} json",2]', ['{"a": 1}', "text, {not} json", "2"]),
        (b'{"Records":["x","y"],"count":2}', ["x", "y"]),
        (b'{"Records":[{"a":1}],"meta":{"b":2}}', ['{"a":1}']),
        (b'{"Records":[{"a":1}],"errors":[]}', ['{"a":1}']),
    ],
)
def test_elements_that_are_text_are_logs_too(body: bytes, raws: list[str]) -> None:
    result = read_all(body)
    assert result.raws == raws
    assert result.summary.read_count == len(raws)
