"""The real endpoint in a process of its own that can be told when to die, as `kill -9` would.

Run as: python killed_endpoint.py FOLDER PORT NUMBER, where NUMBER says at which write of an object
to die, before the write (even) or after it and before any answer (odd: number // 2); -1: never.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from ocsf_pipeline.adapters.durable_folder import DurableFolder
from ocsf_pipeline.commands.ingest import serve
from ocsf_pipeline.ports import ObjectRef
from ocsf_pipeline.settings import read_settings

ROOT = Path(__file__).parents[2]
TOKEN = "a-token-of-the-rehearsal"


def die_at(number: int) -> None:
    """Replace the durable write by one that kills this process around its `number // 2`-th call."""
    real = DurableFolder.write_object
    calls = 0

    def deadly(self: DurableFolder, key: str, body: bytes) -> ObjectRef:
        nonlocal calls
        is_due = calls == number // 2
        calls += 1
        if is_due and number % 2 == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        ref = real(self, key, body)
        if is_due:
            os.kill(os.getpid(), signal.SIGKILL)
        return ref

    DurableFolder.write_object = deadly  # type: ignore[method-assign]


@dataclass
class Endpoints:
    """Starts endpoints on one folder and one port, one after another."""

    folder: Path
    port: int
    settings: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, number: int = -1) -> None:
        """Start one and wait until it takes requests, or until it died as it was told to."""
        command = [sys.executable, __file__, str(self.folder), str(self.port), str(number)]
        environ = {**os.environ, "PYTHONPATH": str(ROOT), **self.settings}
        log = (self.folder / "endpoint.log").open("ab")
        with log:
            self.process = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/readyz").status_code == 200:
                    return
            if self.process.poll() is not None:
                assert number >= 0, (self.folder / "endpoint.log").read_text()
                return
            time.sleep(0.05)
        raise AssertionError("the endpoint did not start")

    def wait(self) -> int:
        """Wait for the process to end by itself; return its code."""
        assert self.process is not None
        return self.process.wait(60)

    def end(self, signal_number: int = signal.SIGTERM) -> int:
        """Send a signal and wait."""
        assert self.process is not None
        self.process.send_signal(signal_number)
        return self.wait()


@contextlib.contextmanager
def run_endpoints(folder: Path, port: int, **settings: str) -> Iterator[Endpoints]:
    """Give out endpoints; whatever runs at the end of the block is killed."""
    folder.mkdir(parents=True, exist_ok=True)
    endpoints = Endpoints(folder, port, settings)
    try:
        yield endpoints
    finally:
        if endpoints.process is not None and endpoints.process.poll() is None:
            endpoints.process.kill()
            endpoints.process.wait()


def main() -> None:
    folder, port, number = sys.argv[1:4]
    if int(number) >= 0:
        die_at(int(number))
    prefixed = {k: v for k, v in os.environ.items() if k.startswith("OCSF_PIPELINE_INGEST_")}
    settings = read_settings(
        {
            "OCSF_PIPELINE_DATA_DIR": folder,
            "OCSF_PIPELINE_INGEST_TOKENS": f"tests:{TOKEN}",
            "OCSF_PIPELINE_INGEST_LINGER_SECONDS": "0.05",
            **prefixed,
        }
    )
    serve(settings, "127.0.0.1", int(port), False, lambda text: None)


if __name__ == "__main__":
    main()
