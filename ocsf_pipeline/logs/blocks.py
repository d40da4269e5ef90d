"""Decompressed pieces -> blocks that end at line ends, and frames of lines with their offsets.

Belongs here: cutting text into lines in bounded memory, UTF-8. Does not belong here: what a line
means, documents that span lines (`containers`).
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from ocsf_pipeline.logs.compiled import compile_loop
from ocsf_pipeline.logs.quarantine import MAX_KEPT_BYTES, Rejected
from ocsf_pipeline.logs.textplaces import cut_buffer

_NEWLINE, _RETURN = 10, 13
_STEP_BYTES = 1 << 18
_BLANK, _TEXT, _DOUBTFUL = 0, 1, 2
Places = npt.NDArray[np.int64]
LINE_SCHEMA = pl.Schema({"position": pl.UInt64, "offset_bytes": pl.UInt64, "raw": pl.String})


@dataclass(frozen=True)
class Block:
    """Whole lines, and where they begin in the decompressed object."""

    offset_bytes: int
    data: bytes
    line_ends: Places | None = None
    """Where its newlines stand, where that is known already."""


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

    Holds at most `block_bytes + max_line_bytes` and one piece in memory, for a moment twice. When
    `pieces` raises, what was read before is yielded first, then the error is raised.
    """
    held: list[bytes] = []
    held_bytes = offset = 0
    failure: Exception | None = None
    while failure is None:
        try:
            piece = next(pieces, None)
        except Exception as error:  # any failure of the source: give out the good part first
            failure, piece = error, None
        if piece is None:
            break
        held.append(piece)
        held_bytes += len(piece)
        if held_bytes < block_bytes:
            continue
        whole, rest = _cut_last_line(held)
        if whole:
            yield from _emit(whole, offset, max_line_bytes)
            offset += len(whole)
        elif held_bytes > max_line_bytes:
            long_line, consumed, rest = _drain_long_line(rest, offset, pieces)
            yield long_line
            offset += consumed
        held, held_bytes = [rest], len(rest)
    whole, rest = _cut_last_line(held) if is_cut_off() else (b"".join(held), b"")
    yield from _emit(whole, offset, max_line_bytes)
    if rest:
        yield HalfLine(offset + len(whole), rest)
    if failure is not None:
        raise failure


def _cut_last_line(held: list[bytes]) -> tuple[bytes, bytes]:
    """Return the whole lines of some pieces, and the beginning of a line behind them."""
    last = held[-1] if held else b""
    end = last.rfind(b"\n") + 1
    if end:  # nearly always: then nothing is copied twice
        return b"".join([*held[:-1], memoryview(last)[:end]]), last[end:]
    text = b"".join(held)
    end = text.rfind(b"\n") + 1
    return text[:end], text[end:]


def _drain_long_line(
    start: bytes, offset: int, pieces: Iterator[bytes]
) -> tuple[LongLine, int, bytes]:
    """Read on to the line's end without keeping it."""
    kept = start[:MAX_KEPT_BYTES]
    size = len(start)
    for piece in pieces:
        end = piece.find(b"\n")
        if end >= 0:
            size += end
            return LongLine(offset, size, kept), size + 1, piece[end + 1 :]
        size += len(piece)
    return LongLine(offset, size, kept), size, b""


def _emit(data: bytes, offset: int, max_line_bytes: int) -> Iterator[Block | LongLine]:
    """Yield `data` as one block, or in parts around lines that are too long."""
    ends = _find_newlines(data)
    starts = np.concatenate(([0], ends + 1))
    stops = np.concatenate((ends, [len(data)]))
    long_lines = np.flatnonzero(stops - starts > max_line_bytes)
    if data and not len(long_lines):
        yield Block(offset, data, ends)
        return
    done = 0
    for index in long_lines:
        start, stop = int(starts[index]), int(stops[index])
        if start > done:
            yield Block(offset + done, data[done:start])
        yield LongLine(offset + start, stop - start, data[start : start + MAX_KEPT_BYTES])
        done = min(stop + 1, len(data))
    if done < len(data):
        yield Block(offset + done, data[done:])


