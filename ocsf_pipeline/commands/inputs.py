"""Logs of a file or of standard input -> normalised batches; every log has exactly one answer.

Belongs here: plain logs of any format, and JSON Lines that carry logs in a field. Does not belong
here: what becomes of the batches.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl

from ocsf_pipeline.commands.common import CommandError
from ocsf_pipeline.logs.blocks import Block, HalfLine, LongLine, cut_blocks
from ocsf_pipeline.logs.compression import (
    CorruptCompressionError,
    DecompressionBombError,
    decompress_pieces,
)
from ocsf_pipeline.logs.normalize import NormalizedFrame, ObjectContext, TemplateRegistry
from ocsf_pipeline.logs.parallel import read_object_in_parallel
from ocsf_pipeline.logs.quarantine import REASONS
from ocsf_pipeline.logs.read import ObjectSummary
from ocsf_pipeline.logs.single import normalize_texts
from ocsf_pipeline.settings import Settings

_PIECE_BYTES = 1 << 20
_BATCH_LOGS = 20_000
_BLOCK_BYTES = 8 << 20


@dataclass(frozen=True)
class Problem:
    """A log that cannot be classified."""

    id_json: str
    reason: str
    error: str
    """What is wrong and what to do, for people."""


@dataclass(frozen=True)
class LogBatch:
    """Some logs of the input, in its order."""

    records: pl.DataFrame
    """NORMALIZED_SCHEMA and `id_json`, the log's id as JSON text."""
    problems: dict[int, Problem]
    """By position; a position is either here or in the records."""


@dataclass(frozen=True)
class InputFormat:
    """How logs lie in the input."""

    is_jsonl: bool = False
    field: str = "raw"


def read_batches(path: str, form: InputFormat, settings: Settings) -> Iterator[LogBatch]:
    """Yield the logs of a file, or of standard input for `-`, batch by batch.

    Raises CommandError when there is no such input.
    """
    with _open_input(path) as stream:
        pieces = _read_pieces(stream)
        if form.is_jsonl:
            yield from _read_jsonl(pieces, form.field, settings)
        else:
            yield from _read_plain(pieces, path, settings)


def check_input(path: str) -> None:
    """Raise CommandError when the input cannot be read at all."""
    with _open_input(path):
        pass


def _open_input(path: str) -> AbstractContextManager[BinaryIO]:
    if path == "-":
        if sys.stdin.isatty():
            raise CommandError("no input: name a file, or pipe logs into the command", 2)
        return nullcontext(sys.stdin.buffer)
    try:
        return Path(path).open("rb")
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}; check the path", 2) from error


def _read_pieces(stream: BinaryIO) -> Iterator[bytes]:
    while piece := stream.read(_PIECE_BYTES):
        yield piece


def _read_plain(pieces: Iterator[bytes], name: str, settings: Settings) -> Iterator[LogBatch]:
    now = datetime.now(UTC)
    hour = now.replace(minute=0, second=0, microsecond=0)
    context = ObjectContext(name, "0", hour, now)
    frames = read_object_in_parallel(
        pieces, context, TemplateRegistry(), ObjectSummary(), settings.read_limits, settings.workers
    )
    for frame in frames:
        number = (pl.col("position") + 1).cast(pl.String)
        problems = {
            position: Problem(str(position + 1), reason, REASONS[reason])
            for position, reason in frame.quarantine.select("position", "reason").iter_rows()
        }
        yield LogBatch(frame.records.with_columns(number.alias("id_json")), problems)


@dataclass(frozen=True)
class _Line:
    """One line of JSON Lines: a log, or what is wrong."""

    id_json: str
    text: str = ""
    problem: Problem | None = None


def _read_jsonl(pieces: Iterator[bytes], field: str, settings: Settings) -> Iterator[LogBatch]:
    registry = TemplateRegistry()
    batch: list[_Line] = []
    first = 0
    for line in _read_lines(pieces, field, settings):
        batch.append(line)
        if len(batch) >= _BATCH_LOGS:
            yield _normalize_lines(batch, first, registry)
            first += len(batch)
            batch = []
    if batch:
        yield _normalize_lines(batch, first, registry)


