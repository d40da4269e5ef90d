"""Objects of logs for tests, and reading them to the end.

Belongs here: what several tests of the logs stage share. Does not belong here: any expectation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from ocsf_pipeline.logs.normalize import ObjectContext, TemplateRegistry
from ocsf_pipeline.logs.parallel import read_object_in_parallel
from ocsf_pipeline.logs.read import DEFAULT_LIMITS, ObjectSummary, ReadLimits, read_object
from ocsf_pipeline.logs.single import normalize_texts

HOUR = datetime(2026, 11, 22, 10, tzinfo=UTC)
CONTEXT = ObjectContext("logs/dt=2026-11-22/hour=10/a.log", "v1", HOUR, HOUR)


@dataclass
class ReadResult:
    records: pl.DataFrame
    quarantine: pl.DataFrame
    summary: ObjectSummary

    @property
    def raws(self) -> list[str]:
        return self.records["raw"].to_list()

    @property
    def reasons(self) -> list[str]:
        return self.quarantine["reason"].to_list()

    def fields(self) -> list[dict[str, object]]:
        return [json.loads(text) for text in self.records["fields"]]


def cut_pieces(body: bytes, size: int = 1000) -> Iterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


def read_all(
    body: bytes | Iterator[bytes],
    limits: ReadLimits = DEFAULT_LIMITS,
    workers: int = 1,
    piece_bytes: int = 1000,
) -> ReadResult:
    """Read an object to its end and check what holds for every object."""
    pieces = cut_pieces(body, piece_bytes) if isinstance(body, bytes) else body
    summary = ObjectSummary()
    registry = TemplateRegistry()
    if workers > 1:
        frames = list(read_object_in_parallel(pieces, CONTEXT, registry, summary, limits, workers))
    else:
        frames = list(read_object(pieces, CONTEXT, registry, summary, limits))
    empty = normalize_texts([])
    result = ReadResult(
        pl.concat([empty.records, *(frame.records for frame in frames)]),
        pl.concat([empty.quarantine, *(frame.quarantine for frame in frames)]),
        summary,
    )
    _check_conservation(result)
    return result


def _check_conservation(result: ReadResult) -> None:
    summary = result.summary
    assert summary.read_count == len(result.records) + len(result.quarantine)
    positions = sorted([*result.records["position"], *result.quarantine["position"]])
    assert positions == list(range(len(positions))), "positions are unique and dense"
    assert result.records["event_uid"].n_unique() == len(result.records)
    for name in ("event_uid", "time", "observed_time", "format", "fields", "raw", "template_id"):
        assert result.records[name].null_count() == 0, name
    for fields in result.records["fields"]:
        assert isinstance(json.loads(fields), dict)


def read_fields(text: str) -> dict[str, object]:
    """Return the fields of one log."""
    return dict(json.loads(normalize_texts([text]).records["fields"][0]))


def read_record(text: str, observed: datetime = HOUR) -> dict[str, object]:
    """Return the record of one log."""
    return normalize_texts([text], observed).records.row(0, named=True)


def template_of(text: str) -> str:
    return str(read_record(text)["template_id"])
