"""The stream of one object -> normalised frames, quarantine and counts, in bounded memory.

Belongs here: the order in which an object is read. Does not belong here: storage, any format.
"""

from __future__ import annotations

import codecs
import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from ocsf_pipeline.logs.blocks import (
    LINE_SCHEMA,
    Block,
    HalfLine,
    LineFrame,
    LongLine,
    cut_blocks,
    frame_lines,
)
from ocsf_pipeline.logs.columns import Header, recognize_header, split_rows
from ocsf_pipeline.logs.compression import (
    CompressionLimits,
    CorruptCompressionError,
    DecompressionBombError,
    decompress_pieces,
)
from ocsf_pipeline.logs.containers import Container, recognize_container, split_document
from ocsf_pipeline.logs.normalize import (
    NormalizedFrame,
    ObjectContext,
    TemplateRegistry,
    normalize_records,
)
from ocsf_pipeline.logs.quarantine import (
    MAX_KEPT_BYTES,
    Rejected,
    build_quarantine,
    select_quarantine,
)
from ocsf_pipeline.logs.records import NORMALIZED_SCHEMA

_HEAD_BYTES = 64 * 1024
_UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


@dataclass(frozen=True)
class ReadLimits:
    """Bounds on what one object may ask for."""

    block_bytes: int = 48 << 20
    """Text is worked on in blocks of this size; peak memory is a small multiple of it."""
    max_line_bytes: int = 1 << 20
    max_document_bytes: int = 64 << 20
    compression: CompressionLimits = field(default_factory=CompressionLimits)


DEFAULT_LIMITS = ReadLimits()


@dataclass
class ObjectSummary:
    """Counts of one object, complete once its frames are exhausted."""

    size_bytes: int = 0
    text_bytes: int = 0
    record_count: int = 0
    quarantined_count: int = 0
    digest: str = ""

    @property
    def read_count(self) -> int:
        """Everything that was found in the object."""
        return self.record_count + self.quarantined_count


def read_object(
    pieces: Iterator[bytes],
    context: ObjectContext,
    registry: TemplateRegistry,
    summary: ObjectSummary,
    limits: ReadLimits = DEFAULT_LIMITS,
) -> Iterator[NormalizedFrame]:
    """Yield the normalised frames of one object and fill `summary`.

    Every line or document element ends up in exactly one record or one quarantine row. Errors of
    the source itself (a reset, a replaced object) are raised: they are no property of the content.
    """
    for raw in read_raw_frames(pieces, context, summary, limits):
        yield count_frame(normalize_raw(raw, context, registry), summary)


def read_raw_frames(
    pieces: Iterator[bytes],
    context: ObjectContext,
    summary: ObjectSummary,
    limits: ReadLimits = DEFAULT_LIMITS,
) -> Iterator[RawFrame]:
    """Yield the records of one object as they stand, numbered, before they are normalised."""
    reader = _ObjectReader(context, limits)
    digest = hashlib.sha256()

    def watch() -> Iterator[bytes]:
        for piece in pieces:
            digest.update(piece)
            summary.size_bytes += len(piece)
            yield piece

    watched = watch()
    yield from reader.read(watched)
    for _rest in watched:  # after a refusal: the digest is that of the whole object
        pass
    summary.text_bytes = reader.text_bytes
    summary.digest = digest.hexdigest()


def normalize_raw(
    raw: RawFrame, context: ObjectContext, registry: TemplateRegistry
) -> NormalizedFrame:
    """Normalise one raw frame; frames are independent, so they may be worked on in any order."""
    if raw.lines.is_empty():
        return NormalizedFrame(pl.DataFrame(schema=NORMALIZED_SCHEMA), raw.quarantine)
    frame = normalize_records(raw.lines, context, registry)
    if raw.quarantine.is_empty():
        return frame
    return NormalizedFrame(frame.records, pl.concat([raw.quarantine, frame.quarantine]))


def count_frame(frame: NormalizedFrame, summary: ObjectSummary) -> NormalizedFrame:
    """Add the counts of one frame to the object's summary."""
    summary.record_count += len(frame.records)
    summary.quarantined_count += len(frame.quarantine)
    return frame


@dataclass(frozen=True)
class RawFrame:
    """Records of one block, as they stand, and what of the block could not be read."""

    lines: pl.DataFrame
    """position, offset_bytes, raw; `fields` too where rows came under a header."""
    quarantine: pl.DataFrame


