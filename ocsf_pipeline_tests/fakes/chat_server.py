"""An OpenAI-compatible chat endpoint on this machine, that answers as a test tells it to.

It obeys the protocol and nothing else: what a model would say is the test's to script.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """One HTTP answer. `content` becomes a chat completion; `body` is sent as it is."""

    content: str | Json | None = None
    status: int = 200
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    tokens: int = 120

    def to_bytes(self) -> bytes:
        if self.body is not None:
            return self.body
        if self.status != 200:
            return json.dumps({"error": {"message": str(self.content or "no")}}).encode()
        text = self.content if isinstance(self.content, str) else json.dumps(self.content)
        message = {"role": "assistant", "content": text}
        return json.dumps(
            {"choices": [{"message": message}], "usage": {"total_tokens": self.tokens}}
        ).encode()


def choose_first(request: Json) -> Answer:
    """Answer the first class of the question, surely."""
    classes = json.loads(request["messages"][1]["content"])["classes"]
    uid = classes[0]["class_uid"] if classes else 0
    return Answer({"class_uid": uid, "sure": "high", "reason": "it comes first"})


@dataclass
class ChatServer:
    """A running endpoint; `requests` and `headers` are what came in, in order."""

    url: str
    answer: Callable[[Json], Answer]
    requests: list[Json] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


@contextmanager
def serve_chat(answer: Callable[[Json], Answer] = choose_first) -> Iterator[ChatServer]:
    """Run an endpoint on a free port of this machine."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                server.requests.append(request)
                server.headers.append(dict(self.headers))
                server.paths.append(self.path)
                told = server.answer(request)
            body = told.to_bytes()
            self.send_response(told.status)
            for name, value in told.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = ChatServer(f"http://127.0.0.1:{listener.server_port}/v1", answer)
    thread = threading.Thread(target=listener.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()
