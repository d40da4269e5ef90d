"""Bytes of an object -> its decompressed bytes, in pieces, within bounds.

Belongs here: gzip, zstd and plain, recognised by content; limits against decompression bombs.
Does not belong here: lines or formats.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import zstandard

_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_SKIPPABLE = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")  # zstd frames of metadata
_PIECE_BYTES = 1 << 20
_ZSTD_SLICE_BYTES = 1 << 10
_MAX_WINDOW_BYTES = 1 << 27  # zstd --long=27; a frame that asks for more is refused


class CorruptCompressionError(ValueError):
    """The compressed stream is damaged or ends early; pieces before it are good."""


class DecompressionBombError(ValueError):
    """The stream expands beyond the limits."""


@dataclass(frozen=True)
class CompressionLimits:
    """How far a compressed object may expand."""

    max_decompressed_bytes: int = 16 << 30
    max_ratio: int = 250
    """Of decompressed to compressed bytes; looked at beyond `ratio_floor_bytes` only."""
    ratio_floor_bytes: int = 32 << 20


DEFAULT_LIMITS = CompressionLimits()


def decompress_pieces(
    pieces: Iterator[bytes], limits: CompressionLimits = DEFAULT_LIMITS
) -> Iterator[bytes]:
    """Yield the decompressed content of `pieces`, at most about 1 MiB at a time.

    Raises CorruptCompressionError or DecompressionBombError after yielding what was good.
    """
    head = b""
    for piece in pieces:
        head += piece
        if len(head) >= len(_ZSTD_MAGIC):
            break
    source = _chain(head, pieces)
    if head.startswith(_GZIP_MAGIC):
        yield from _guard(_gunzip(source), limits)
    elif head.startswith(_ZSTD_MAGIC) or _SKIPPABLE.match(head):
        yield from _guard(_unzstd(source), limits)
    else:
        yield from (piece for piece in source if piece)


def _chain(head: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from pieces


def _guard(counted: Iterator[tuple[int, bytes]], limits: CompressionLimits) -> Iterator[bytes]:
    """Pass on pieces until they exceed the limits; `counted` gives (compressed bytes, piece)."""
    total = 0
    for compressed_bytes, piece in counted:
        total += len(piece)
        too_many = total > limits.max_decompressed_bytes
        too_dense = total > max(limits.ratio_floor_bytes, compressed_bytes * limits.max_ratio)
        if too_many or too_dense:
            raise DecompressionBombError(f"{compressed_bytes} bytes expand beyond {total} bytes")
        yield piece


def _gunzip(pieces: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    consumed = 0
    stream = zlib.decompressobj(wbits=31)
    for piece in pieces:
        consumed += len(piece)
        pending = piece
        while pending:
            if stream.eof:
                # Members follow one another; zero padding after the last one is not a member.
                pending = pending.lstrip(b"\0")
                if not pending:
                    break
                stream = zlib.decompressobj(wbits=31)
            try:
                output = stream.decompress(pending, _PIECE_BYTES)
            except zlib.error as error:
                raise CorruptCompressionError(f"gzip: {error}") from error
            if output:
                yield consumed, output
            pending = stream.unused_data if stream.eof else stream.unconsumed_tail
    if not stream.eof:
        raise CorruptCompressionError("gzip: the stream ends before its end marker")


def _unzstd(pieces: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    consumed = 0
    decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_BYTES)
    stream = decompressor.decompressobj()
    for piece in pieces:
        # Small slices bound what one call may expand to: a four-byte block can hold 128 KiB.
        for start in range(0, len(piece), _ZSTD_SLICE_BYTES):
            pending = piece[start : start + _ZSTD_SLICE_BYTES]
            consumed += len(pending)
            while pending:
                if stream.eof:
                    stream = decompressor.decompressobj()
                try:
                    output = stream.decompress(pending)
                except zstandard.ZstdError as error:
                    raise CorruptCompressionError(f"zstd: {error}") from error
                if output:
                    yield consumed, output
                pending = stream.unused_data if stream.eof else b""
    if not stream.eof:
        raise CorruptCompressionError("zstd: the stream ends inside a frame")
