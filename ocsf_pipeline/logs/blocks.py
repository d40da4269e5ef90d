"""Decompressed pieces -> blocks that end at line ends, and frames of lines with their offsets.

Belongs here: cutting text into lines in bounded memory, UTF-8. Does not belong here: what a line
means, documents that span lines (`containers`).
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import polars as pl
import pyarrow as pa

from ocsf_pipeline.logs.quarantine import MAX_KEPT_BYTES, Rejected

_NEWLINE = 10
LINE_SCHEMA = pl.Schema({"position": pl.UInt64, "offset_bytes": pl.UInt64, "raw": pl.String})


@dataclass(frozen=True)
class Block:
    """Whole lines, and where they begin in the decompressed object."""

    offset_bytes: int
    data: bytes


@dataclass(frozen=True)
class LongLine:
    """A line beyond the limit: its beginning and its length."""

    offset_bytes: int
    size_bytes: int
    kept: bytes


@dataclass(frozen=True)
class HalfLine:
    """The last line of an object that was cut off: its end is not known."""

    offset_bytes: int
    data: bytes


@dataclass
class LineFrame:
    """Lines of one block that could be read, and those that could not."""

    lines: pl.DataFrame
    """LINE_SCHEMA; blank lines are left out and have no position."""
    rejected: list[Rejected] = field(default_factory=list)
    next_position: int = 0


def cut_blocks(
    pieces: Iterator[bytes],
    block_bytes: int,
    max_line_bytes: int,
    is_cut_off: Callable[[], bool] = lambda: False,
) -> Iterator[Block | LongLine | HalfLine]:
    """Yield blocks of about `block_bytes` that end at a line end, and overlong lines by themselves.

    `is_cut_off` is asked when `pieces` end: then what follows the last line end is half a line.

    Holds at most `block_bytes + max_line_bytes` and one piece in memory. When `pieces` raises, what
    was read before is yielded first, then the error is raised.
    """
    buffer = bytearray()
    offset = 0
    failure: Exception | None = None
    while failure is None:
        try:
            piece = next(pieces, None)
        except Exception as error:  # any failure of the source: give out the good part first
            failure, piece = error, None
        if piece is None:
            break
        buffer += piece
        if len(buffer) < block_bytes:
            continue
        end = buffer.rfind(b"\n") + 1
        if end:
            yield from _emit(bytes(buffer[:end]), offset, max_line_bytes)
            offset += end
            del buffer[:end]
        elif len(buffer) > max_line_bytes:
            long_line, consumed, rest = _drain_long_line(buffer, offset, pieces)
            yield long_line
            offset += consumed
            buffer = rest
    end = buffer.rfind(b"\n") + 1 if is_cut_off() else len(buffer)
    yield from _emit(bytes(buffer[:end]), offset, max_line_bytes)
    if end < len(buffer):
        yield HalfLine(offset + end, bytes(buffer[end:]))
    if failure is not None:
        raise failure


def _drain_long_line(
    buffer: bytearray, offset: int, pieces: Iterator[bytes]
) -> tuple[LongLine, int, bytearray]:
    """Read on to the line's end without keeping it."""
    kept = bytes(buffer[:MAX_KEPT_BYTES])
    size = len(buffer)
    for piece in pieces:
        end = piece.find(b"\n")
        if end >= 0:
            size += end
            return LongLine(offset, size, kept), size + 1, bytearray(piece[end + 1 :])
        size += len(piece)
    return LongLine(offset, size, kept), size, bytearray()


def _emit(data: bytes, offset: int, max_line_bytes: int) -> Iterator[Block | LongLine]:
    """Yield `data` as one block, or in parts around lines that are too long."""
    ends = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == _NEWLINE)
    starts = np.concatenate(([0], ends + 1))
    stops = np.concatenate((ends, [len(data)]))
    done = 0
    for index in np.flatnonzero(stops - starts > max_line_bytes):
        start, stop = int(starts[index]), int(stops[index])
        if start > done:
            yield Block(offset + done, data[done:start])
        yield LongLine(offset + start, stop - start, data[start : start + MAX_KEPT_BYTES])
        done = min(stop + 1, len(data))
    if done < len(data):
        yield Block(offset + done, data[done:])


def frame_lines(block: Block, first_position: int) -> LineFrame:
    """Split a block into lines without copying them; lines that are not UTF-8 are rejected."""
    data = block.data if block.data.endswith(b"\n") else block.data + b"\n"
    ends = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == _NEWLINE)
    offsets = np.empty(len(ends) + 1, dtype=np.int64)
    # A byte order mark is no part of the first line.
    offsets[0] = 3 if block.offset_bytes == 0 and data.startswith(codecs.BOM_UTF8) else 0
    offsets[1:] = ends + 1
    array = pa.Array.from_buffers(
        pa.large_binary(), len(ends), [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    )
    frame = pl.DataFrame(
        {
            "offset_bytes": pl.Series(offsets[:-1] + block.offset_bytes, dtype=pl.UInt64),
            "raw": pl.from_arrow(array),
        }
    )
    bad = pl.DataFrame(schema=frame.schema)
    if not _is_utf8(data):
        # The only loop over lines: within a block that holds invalid bytes, to tell which do.
        good = pl.Series([_is_utf8(line) for line in frame["raw"]], dtype=pl.Boolean)
        bad, frame = frame.filter(~good), frame.filter(good)
    frame = frame.with_columns(pl.col("raw").cast(pl.String).str.strip_suffix("\n"))
    if b"\r" in data:
        frame = frame.with_columns(pl.col("raw").str.strip_chars_end("\r"))
    is_blank = frame["raw"].str.contains(r"^\s*$")
    frame = frame.filter(~is_blank) if is_blank.any() else frame
    return _number_lines(frame, bad, first_position)


def _number_lines(frame: pl.DataFrame, bad: pl.DataFrame, first_position: int) -> LineFrame:
    """Give good and bad lines their positions in the order of their offsets."""
    order = np.sort(np.concatenate((frame["offset_bytes"].to_numpy(), bad["offset_bytes"])))
    position = np.searchsorted(order, frame["offset_bytes"].to_numpy()) + first_position
    lines = frame.select(pl.Series("position", position, dtype=pl.UInt64), "offset_bytes", "raw")
    rejected = [
        Rejected(
            position=int(np.searchsorted(order, offset)) + first_position,
            offset_bytes=offset,
            reason="invalid_utf8",
            size_bytes=len(raw),
            kept=raw[:MAX_KEPT_BYTES].rstrip(b"\r\n"),
        )
        for offset, raw in bad.iter_rows()
    ]
    return LineFrame(lines, rejected, first_position + len(order))


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
