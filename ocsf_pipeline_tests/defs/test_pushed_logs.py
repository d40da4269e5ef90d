"""Real senders push while the endpoint is killed; every event is in ClickHouse, once."""

from __future__ import annotations

import gzip
import logging
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import httpx
import pytest
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from splunk_handler import SplunkHandler

from ocsf_pipeline.logs.layout import parse_hour
from ocsf_pipeline_tests.fakes.killed_endpoint import TOKEN, Endpoints, run_endpoints
from ocsf_pipeline_tests.fakes.pipeline import Pipeline
from ocsf_pipeline_tests.ingest.test_kills import find_port

EVENTS = 60
_TEXT = "sshd[4711]: Failed password for root from 192.0.2.7 port 4{0:04} ssh2 probe={1}-{0}"
_COUNT = r"""
SELECT extract(raw_data, 'probe=[a-z]+-[0-9]+') AS probe, count() AS n FROM events
GROUP BY probe ORDER BY probe
"""
_SYSLOG_NG = """
@version: 3.38
options {{ stats-freq(0); time-reopen(1); }};
source s {{ file("{folder}/in.log" follow-freq(0.2) flags(no-parse)); }};
destination d {{ http(
    url("{url}/logs") method("POST") headers("Authorization: Bearer {token}")
    body("$MSG") delimiter("\\n") batch-lines(7) batch-timeout(200) workers(1)
    retries(100) timeout(10) disk-buffer(reliable(yes) disk-buf-size(10485760)
    mem-buf-size(1048576) dir("{folder}")));
}};
log {{ source(s); destination(d); flags(flow-control); }};
"""


def pause() -> None:
    time.sleep(0.08)


