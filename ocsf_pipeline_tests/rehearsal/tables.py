"""A stand-in for ClickHouse as a process: its HTTP interface over a folder of chDB's.

The user is the one of docker-compose.yml, the password comes from the same variable.

    python -m ocsf_pipeline_tests.rehearsal.tables HOST PORT FOLDER
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from ocsf_pipeline_tests.fakes.clickhouse_server import serve_clickhouse


def main(host: str, port: str, folder: str) -> None:
    """Serve until told to stop."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with serve_clickhouse(Path(folder), (host, int(port))) as server:
        server.credentials = f"ocsf_writer:{os.environ['OCSF_CLICKHOUSE_WRITER_PASSWORD']}"
        stop.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
