"""The labelled logs that ship with the package, as records.

Belongs here: reading `labels.jsonl` (the demo's) and `benchmark.jsonl`. Does not
belong here: putting logs into objects (`objects`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path


@dataclass(frozen=True)
class SampleLog:
    """One log as its product writes it, and what it should become."""

    id: str
    source: str
    """The product; the name of its source pack where there is one."""
    format: str
    """json, syslog (RFC 3164), syslog5424, cef, leef, kv, csv, xml, access or text."""
    raw: str
    """One log; a row of CSV, Zeek or W3C text carries its header lines before it."""
    class_uid: int
    activity_id: int
    acceptable: tuple[int, ...]
    """Other classes that a careful analyst could choose."""
    event_type: str


def read_sample_logs() -> tuple[SampleLog, ...]:
    """Return all sample logs, in the order of the file."""
    return _read_file("labels.jsonl")


def read_benchmark_logs() -> tuple[SampleLog, ...]:
    """Return the logs of the benchmark: products of which there is neither pack nor sample."""
    return _read_file("benchmark.jsonl")


def find_benchmark() -> Path:
    """Return the file of the benchmark's logs."""
    return Path(str(resources.files("ocsf_pipeline.samples") / "benchmark.jsonl"))


def find_baseline() -> Path:
    """Return the file of the figures that the benchmark must not fall below."""
    return Path(str(resources.files("ocsf_pipeline.samples") / "benchmark_baseline.json"))


def _read_file(name: str) -> tuple[SampleLog, ...]:
    file = resources.files("ocsf_pipeline.samples") / name
    return tuple(_read_line(line) for line in file.read_text(encoding="utf-8").splitlines())


def _read_line(line: str) -> SampleLog:
    fields = json.loads(line)
    return SampleLog(**{**fields, "acceptable": tuple(fields["acceptable"])})