def send_plain(url: str, folder: Path) -> None:
    """Batches of gzip NDJSON, again until answered: what Vector and Fluent Bit do."""
    deadline = time.monotonic() + 90
    with httpx.Client(timeout=10, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        for start in range(0, EVENTS, 5):
            lines = [f'{{"message":"{_TEXT.format(n, "plain")}"}}' for n in range(start, start + 5)]
            body = gzip.compress("\n".join(lines).encode())
            while time.monotonic() < deadline:
                try:
                    answer = client.post(
                        f"{url}/logs", content=body, headers={"Content-Encoding": "gzip"}
                    )
                    if answer.status_code == 200:
                        break
                except httpx.TransportError:
                    pass
                time.sleep(0.2)
            pause()


def send_otlp(url: str, folder: Path) -> None:
    """OpenTelemetry's SDK with its own batching and retries."""
    exporter = OTLPLogExporter(
        f"{url}/v1/logs", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60,
        compression=Compression.Gzip,
    )  # fmt: skip
    provider = LoggerProvider(
        Resource({"host.name": "host-otel", "service.name": "sshd"}), shutdown_on_exit=False
    )
    provider.add_log_record_processor(
        BatchLogRecordProcessor(exporter, schedule_delay_millis=200, max_export_batch_size=6)
    )
    logger = provider.get_logger("rehearsal")
    for number in range(EVENTS):
        logger.emit(
            LogRecord(
                timestamp=time.time_ns(), severity_number=SeverityNumber.WARN,
                body=_TEXT.format(number, "otlp"),
            )
        )  # fmt: skip
        pause()
    assert provider.force_flush(90_000)
    provider.shutdown()


def send_hec(url: str, folder: Path) -> None:
    """A handler of Python's logging for Splunk's collector, with its own queue and retries."""
    host, _colon, port = url.removeprefix("http://").partition(":")
    handler = SplunkHandler(
        host=host, port=port, token=TOKEN, index="main", protocol="http", verify=False,
        flush_interval=0.2, retry_count=12, retry_backoff=0.2, hostname="host-hec",
        sourcetype="sshd", timeout=10,
    )  # fmt: skip
    logger = logging.Logger("rehearsal.hec")
    logger.addHandler(handler)
    for number in range(EVENTS):
        logger.warning(_TEXT.format(number, "hec"))
        pause()
    handler.force_flush()
    handler.close()


def send_syslog(url: str, folder: Path) -> None:
    """syslog-ng's http() destination with a disk buffer; it follows a file."""
    config = folder / "syslog-ng.conf"
    config.write_text(_SYSLOG_NG.format(folder=folder, url=url, token=TOKEN))
    log = folder / "in.log"
    log.touch()
    names = ("persist", "pid", "ctl")
    options = [
        f"--{'control' if n == 'ctl' else n + ('file' if n == 'pid' else '-file')}" for n in names
    ]
    files = [item for pair in zip(options, (str(folder / n) for n in names), strict=True)
             for item in pair]  # fmt: skip
    command = ["syslog-ng", "-F", "--no-caps", "-f", str(config), *files]
    with (folder / "syslog-ng.log").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        with log.open("a") as lines:
            for number in range(EVENTS):
                lines.write(_TEXT.format(number, "syslog") + "\n")
                lines.flush()
                pause()
        # It says itself when all is delivered: nothing is queued, everything is written.
        wait_until(lambda: count_written(folder) >= EVENTS, folder / "syslog-ng.log")
    finally:
        process.terminate()
        process.wait(20)


def count_written(folder: Path) -> int:
    """Ask syslog-ng how many messages were delivered."""
    asked = subprocess.run(
        ["syslog-ng-ctl", "stats", f"--control={folder / 'ctl'}"], capture_output=True, text=True
    )
    rows = [row.split(";") for row in asked.stdout.splitlines() if row.startswith("dst.http")]
    return sum(int(row[5]) for row in rows if row[4] == "written")


def wait_until(is_done: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + 60
    while not is_done():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)


SENDERS = {"plain": send_plain, "otlp": send_otlp, "hec": send_hec}
if shutil.which("syslog-ng"):  # of Debian's package syslog-ng-mod-http; not everywhere
    SENDERS["syslog"] = send_syslog


def push_all(endpoints: Endpoints, folder: Path) -> None:
    """Let every sender send, and kill the endpoint before and after writes meanwhile."""
    failures: list[BaseException] = []

    def run(name: str) -> None:
        place = folder / name
        place.mkdir(parents=True)
        try:
            SENDERS[name](endpoints.url, place)
        except BaseException as error:  # told by the test, not by a thread nobody looks at
            failures.append(error)

    endpoints.start(7)
    threads = [threading.Thread(target=run, args=(name,), daemon=True) for name in SENDERS]
    for thread in threads:
        thread.start()
    for number in (4, 3, -1):
        assert endpoints.wait() == -signal.SIGKILL
        endpoints.start(number)
    for thread in threads:
        thread.join(120)
    assert failures == []
    endpoints.end()


@pytest.mark.slow
def test_every_pushed_event_is_in_clickhouse_once_after_kills(
    pipeline: Pipeline, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    with run_endpoints(pipeline.folder, find_port()) as endpoints:
        push_all(endpoints, tmp_path / "senders")
    hours = {parse_hour(ref.key) for ref in pipeline.objects.list_objects("logs")}
    for hour in hours:
        assert pipeline.run("hour_job", instance, hour).success
    found = dict(pipeline.tables.run_query(_COUNT).rows())
    assert found == {f"probe={name}-{n}": 1 for name in SENDERS for n in range(EVENTS)}
    assert pipeline.tables.run_query("SELECT count() FROM quarantine").item() == 0
    classes = pipeline.tables.run_query("SELECT class_name, count() FROM events GROUP BY 1")
    assert dict(classes.rows()) == {"Authentication": len(SENDERS) * EVENTS}
    hosts = pipeline.tables.run_query("SELECT DISTINCT host FROM events WHERE host LIKE 'host-%'")
    assert set(hosts["host"]) == {"host-otel", "host-hec"}
