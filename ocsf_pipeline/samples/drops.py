"""Logs -> the bytes of one object, in the containers that shippers and products use.

Belongs here: envelopes, documents, headers, compression. Does not belong here: which log goes
where (`objects`), damage (`broken`). Compression carries no time, so bytes are the same each time.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from datetime import datetime, timedelta

import zstandard

from ocsf_pipeline.samples.labels import SampleLog


def join_lines(texts: Sequence[str]) -> bytes:
    """One text per line."""
    return "".join(f"{text}\n" for text in texts).encode()


def pack_lines(logs: Sequence[SampleLog]) -> bytes:
    """The logs as they are, one per line: NDJSON, syslog, CEF, LEEF, key=value, text."""
    return join_lines([log.raw for log in logs])


def pack_vector(logs: Sequence[SampleLog], arrival: datetime) -> bytes:
    """NDJSON of Vector's envelope; logs arrive one second apart from `arrival` on."""
    lines = []
    for number, log in enumerate(logs):
        moment = arrival + timedelta(seconds=number)
        lines.append(
            json.dumps(
                {
                    "host": f"shipper-{number % 3 + 1:02d}",
                    "message": log.raw,
                    "source_type": "file" if log.format == "text" else "http_server",
                    "timestamp": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                },
                ensure_ascii=False,
            )
        )
    return join_lines(lines)


def pack_array(logs: Sequence[SampleLog]) -> bytes:
    """One JSON array, an element per line, as exporters write it."""
    return ("[\n" + ",\n".join(log.raw for log in logs) + "\n]\n").encode()


def pack_records(logs: Sequence[SampleLog]) -> bytes:
    """AWS's `{"Records": […]}` on one line."""
    return ('{"Records":[' + ",".join(log.raw for log in logs) + "]}").encode()


def pack_pretty(logs: Sequence[SampleLog]) -> bytes:
    """Pretty-printed JSON documents one after another."""
    return join_lines([json.dumps(json.loads(log.raw), indent=2) for log in logs])


def pack_table(logs: Sequence[SampleLog]) -> bytes:
    """Rows under the header of the first log; every log carries the same columns."""
    header = logs[0].raw.splitlines()[:-1]
    return join_lines([*header, *(log.raw.splitlines()[-1] for log in logs)])


def pack_xml(logs: Sequence[SampleLog]) -> bytes:
    """A document of Windows events, elements on lines of their own, as `wevtutil` exports it."""
    events = [log.raw.replace("><", ">\n  <") for log in logs]
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<Events>", *events, "</Events>"]
    return join_lines(lines)


def compress_gzip(data: bytes) -> bytes:
    """Compress as one gzip member."""
    return gzip.compress(data, mtime=0)


def compress_zstd(data: bytes) -> bytes:
    """Compress as one zstd frame."""
    return zstandard.ZstdCompressor(level=3).compress(data)
