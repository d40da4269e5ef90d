"""A proxy in front of an object store's server that stumbles when a test says so.

Belongs here: passing requests on, and the faults: throttling, resets half-way, old answers. Does
not belong here: any expectation.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes


@dataclass
class Request:
    method: str
    target: str
    """Path and query as sent."""


@dataclass
class Fault:
    """What to do with a request; the first fault that `wants` it is used, `times` at most."""

    wants: Callable[[Request], bool]
    times: int = 1_000_000
    answer: Answer | None = None
    """Sent instead of asking the server."""
    reset_after_bytes: int | None = None
    """Break the connection after so many bytes of the body."""
    meanwhile: Callable[[], None] = lambda: None
    """Done before the connection breaks."""


@dataclass
class FaultyProxy:
    server: str
    faults: list[Fault] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)
    """The last answer to each GET by its target, for tests that play an old one again."""
    url: str = ""

    def count(self, method: str, part: str = "") -> int:
        return sum(item.method == method and part in item.target for item in self.requests)


def slow_down(status: int = 503) -> Answer:
    """What S3 says when it throttles."""
    body = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Reduce</Message></Error>"
    return Answer(status, [("Content-Type", "application/xml")], body)


@dataclass
class _Place:
    """What the threads of one proxy share."""

    proxy: FaultyProxy
    client: httpx.Client
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take_fault(self, request: Request) -> Fault | None:
        with self.lock:
            self.proxy.requests.append(request)
            fault = next((item for item in self.proxy.faults if item.wants(request)), None)
            if fault is not None:
                fault.times -= 1
                if fault.times <= 0:
                    self.proxy.faults.remove(fault)
            return fault


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    place: _Place


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_arguments: object) -> None:
        return

    def handle_any(self) -> None:
        place = self.server.place
        fault = place.take_fault(Request(self.command, self.path))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = (fault.answer if fault else None) or self.ask(body)
        if self.command == "GET" and fault is None:
            place.proxy.answers[self.path] = answer
        self.send(answer, fault)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = handle_any  # noqa: N815

    def ask(self, body: bytes) -> Answer:
        place = self.server.place
        dropped = {"connection", "content-length", "accept-encoding"}
        headers = [(k, v) for k, v in self.headers.items() if k.lower() not in dropped]
        url = place.proxy.server + self.path
        found = place.client.request(self.command, url, headers=headers, content=body)
        hop = {"connection", "transfer-encoding", "date", "server"}
        if self.command != "HEAD":
            hop.add("content-length")
        kept = [item for item in found.headers.multi_items() if item[0] not in hop]
        return Answer(found.status_code, kept, found.content)

    def send(self, answer: Answer, fault: Fault | None) -> None:
        cut = fault.reset_after_bytes if fault else None
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body[:cut])
        if cut is not None and fault is not None:
            self.wfile.flush()
            fault.meanwhile()
            self.reset()

    def reset(self) -> None:
        """Closing with a linger of zero sends a reset instead of an orderly end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def serve_faulty(server: str) -> Iterator[FaultyProxy]:
    """Yield a proxy in front of `server`, an http:// URL."""
    proxy = FaultyProxy(server)
    httpd = _Server(("127.0.0.1", 0), _Handler)
    with httpx.Client(timeout=30) as client:
        httpd.place = _Place(proxy, client)
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        proxy.url = f"http://127.0.0.1:{httpd.server_address[1]}"
        try:
            yield proxy
        finally:
            httpd.shutdown()
            thread.join()
            httpd.server_close()