def _read_lines(pieces: Iterator[bytes], field: str, settings: Settings) -> Iterator[_Line]:
    failures: list[str] = []

    def decompress() -> Iterator[bytes]:
        try:
            yield from decompress_pieces(pieces, settings.read_limits.compression)
        except CorruptCompressionError:
            failures.append("corrupt_compression")
        except DecompressionBombError:
            failures.append("decompression_bomb")

    number = 0
    blocks = cut_blocks(decompress(), _BLOCK_BYTES, settings.max_line_bytes, lambda: bool(failures))
    for block in blocks:
        for line in _split_block(block):
            number += 1
            if line is None:
                yield _broken(str(number), "line_too_long", REASONS["line_too_long"])
            elif line.strip():
                yield _parse_line(line, number, field)
    # The line that was cut off, if one was, is told by the failure that cut it.
    for reason in failures:
        yield _broken(str(number + 1), reason, REASONS[reason])


def _split_block(block: Block | LongLine | HalfLine) -> list[bytes | None]:
    if isinstance(block, LongLine):
        return [None]
    if isinstance(block, HalfLine):
        return []
    return list(block.data.removesuffix(b"\n").split(b"\n"))


def _parse_line(line: bytes, number: int, field: str) -> _Line:
    try:
        document: Any = json.loads(line)
    except UnicodeDecodeError:
        return _broken(str(number), "invalid_utf8", REASONS["invalid_utf8"])
    except (ValueError, RecursionError):
        return _broken(str(number), "invalid_json", f"line {number} is not JSON; was it cut off?")
    if not isinstance(document, dict):
        return _broken(str(number), "invalid_json", f"line {number} is no JSON object")
    given = document.get("id")
    id_json = str(number) if given is None else json.dumps(given)
    log = document.get(field)
    if log is None:
        known = ", ".join(sorted(document)[:8]) or "none"
        text = f"line {number} has no field {field!r}; name the log's field with --field ({known})"
        return _broken(id_json, "missing_field", text)
    if not isinstance(log, str):
        log = json.dumps(log, ensure_ascii=False)
    # Escapes may spell halves of surrogate pairs, which no UTF-8 can hold.
    log = log.encode("utf-8", "replace").decode("utf-8")
    if not log.strip():
        return _broken(id_json, "empty", f"line {number} holds an empty log")
    return _Line(id_json, log)


def _broken(id_json: str, reason: str, error: str) -> _Line:
    return _Line(id_json, problem=Problem(id_json, reason, error))


def _normalize_lines(lines: list[_Line], first: int, registry: TemplateRegistry) -> LogBatch:
    """Normalise the sound lines; positions count all lines of the input from `first`."""
    problems = {first + at: line.problem for at, line in enumerate(lines) if line.problem}
    sound = [(first + at, line) for at, line in enumerate(lines) if not line.problem]
    now = datetime.now(UTC)
    frame: NormalizedFrame = normalize_texts([line.text for _, line in sound], now, registry)
    places = pl.DataFrame(
        {
            "position": range(len(sound)),
            "place": [position for position, _line in sound],
            "id_json": [line.id_json for _position, line in sound],
        },
        schema={"position": pl.UInt64, "place": pl.UInt64, "id_json": pl.String},
    )
    joined = frame.records.join(places, on="position", how="inner", maintain_order="left")
    records = joined.with_columns(pl.col("place").alias("position")).drop("place")
    rejected = frame.quarantine.join(places, on="position", how="inner")
    for place, id_json, reason in rejected.select("place", "id_json", "reason").iter_rows():
        problems[place] = Problem(id_json, reason, REASONS[reason])
    answered = {*records["position"].to_list(), *problems}
    for place, line in sound:
        if place not in answered:
            problems[place] = Problem(line.id_json, "unreadable", "the log could not be read")
    return LogBatch(records, problems)
