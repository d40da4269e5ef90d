"""A stand-in for the container engine: what Dagster's DockerRunLauncher asks of Docker's API.

A container is a process of this machine with exactly the environment that was asked for and nothing
else, besides what the image would set. Belongs here: create, start, inspect, stop. Does not belong
here: images, networks, volumes, limits; they are recorded and left alone.

    python -m ocsf_pipeline_tests.rehearsal.engine HOST PORT FOLDER
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ocsf_pipeline_tests.rehearsal.plan import image_environment

_CONTAINER = re.compile(r"^(?:/v[\d.]+)?/containers/(?P<id>[0-9a-f]+)/(?P<what>\w+)$")


@dataclass
class Container:
    """One container: what was asked for, and the process that it became."""

    request: dict[str, Any]
    process: subprocess.Popen[bytes] | None = None
    name: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def status(self) -> str:
        if self.process is None:
            return "created"
        return "running" if self.process.poll() is None else "exited"

    def describe(self) -> dict[str, Any]:
        code = self.process.poll() if self.process else None
        return {
            "Id": self.name, "Name": f"/{self.name[:12]}",
            "Image": self.request["Image"], "Config": {"Labels": self.request.get("Labels", {})},
            "State": {
                "Status": self.status, "Running": self.status == "running",
                "Pid": self.process.pid if self.process else 0, "ExitCode": code or 0,
            },
        }  # fmt: skip


class Engine(ThreadingHTTPServer):
    """All containers of one host."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], folder: Path) -> None:
        super().__init__(address, _Handler)
        self.folder = folder
        self.containers: dict[str, Container] = {}
        self.guard = threading.Lock()

    def create(self, request: dict[str, Any]) -> Container:
        container = Container(request)
        with self.guard:
            self.containers[container.name] = container
        # What was asked for, without values: the rehearsal's own checks read it.
        record = {**request, "Env": [item.partition("=")[0] for item in request.get("Env", [])]}
        (self.folder / f"{container.name}.json").write_text(json.dumps(record))
        return container

    def start(self, container: Container) -> None:
        wanted = dict(item.split("=", 1) for item in container.request.get("Env", []))
        environment = {**image_environment(self.folder, container.name[:12]), **wanted}
        command = [*(container.request.get("Entrypoint") or []), *container.request["Cmd"]]
        program = Path(environment["PATH"].split(":")[0]) / command[0]
        with (self.folder / f"{container.name[:12]}.log").open("ab") as log:
            container.process = subprocess.Popen(
                [str(program), *command[1:]], env=environment, cwd=environment["HOME"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip

    def stop(self, container: Container, seconds: float) -> None:
        process = container.process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)

    def close(self) -> None:
        for container in self.containers.values():
            if container.process is not None and container.process.poll() is None:
                os.killpg(container.process.pid, signal.SIGKILL)
                container.process.wait()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Engine

    def log_message(self, *_arguments: object) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path.endswith("/_ping"):
            self._answer(200, "OK")
        elif path.endswith("/version"):
            self._answer(200, {"ApiVersion": "1.41", "MinAPIVersion": "1.24", "Version": "20.10"})
        elif (container := self._find("json")) is not None:
            self._answer(200, container.describe())
        else:
            self._answer(404, {"message": f"no such container or path: {path}"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        if url.path.endswith("/containers/create"):
            self._answer(201, {"Id": self.server.create(json.loads(body)).name, "Warnings": []})
        elif (container := self._find("start")) is not None:
            self.server.start(container)
            self._answer(204, None)
        elif (container := self._find("stop")) is not None:
            self.server.stop(container, float(parse_qs(url.query).get("t", ["10"])[0]))
            self._answer(204, None)
        else:
            self._answer(404, {"message": f"no such container or path: {url.path}"})

    def _find(self, what: str) -> Container | None:
        match = _CONTAINER.match(urlsplit(self.path).path)
        if match is None or match["what"] != what:
            return None
        return self.server.containers.get(match["id"])

    def _answer(self, status: int, body: object) -> None:
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        data = b"" if body is None else data
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def main(host: str, port: str, folder: str) -> None:
    """Serve until told to stop; containers end with it."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    engine = Engine((host, int(port)), Path(folder))
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(SystemExit))
    try:
        engine.serve_forever(poll_interval=0.1)
    finally:
        engine.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
