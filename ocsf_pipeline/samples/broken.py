"""Objects with something wrong in them, made in code: what a landing bucket holds sooner or later.

Belongs here: damage, and what reading should make of it. Does not belong here: sound objects
(`objects`). Nothing here may depend on how well a zlib compresses: the counts must hold anywhere.
"""

from __future__ import annotations

import gzip
import random
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ocsf_pipeline.samples.drops import compress_gzip, join_lines

_LONG_LINE_BYTES = 10_000_000
_ZEROS_BYTES = 100_000_000
_PADDED_MIB = 72
_BOM_UTF16_LE = b"\xff\xfe"


@dataclass(frozen=True)
class BrokenObject:
    """One broken object and what reading it gives."""

    name: str
    body: bytes
    record_count: int
    reasons: tuple[str, ...]
    """One of `logs.quarantine.REASONS` per quarantined item, in the order they are found."""


def build_broken_objects(lines: Sequence[str]) -> list[BrokenObject]:
    """Return every kind of broken object, made around `lines` (at least 4 one-line JSON logs)."""
    return [build(list(lines[:4])) for build in _BUILDERS]


def _truncated_gzip(lines: list[str]) -> BrokenObject:
    # Flushed before the cut: so many lines can be had from what is left, with any zlib.
    stream = zlib.compressobj(wbits=31)
    body = stream.compress(join_lines(lines)) + stream.flush(zlib.Z_SYNC_FLUSH)
    reasons = ("corrupt_compression",)
    return BrokenObject("broken-truncated.ndjson.gz", body, len(lines), reasons)


def _garbage_after_gzip(lines: list[str]) -> BrokenObject:
    body = compress_gzip(join_lines(lines)) + b"-- 4096 bytes uploaded, retrying --\n"
    reasons = ("corrupt_compression",)
    return BrokenObject("broken-garbage-after.ndjson.gz", body, len(lines), reasons)


def _invalid_utf8(lines: list[str]) -> BrokenObject:
    latin = b"Nov 22 09:01:17 app-02 nightly[4411]: copied R\xe9sum\xe9.docx for j\xf6rg"
    cut = b"Nov 22 09:01:18 app-02 nightly[4411]: path \xe2\x82 was cut inside a character"
    good = [line.encode() for line in lines]
    body = b"\n".join([good[0], latin, good[1], cut, *good[2:]]) + b"\n"
    return BrokenObject("broken-utf8.log", body, len(lines), ("invalid_utf8", "invalid_utf8"))


def _half_json_line(lines: list[str]) -> BrokenObject:
    half = lines[1][: len(lines[1]) // 2]
    body = join_lines([lines[0], half, *lines[1:]])
    return BrokenObject("broken-half-line.ndjson", body, len(lines), ("invalid_json",))


def _cut_array(lines: list[str]) -> BrokenObject:
    half = lines[0][: len(lines[0]) // 2]
    body = ("[" + ",\n".join([*lines, half])).encode()
    return BrokenObject("broken-cut-array.json", body, len(lines), ("invalid_document",))


def _long_line(lines: list[str]) -> BrokenObject:
    padding = "A" * _LONG_LINE_BYTES
    long_line = f'{{"time":"2026-11-22T09:04:00Z","event":"dump","payload":"{padding}"}}'
    body = join_lines([*lines[:2], long_line, *lines[2:]])
    return BrokenObject("broken-long-line.ndjson", body, len(lines), ("line_too_long",))


def _odd_columns(lines: list[str]) -> BrokenObject:
    del lines  # a table has rows of its own
    rows = [
        "time,user,src_ip,action,status",
        "2026-11-22T09:05:01Z,hthornbury,10.14.3.9,login,success",
        "2026-11-22T09:05:04Z,crastrick,10.14.3.12,login",
        "2026-11-22T09:05:09Z,wquennell,10.14.3.40,logout,success",
    ]
    return BrokenObject("broken-columns.csv", join_lines(rows), 2, ("column_mismatch",))


def _no_bytes(lines: list[str]) -> BrokenObject:
    del lines
    return BrokenObject("broken-empty.ndjson", b"", 0, ())


def _gzip_zeros(lines: list[str]) -> BrokenObject:
    del lines
    zeros = bytes(1_000_000)
    body = _gzip_pieces(zeros for _ in range(_ZEROS_BYTES // len(zeros)))
    # What came before the limit is one line without an end: it is kept with the bomb.
    return BrokenObject("broken-zeros.gz", body, 0, ("decompression_bomb",))


def _gzip_padding(lines: list[str]) -> BrokenObject:
    """Good logs first, then lines of spaces without end, then good logs that nobody will read."""
    padding = (b" " * 1023 + b"\n") * 1024
    text = join_lines(lines)

    def pieces() -> Iterator[bytes]:
        yield text
        for _mib in range(_PADDED_MIB):
            yield padding
        yield text

    body = _gzip_pieces(pieces())
    return BrokenObject("broken-padding.log.gz", body, len(lines), ("decompression_bomb",))


def _utf16(lines: list[str]) -> BrokenObject:
    text = "".join(f"{line}\r\n" for line in lines)
    body = _BOM_UTF16_LE + text.encode("utf-16-le")
    return BrokenObject("odd-utf16.log", body, len(lines), ())


def _byte_order_mark(lines: list[str]) -> BrokenObject:
    body = b"\xef\xbb\xbf" + "\r\n\r\n".join(lines).encode()  # no line end after the last
    return BrokenObject("odd-bom-crlf.ndjson", body, len(lines), ())


def _gzip_members(lines: list[str]) -> BrokenObject:
    body = b"".join(gzip.compress(join_lines([line]), mtime=0) for line in lines) + bytes(512)
    return BrokenObject("odd-members.ndjson.gz", body, len(lines), ())


def _picture(lines: list[str]) -> BrokenObject:
    del lines
    # The seed fixes the bytes; a picture's are as good as random.
    noise = random.Random(20261122).randbytes(6_000)  # noqa: S311
    body = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\x80\0\0\x01\xe0\x08\x02\0\0\0" + noise
    return BrokenObject("broken-picture.png", body, 0, ("unsupported_content",))


def _gzip_pieces(pieces: Iterator[bytes]) -> bytes:
    stream = zlib.compressobj(wbits=31)
    return b"".join([*(stream.compress(piece) for piece in pieces), stream.flush()])


_BUILDERS = (
    _truncated_gzip,
    _garbage_after_gzip,
    _invalid_utf8,
    _half_json_line,
    _cut_array,
    _long_line,
    _odd_columns,
    _no_bytes,
    _gzip_zeros,
    _gzip_padding,
    _utf16,
    _byte_order_mark,
    _gzip_members,
    _picture,
)
