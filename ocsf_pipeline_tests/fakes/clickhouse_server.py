"""A small server that speaks ClickHouse's HTTP interface, over chDB, in a thread of this process.

Belongs here: what clickhouse-connect uses of the interface: the statement in the body or in
`query`, settings and `param_…` in the URL, the database, the user by basic authentication,
errors by code. Not here: sessions, compression of answers, progress.
"""

from __future__ import annotations

import base64
import re
import ssl
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import chdb
from lz4 import frame as lz4_frame

from ocsf_pipeline.adapters.clickhouse_connection import EngineLease

USER, PASSWORD = "writer", "s3cr@t:/"
_NOT_SETTINGS = {"query", "database", "query_id", "client_protocol_version", "session_id"}
_HTTP_ONLY = ("enable_http_compression", "send_progress_in_http_headers", "wait_end_of_query")
_EXTERNAL = ("http_headers_progress_interval_ms", "cancel_http_readonly_queries_on_client_close")
_ENDS_IN_FORMAT = re.compile(r"\bFORMAT\s+(\w+)\s*;?\s*$", re.IGNORECASE)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ClickHouseFront

    def log_message(self, *_arguments: object) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        self._answer(200, b"Ok.\n")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = self._read_chunks()
        if self.headers.get("Content-Encoding") == "lz4":
            body = lz4_frame.decompress(body)
        expected = base64.b64encode(self.server.credentials.encode()).decode()
        if self.headers.get("Authorization") != f"Basic {expected}":
            self._fail(403, "Code: 516. DB::Exception: Authentication failed", 516)
            return
        if self.server.failures and self.server.skip_before_failures <= 0:
            self._fail(500, *self.server.failures.pop(0))
            return
        self.server.skip_before_failures -= 1
        parameters = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        self.server.requests.append(parameters)
        try:
            self._answer(200, _run(self.server.folder, parameters, body, self.server.is_cluster))
        except RuntimeError as error:
            text = str(error)
            code = re.search(r"Code: (\d+)", text)
            self._fail(500, text, int(code[1]) if code else 0)

    def _read_chunks(self) -> bytes:
        pieces = []
        while size := int(self.rfile.readline().strip(), 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _fail(self, status: int, text: str, code: int) -> None:
        self._answer(status, text.encode(), {"X-ClickHouse-Exception-Code": str(code)})

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class ClickHouseFront(ThreadingHTTPServer):
    """Keeps each request's URL parameters; answers the next requests with `failures`, if any."""

    daemon_threads = True
    folder: Path
    requests: list[dict[str, str]]
    failures: list[tuple[str, int]]
    skip_before_failures: int = 0
    """So many requests succeed before `failures` are answered."""
    is_cluster: bool = False
    """Pretend to be the only server of a cluster: chDB has no Keeper and no other servers."""
    credentials: str = f"{USER}:{PASSWORD}"


def _pretend_cluster(sql: str) -> str:
    """Return what a cluster of this one server would do."""
    sql = re.sub(r" ON CLUSTER '[^']*'", "", sql)
    sql = re.sub(r"Replicated(\w*MergeTree)\('[^']*', '[^']*'(?:, )?([^()]*)\)", r"\1(\2)", sql)
    return re.sub(
        r"Distributed\('[^']*', currentDatabase\(\), '(\w+)'\)",
        r"Merge(currentDatabase(), '^\1$')", sql,
    )  # fmt: skip


def _run(folder: Path, parameters: dict[str, str], body: bytes, is_cluster: bool = False) -> bytes:
    data = b""
    sql = body.decode() if "query" not in parameters else parameters["query"]
    if is_cluster:
        sql = _pretend_cluster(sql)
    if "query" in parameters:
        data = body
    bound = {name[6:]: value for name, value in parameters.items() if name.startswith("param_")}
    ignored = {*_NOT_SETTINGS, *_HTTP_ONLY, *_EXTERNAL}
    settings = {
        name: value
        for name, value in parameters.items()
        if name not in ignored and not name.startswith("param_")
    }
    connection = chdb.connect(str(folder))
    try:
        if parameters.get("database"):
            connection.query(f"USE `{parameters['database']}`")
        for name in sorted(settings, key=lambda name: name == "readonly"):
            connection.query(f"SET {name} = '{settings[name]}'")
        if data:
            return _insert(connection, sql, data)
        match = _ENDS_IN_FORMAT.search(sql)
        return bytes(
            connection.query(sql, match[1] if match else "TabSeparated", params=bound).bytes()
        )
    finally:
        connection.close()


def _insert(connection: chdb.Connection, sql: str, data: bytes) -> bytes:
    head, _format, name = sql.strip().rpartition(" FORMAT ")
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        connection.query(f"{head} FROM INFILE '{file.name}' FORMAT {name}")
    return b""


@contextmanager
def serve_clickhouse(
    folder: Path,
    address: tuple[str, int] = ("127.0.0.1", 0),
    tls: ssl.SSLContext | None = None,
    is_cluster: bool = False,
) -> Iterator[ClickHouseFront]:
    """Serve chDB's `folder` until the block ends; on a free local port unless told otherwise."""
    EngineLease.take(folder, 30)
    keeper = chdb.connect(str(folder))
    server = ClickHouseFront(address, _Handler)
    server.folder, server.requests, server.failures = folder, [], []
    server.is_cluster = is_cluster
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        keeper.close()
        EngineLease.give_back()