class _ObjectReader:
    def __init__(self, context: ObjectContext, limits: ReadLimits) -> None:
        self._context = context
        self._limits = limits
        self._position = 0
        self.text_bytes = 0
        self._failures: list[str] = []
        self._half_line: HalfLine | None = None

    def read(self, pieces: Iterator[bytes]) -> Iterator[RawFrame]:
        text = self._decompress(pieces)
        head = b""
        for piece in text:
            head += piece
            if len(head) >= _HEAD_BYTES:
                break
        if head:
            yield from self._read_text(head, itertools.chain([head], text))
        for reason in self._failures:
            half = self._half_line or HalfLine(self.text_bytes, b"")
            yield self._reject(reason, half.offset_bytes, len(half.data), half.data)

    def _decompress(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        try:
            decompressed = decompress_pieces(pieces, self._limits.compression)
            for piece in _to_utf8(decompressed):
                self.text_bytes += len(piece)
                yield piece
        except CorruptCompressionError:
            self._failures.append("corrupt_compression")
        except DecompressionBombError:
            self._failures.append("decompression_bomb")

    def _read_text(self, head: bytes, pieces: Iterator[bytes]) -> Iterator[RawFrame]:
        if b"\0" in head[:1024] and not head.strip(b"\0 \r\n"):
            head = b""  # nothing but padding: the line reader below rejects or drops it
        elif head[:1024].count(b"\0") > 8:
            yield self._reject_rest("unsupported_content", b"", pieces)
            return
        container = recognize_container(head)
        if container != "lines":
            yield from self._read_document(container, pieces)
            return
        header = recognize_header(head[:_HEAD_BYTES].decode("utf-8", errors="replace"))
        limits = self._limits
        blocks = cut_blocks(
            pieces, limits.block_bytes, limits.max_line_bytes, lambda: bool(self._failures)
        )
        for block in blocks:
            yield from self._read_block(block, header)

    def _read_document(self, container: Container, pieces: Iterator[bytes]) -> Iterator[RawFrame]:
        data = bytearray()
        for piece in pieces:
            data += piece
            if len(data) > self._limits.max_document_bytes:
                yield self._reject_rest("document_too_large", bytes(data), pieces)
                return
        frame = split_document(bytes(data), container)
        yield from self._pass_on(frame)

    def _read_block(
        self, block: Block | LongLine | HalfLine, header: Header | None
    ) -> Iterator[RawFrame]:
        if isinstance(block, HalfLine):
            self._half_line = block  # quarantined with the reason for the cut
            return
        if isinstance(block, LongLine):
            yield self._reject("line_too_long", block.offset_bytes, block.size_bytes, block.kept)
            return
        frame = frame_lines(block, self._position)
        if header is None:
            yield from self._pass_on(frame)
            return
        rows, odd = split_rows(frame.lines, header)
        # Headers, comments and continued lines are no records: number what is.
        rejected = [item.offset_bytes for item in frame.rejected]
        order = np.sort(np.concatenate((rows["offset_bytes"], odd["offset_bytes"], rejected)))

        def number(offsets: pl.Series) -> pl.Series:
            ranks = np.searchsorted(order, offsets.to_numpy()) + self._position
            return pl.Series("position", ranks, dtype=pl.UInt64)

        renumbered = [
            replace(item, position=int(np.searchsorted(order, item.offset_bytes)) + self._position)
            for item in frame.rejected
        ]
        rows = rows.with_columns(number(rows["offset_bytes"]))
        odd = odd.with_columns(number(odd["offset_bytes"]))
        context = self._context
        mismatched = select_quarantine(odd, "column_mismatch", context.key, context.hour)
        yield RawFrame(pl.DataFrame(schema=LINE_SCHEMA), mismatched)
        yield from self._pass_on(LineFrame(rows, renumbered, self._position + len(order)))

    def _pass_on(self, frame: LineFrame) -> Iterator[RawFrame]:
        self._position = frame.next_position
        yield RawFrame(
            frame.lines, build_quarantine(frame.rejected, self._context.key, self._context.hour)
        )

    def _reject(self, reason: str, offset: int, size: int, kept: bytes) -> RawFrame:
        rejected = Rejected(self._position, offset, reason, size, kept)
        self._position += 1
        return self._quarantine([rejected])

    def _reject_rest(self, reason: str, start: bytes, pieces: Iterator[bytes]) -> RawFrame:
        kept = bytearray(start[:MAX_KEPT_BYTES])
        size = len(start)
        for piece in pieces:
            size += len(piece)
            kept += piece[: MAX_KEPT_BYTES - len(kept)]
        return self._reject(reason, 0, size, bytes(kept))

    def _quarantine(self, rejected: list[Rejected]) -> RawFrame:
        rows = build_quarantine(rejected, self._context.key, self._context.hour)
        return RawFrame(pl.DataFrame(schema=LINE_SCHEMA), rows)


def _to_utf8(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Pass on UTF-8 as it is; recode text that begins with a UTF-16 byte order mark."""
    first = next(pieces, b"")
    encoding = _UTF16.get(first[:2])
    if encoding is None or first.startswith(codecs.BOM_UTF32_LE):
        yield first
        yield from pieces
        return
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    for piece in itertools.chain([first[2:]], pieces):
        yield decoder.decode(piece).encode()
    yield decoder.decode(b"", final=True).encode()