def _find_newlines(data: bytes) -> Places:
    """Return where the newlines stand, in steps that stay in the processor's cache."""
    codes = np.frombuffer(data, dtype=np.uint8)
    steps = range(0, max(1, len(codes)), _STEP_BYTES)
    found = [np.flatnonzero(codes[at : at + _STEP_BYTES] == _NEWLINE) + at for at in steps]
    return np.concatenate(found)


@compile_loop
def _trim_lines(data: Any, starts: Any, stops: Any, kinds: Any) -> None:
    """Take carriage returns off line ends; tell lines that hold something from blank ones."""
    for row in range(starts.size):
        at, end = starts[row], stops[row]
        while at < end and data[end - 1] == _RETURN:
            end -= 1
        stops[row] = end
        while at < end and (data[at] == 32 or 9 <= data[at] <= 13):
            at += 1
        kinds[row] = _BLANK if at >= end else _TEXT if data[at] < 128 else _DOUBTFUL


def frame_lines(block: Block, first_position: int) -> LineFrame:
    """Split a block into lines without copying them; lines that are not UTF-8 are rejected."""
    data = block.data
    ends = _find_newlines(data) if block.line_ends is None else block.line_ends
    if not data.endswith(b"\n"):
        ends = np.append(ends, len(data))
    starts = np.empty(len(ends), dtype=np.int64)
    # A byte order mark is no part of the first line.
    starts[0] = 3 if block.offset_bytes == 0 and data.startswith(codecs.BOM_UTF8) else 0
    starts[1:] = ends[:-1] + 1
    bad: list[tuple[int, bytes]] = []
    if not _is_utf8(data):
        # The only loop over lines: within a block that holds invalid bytes, to tell which do.
        lines = (data[start:end] for start, end in zip(starts, ends, strict=True))
        is_good = np.fromiter((_is_utf8(line) for line in lines), np.bool_, len(starts))
        bad = [
            (int(starts[row]), data[starts[row] : ends[row]] + b"\n")
            for row in np.flatnonzero(~is_good)
        ]
        starts, ends = starts[is_good], ends[is_good]
    frame = _trim(data, starts, ends.copy())
    return _number_lines(frame, bad, block.offset_bytes, first_position)


def _trim(data: bytes, starts: Places, stops: Places) -> pl.DataFrame:
    """Return `start` and `raw` of lines that are not blank."""
    kinds = np.empty(len(starts), dtype=np.uint8)
    _trim_lines(np.frombuffer(data or b"\0", dtype=np.uint8), starts, stops, kinds)
    kept = np.flatnonzero(kinds != _BLANK)
    starts, stops, kinds = starts[kept], stops[kept], kinds[kept]
    frame = pl.DataFrame({"start": starts, "raw": cut_buffer(data, starts, stops, "raw")})
    doubtful = np.flatnonzero(kinds == _DOUBTFUL)
    if not len(doubtful):
        return frame
    is_blank = frame["raw"][doubtful].str.contains(r"^\s*$").to_numpy()
    return frame[np.delete(np.arange(len(frame)), doubtful[is_blank])] if is_blank.any() else frame


def _number_lines(
    frame: pl.DataFrame, bad: list[tuple[int, bytes]], offset_bytes: int, first_position: int
) -> LineFrame:
    """Give good and bad lines their positions in the order of their offsets."""
    starts = frame["start"].to_numpy()
    order = np.sort(np.concatenate((starts, np.array([start for start, _raw in bad], np.int64))))
    position = np.searchsorted(order, starts) + first_position
    lines = pl.DataFrame(
        {
            "position": pl.Series(position, dtype=pl.UInt64),
            "offset_bytes": pl.Series(starts + offset_bytes, dtype=pl.UInt64),
            "raw": frame["raw"],
        }
    )
    rejected = [
        Rejected(
            position=int(np.searchsorted(order, start)) + first_position,
            offset_bytes=start + offset_bytes,
            reason="invalid_utf8",
            size_bytes=len(raw),
            kept=raw[:MAX_KEPT_BYTES].rstrip(b"\r\n"),
        )
        for start, raw in bad
    ]
    return LineFrame(lines, rejected, first_position + len(order))


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    # As one text of a column: checked where it lies, not decoded.
    sizes = pa.py_buffer(np.array([0, len(data)], dtype=np.int64))
    text = pa.Array.from_buffers(pa.large_string(), 1, [None, sizes, pa.py_buffer(data)])
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True
