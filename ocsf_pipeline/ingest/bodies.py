"""The body of one request as it was sent -> its text, within bounds.

Belongs here: compression, told by the header and by content, limits against bombs. Does not belong
here: reading from a socket (`app`), what the text means (`lines`, `hec`, `otlp`).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from ocsf_pipeline.ingest.errors import BodyTooLargeError, RequestError, UnsupportedError
from ocsf_pipeline.logs.compression import (
    CompressionLimits,
    CorruptCompressionError,
    DecompressionBombError,
    decompress_pieces,
)

_PIECE_BYTES = 1 << 20
_BY_CONTENT = frozenset({"", "identity", "gzip", "x-gzip", "zstd"})


@dataclass(frozen=True)
class BodyLimits:
    """How large a request may be."""

    max_body_bytes: int = 16 << 20
    """As sent."""
    max_text_bytes: int = 64 << 20
    """Decompressed."""


def decompress_body(body: bytes, encoding: str, limits: BodyLimits) -> bytes:
    """Return the text of `body`; `encoding` is the request's Content-Encoding.

    gzip and zstd are recognised by content, so a file sent without the header is read as well.
    Raises BodyTooLargeError, UnsupportedError, or RequestError for a damaged stream.
    """
    name = encoding.strip().lower()
    bounds = CompressionLimits(max_decompressed_bytes=limits.max_text_bytes)
    if name == "deflate":
        pieces = _inflate(body)
    elif name in _BY_CONTENT:
        pieces = decompress_pieces(iter([body]), bounds)
    else:
        raise UnsupportedError(
            f"Content-Encoding {encoding!r} is not supported; send gzip, zstd, deflate or none"
        )
    parts: list[bytes] = []
    total = 0
    try:
        for piece in pieces:
            total += len(piece)
            if total > limits.max_text_bytes:
                raise DecompressionBombError
            parts.append(piece)
    except DecompressionBombError as error:
        raise BodyTooLargeError(
            f"the body decompresses to more than {limits.max_text_bytes:,} bytes; "
            "send smaller batches"
        ) from error
    except CorruptCompressionError as error:
        raise RequestError(f"the body cannot be decompressed: {error}") from error
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _inflate(body: bytes) -> Iterator[bytes]:
    """Yield what a zlib stream holds, as `Content-Encoding: deflate` means by RFC 9110."""
    stream = zlib.decompressobj()
    pending = body
    while pending and not stream.eof:
        try:
            yield stream.decompress(pending, _PIECE_BYTES)
        except zlib.error as error:
            raise CorruptCompressionError(f"deflate: {error}") from error
        pending = stream.unconsumed_tail
    if not stream.eof:
        raise CorruptCompressionError("deflate: the stream ends before its end marker")
