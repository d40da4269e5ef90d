"""Load on the HTTP endpoint: the real process, the real folder, senders in this process.

Belongs here: what is sent, by how many, and what came of it. Does not belong here: other
measurements (`measure`). The senders take their part of the same cores.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import zstandard
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs

from ocsf_pipeline.bench.generate import cut_templates, make_objects
from ocsf_pipeline.bench.memory import read_peak_rss_bytes
from ocsf_pipeline.ingest.otlp import decode_request
from ocsf_pipeline.logs.compression import decompress_pieces
from ocsf_pipeline.samples.labels import read_sample_logs
from ocsf_pipeline.settings import Settings
from ocsf_pipeline.stores import open_objects

BATCH_EVENTS = 500
CONNECTIONS = (1, 16, 128)
_HOUR = datetime(2026, 3, 2, 10, tzinfo=UTC)
_TOKEN = "a-token-of-the-benchmark"  # noqa: S105 - of an endpoint that lives for seconds
_LONG_SECONDS, _SHORT_SECONDS = 5.0, 0.3
_LONG_EVENTS = 100_000
_OVERLOAD = {
    "OCSF_PIPELINE_INGEST_MAX_PENDING_BYTES": str(8 << 20),
    "OCSF_PIPELINE_INGEST_MAX_REQUESTS": "64",
}

Figures = dict[str, Any]


@dataclass
class Load:
    """What senders saw."""

    latencies: list[float] = field(default_factory=list)
    """Seconds to each answer of 200."""
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0

    def summarize(self) -> Figures:
        """Return figures: events per second, percentiles of the time to a 200."""
        accepted = self.statuses[200]
        figures: Figures = {
            "requests": self.statuses.total(),
            "accepted": accepted,
            "refused": self.statuses.total() - accepted,
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "events_per_s": accepted * (BATCH_EVENTS + 1) / self.seconds,
        }
        if self.latencies:
            for percent in (50, 95, 99):
                figures[f"p{percent}_s"] = float(np.percentile(self.latencies, percent))
        return figures


class Bodies:
    """Requests of BATCH_EVENTS logs and one more, no two alike: zstd frames may be joined."""

    def __init__(self, seed: int) -> None:
        templates = cut_templates([sample.raw for sample in read_sample_logs()])
        made = make_objects(templates, 20 * BATCH_EVENTS, _HOUR, seed)
        lines = b"".join(
            piece for item in made for piece in decompress_pieces(iter([item.body]))
        ).splitlines(keepends=True)
        self._compressor = zstandard.ZstdCompressor(level=3)
        self._frames = [
            self._compressor.compress(b"".join(lines[at : at + BATCH_EVENTS]))
            for at in range(0, len(lines) - BATCH_EVENTS + 1, BATCH_EVENTS)
        ]
        self.text_bytes = sum(map(len, lines)) / len(lines)
        self._count = 0

    def __next__(self) -> bytes:
        self._count += 1
        mark = self._compressor.compress(b'{"bench":%d}\n' % self._count)
        return self._frames[self._count % len(self._frames)] + mark


def measure_ingest(folder: Path, event_count: int, seed: int) -> Figures:
    """Send at 1, 16 and 128 connections, then far more than a small endpoint takes."""
    seconds = _LONG_SECONDS if event_count >= _LONG_EVENTS else _SHORT_SECONDS
    bodies = Bodies(seed)
    figures: Figures = {"batch_events": BATCH_EVENTS, "bytes_per_event": bodies.text_bytes}
    for name, linger in (("connections", ""), ("connections_linger_0", "0")):
        settings = {"OCSF_PIPELINE_INGEST_LINGER_SECONDS": linger}
        figures[name] = _measure_load(folder / name, settings, CONNECTIONS, bodies, seconds)
    figures["otlp_protobuf_records_per_s"] = _time_otlp(10_000)
    figures["overload"] = _measure_load(folder / "overload", _OVERLOAD, (128,), bodies, seconds)
    return figures


def _time_otlp(count: int) -> float:
    """Return how many OTLP records one thread decodes in a second."""
    records = [
        LogRecord(
            time_unix_nano=1_763_632_800_000_000_000 + number,
            body=AnyValue(string_value=f"Failed password for root from 192.0.2.{number % 250}"),
            attributes=[KeyValue(key="user.id", value=AnyValue(int_value=number))],
        )
        for number in range(count)
    ]
    request = ExportLogsServiceRequest(
        resource_logs=[ResourceLogs(scope_logs=[ScopeLogs(log_records=records)])]
    )
    text = request.SerializeToString()
    started = time.process_time()
    decode_request(text, is_json=False)
    return count / (time.process_time() - started)


def _measure_load(
    folder: Path, settings: dict[str, str], counts: Sequence[int], bodies: Bodies, seconds: float
) -> Figures:
    """Run one endpoint under each number of connections, then count what it stored."""
    figures: Figures = {}
    accepted = 0
    with _run_endpoint(folder, settings, figures) as port:
        for count in counts:
            load = asyncio.run(_send(port, count, bodies, seconds))
            figures[str(count)] = load.summarize()
            accepted += load.statuses[200]
    objects = open_objects(Settings(data_dir=folder))
    refs = list(objects.list_objects(""))
    stored = sum(
        piece.count(b'{"bench":')
        for ref in refs
        for piece in [b"".join(decompress_pieces(objects.stream_object(ref)))]
    )
    figures |= {"objects": len(refs), "batches_accepted": accepted, "batches_stored": stored}
    return figures


@contextmanager
def _run_endpoint(folder: Path, settings: dict[str, str], figures: Figures) -> Iterator[int]:
    """Run the command itself; afterwards note its peak memory and its processor time."""
    folder.mkdir(parents=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "ocsf_pipeline.cli", "--data-dir", str(folder), "ingest",
               "serve", "--port", str(port)]  # fmt: skip
    environ = {**os.environ, "OCSF_PIPELINE_INGEST_TOKENS": f"bench:{_TOKEN}", **settings}
    with (folder / "endpoint.log").open("wb") as log:
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
    try:
        _wait_for(port, process)
        yield port
    finally:
        figures["peak_rss_bytes"] = read_peak_rss_bytes(process.pid)
        process.terminate()
        _pid, process.returncode, usage = os.wait4(process.pid, 0)
        figures["cpu_seconds"] = usage.ru_utime + usage.ru_stime


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the endpoint did not start; see endpoint.log in its folder")


async def _send(port: int, connections: int, bodies: Bodies, seconds: float) -> Load:
    load = Load()
    started = time.perf_counter()
    await asyncio.gather(
        *(_send_over_one(port, bodies, started + seconds, load) for _ in range(connections))
    )
    load.seconds = time.perf_counter() - started
    return load


async def _send_over_one(port: int, bodies: Bodies, deadline: float, load: Load) -> None:
    """Send one request after another over one connection, at once again when refused."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = (
        "POST /logs HTTP/1.1\r\nHost: bench\r\nContent-Encoding: zstd\r\n"
        f"Authorization: Bearer {_TOKEN}\r\nContent-Length: "
    ).encode()
    while time.perf_counter() < deadline:
        body = next(bodies)
        started = time.perf_counter()
        writer.write(b"%b%d\r\n\r\n%b" % (head, len(body), body))
        await writer.drain()
        answer = await reader.readuntil(b"\r\n\r\n")
        length = answer.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        json.loads(await reader.readexactly(int(length)))
        status = int(answer.split(b" ", 2)[1])
        load.statuses[status] += 1
        if status == 200:
            load.latencies.append(time.perf_counter() - started)
    writer.close()
    await writer.wait_closed()
