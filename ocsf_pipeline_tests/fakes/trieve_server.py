"""A small server that speaks Trieve's HTTP API, in a thread of this process.

Belongs here: the requests that the adapter makes, and the surprises of the real server: 500 for a
missing dataset, chunks that show up later or never, ids that are minted anew, pages that overlap, a
deletion by filter that is queued and takes an empty filter for everything. Does not belong here:
storing and searching (`trieve_store`).

Every request is checked (`trieve_contract`); `faults` must be empty at the end of a test.
"""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from ocsf_pipeline.adapters.trieve import TrievePlace
from ocsf_pipeline.ports import Embedder
from ocsf_pipeline_tests.fakes.embedder import FakeEmbedder
from ocsf_pipeline_tests.fakes.trieve_contract import find_answer_faults, find_faults
from ocsf_pipeline_tests.fakes.trieve_store import Dataset, Rerank, overlap

Json = dict[str, Any]
ORGANIZATION = "0b7c9f62-6f0e-4d3e-9e63-0f5a9f0f9d11"
OTHER_ORGANIZATION = "5a1d2b1e-3c9e-4a37-8b7a-9a5c0b1f2e33"
OWNER, ADMIN, READER = "tr-owner-k3y", "tr-admin-k3y", "tr-reader-k3y"
_ROLES = {OWNER: 2, ADMIN: 1, READER: 0}
MAX_BATCH = 120
HTML_502 = b"<html><body><h1>502 Bad Gateway</h1></body></html>"


@dataclass
class Failure:
    """An answer that takes the place of the next `times` matching requests."""

    matches: Callable[[str], bool]
    status: int
    body: bytes
    times: int = 1
    after: bool = False
    """Whether the request is carried out all the same, as when the answer is lost."""


@dataclass
class RefusalError(Exception):
    """An error answer."""

    status: int
    message: str


@dataclass
class TrieveStandIn:
    """The server's state; tests look at it and set its knobs."""

    embedder: Embedder = field(default_factory=FakeEmbedder)
    rerank: Rerank = overlap
    delay_ticks: int = 0
    """Requests that pass before the worker takes a message."""
    is_bm25_active: bool = True
    is_reranker_up: bool = True
    is_checking: bool = True
    """Off for measurements: checking an answer takes longer than making it."""
    datasets: dict[str, Dataset] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    """`METHOD /path` of each, ids and all."""
    faults: list[str] = field(default_factory=list)
    most_at_once: int = 0
    _at_once: int = 0
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def fail(
        self, part: str, status: int, body: bytes | str = "", times: int = 1, after: bool = False
    ) -> None:
        """Fail the next requests whose `METHOD /path` contains `part`."""
        content = body if isinstance(body, bytes) else json.dumps({"message": body}).encode()
        self.failures.append(Failure(lambda line: part in line, status, content, times, after))

    @property
    def dataset(self) -> Dataset:
        """The only dataset."""
        (only,) = self.datasets.values()
        return only

    def settle(self) -> None:
        """Let the workers finish."""
        for dataset in self.datasets.values():
            for message in dataset.queue:
                message.ticks_left = 0
            dataset.tick()

    # --- one request ---

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> tuple[int, bytes]:
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            with self._lock:
                return self._answer(method, path, headers, body)
        finally:
            with self._lock:
                self._at_once -= 1

    def _answer(self, method: str, path: str, headers: Any, body: bytes) -> tuple[int, bytes]:
        self.requests.append(f"{method} {path}")
        failure = self._take_failure(f"{method} {path}")
        if failure is not None and not failure.after:
            return failure.status, failure.body
        operation, content = "", None
        try:
            operation, content = self._route(method, path, headers, json.loads(body or b"null"))
            status = 200 if content is not None else 204
        except RefusalError as refusal:
            status, content = refusal.status, {"message": refusal.message}
        else:
            if content and self.is_checking:
                self.faults += find_answer_faults(operation, content)
        if failure is not None:
            return failure.status, failure.body
        return status, json.dumps(content).encode() if content is not None else b""

    def _take_failure(self, line: str) -> Failure | None:
        for failure in self.failures:
            if failure.times > 0 and failure.matches(line):
                failure.times -= 1
                return failure
        return None

    def _route(self, method: str, path: str, headers: Any, body: Any) -> tuple[str, Any]:
        for (verb, pattern), (role, work) in _ROUTES.items():
            found = re.fullmatch(re.sub(r"\{\w+\}", "([^/]+)", pattern), path)
            if verb == method and found:
                operation = f"{verb} {pattern}"
                self._check_headers(headers, role)
                is_checked = self.is_checking and body is not None
                faults = find_faults(operation, body) if is_checked else []
                if faults:
                    self.faults += faults
                    raise RefusalError(400, f"Json Deserialization Error: {faults[0]}")
                arguments = [unquote(item) for item in found.groups()]
                return operation, work(self, headers, body, *arguments)
        raise RefusalError(404, "Not Found")

    def _check_headers(self, headers: Any, role: int) -> None:
        if headers.get("X-API-Version") != "V2":
            self.faults.append("X-API-Version must be V2, or old organisations answer as V1")
        key = headers.get("Authorization", "")
        if key not in _ROLES:
            raise RefusalError(401, "Unauthorized")
        if headers.get("TR-Organization") not in (None, ORGANIZATION) or _ROLES[key] < role:
            raise RefusalError(403, "Forbidden")

    def _find_dataset(self, headers: Any) -> Dataset:
        named = headers.get("TR-Dataset", "")
        if not _is_uuid(named) and not headers.get("TR-Organization"):
            raise RefusalError(400, "TR-Organization is needed with a tracking id")
        for dataset in self.datasets.values():
            if named in (dataset.id, dataset.document["tracking_id"]):
                dataset.tick()
                return dataset
        raise RefusalError(404, "Not Found: Dataset not found")

    # --- datasets ---

    def get_dataset(self, _headers: Any, _body: Any, dataset_id: str) -> Json:
        if dataset_id not in self.datasets:
            raise RefusalError(404, "Not Found: Dataset not found")
        return self.datasets[dataset_id].document

    def get_dataset_by_name(self, _headers: Any, _body: Any, tracking_id: str) -> Json:
        for dataset in self.datasets.values():
            if dataset.document["tracking_id"] == tracking_id:
                return dataset.document
        raise RefusalError(500, "Not Found")

    def create_datasets(self, headers: Any, body: Json) -> list[Json]:
        names = {item.document["tracking_id"] for item in self.datasets.values()}
        new = [item for item in body["datasets"] if item["tracking_id"] not in names]
        return [
            self.add_dataset(item["tracking_id"], headers["TR-Organization"]).document
            for item in new
        ]

    def add_dataset(self, tracking_id: str | None, organization: str = ORGANIZATION) -> Dataset:
        """Create a dataset behind the API's back too."""
        document = {
            "id": str(uuid.uuid4()),
            "name": tracking_id or "unnamed",
            "created_at": "2026-11-23T00:00:00.000001",
            "updated_at": "2026-11-23T00:00:00.000001",
            "organization_id": organization,
            "server_configuration": {
                "EMBEDDING_MODEL_NAME": self.embedder.name, "BM25_K": 0.75, "BM25_B": 0.75,
            },
            "tracking_id": tracking_id,
            "deleted": 0,
        }  # fmt: skip
        dataset = Dataset(document, self.embedder)
        self.datasets[dataset.id] = dataset
        return dataset

    # --- chunks ---

    def create_chunks(self, headers: Any, body: Any) -> Json:
        dataset = self._find_dataset(headers)
        payloads = body if isinstance(body, list) else [body]
        if len(payloads) > MAX_BATCH:
            raise RefusalError(413, "Cannot create more than 120 chunks in a single request")
        ids = [payload.get("tracking_id") for payload in payloads]
        if len(set(ids)) < len(ids) or not all(p.get("upsert_by_tracking_id") for p in payloads):
            self.faults.append("without upserts by unique ids vectors go to the wrong chunks")
        echo = dataset.enqueue(payloads, self.delay_ticks)
        return {"chunk_metadata": echo if isinstance(body, list) else echo[0]}

    def get_chunk(self, headers: Any, _body: Any, tracking_id: str) -> Json:
        dataset = self._find_dataset(headers)
        row = dataset.find_row(tracking_id)
        if row is None or row.id not in dataset.points:
            raise RefusalError(404, "Not Found: Chunk not found")
        return row.describe(dataset.id)

    def delete_chunk(self, headers: Any, _body: Any, tracking_id: str) -> None:
        dataset = self._find_dataset(headers)
        row = dataset.find_row(tracking_id)
        if row is None:
            raise RefusalError(404, "Not Found: Chunk not found")
        dataset.delete_row(row)

    def delete_chunks(self, headers: Any, body: Json) -> None:
        self._find_dataset(headers).deletions.append(body["filter"])

    def scroll(self, headers: Any, body: Json) -> Json:
        dataset = self._find_dataset(headers)
        size = int(body.get("page_size") or 10)
        rows = dataset.scroll(body.get("filters"), body.get("offset_chunk_id"), size)
        if rows is None:
            raise RefusalError(404, "Not Found: offset chunk not found")
        return {"chunks": [row.describe(dataset.id) for row in rows]}

    def search(self, headers: Any, body: Json) -> Json:
        dataset = self._find_dataset(headers)
        if not str(body["query"]).strip():
            raise RefusalError(400, "Query cannot be empty")
        if body["search_type"] == "bm25" and not self.is_bm25_active:
            raise RefusalError(400, "BM25 search is not enabled for this dataset")
        if body["search_type"] == "hybrid" and not self.is_reranker_up:
            raise RefusalError(400, "Failed making call to server")
        hits = dataset.search(body, self.rerank)
        return {
            "id": str(uuid.uuid4()),
            "chunks": [
                {
                    "chunk": row.describe(dataset.id, slim=bool(body.get("slim_chunks"))),
                    "highlights": [],
                    "score": score,
                }
                for row, score in hits
            ],
            "corrected_query": None,
            "total_pages": 0,
        }


_ROUTES: dict[tuple[str, str], tuple[int, Callable[..., Any]]] = {
    ("GET", "/api/dataset/tracking_id/{tracking_id}"): (1, TrieveStandIn.get_dataset_by_name),
    ("GET", "/api/dataset/{dataset_id}"): (1, TrieveStandIn.get_dataset),
    ("POST", "/api/dataset/batch_create_datasets"): (2, TrieveStandIn.create_datasets),
    ("POST", "/api/chunk"): (1, TrieveStandIn.create_chunks),
    ("DELETE", "/api/chunk"): (1, TrieveStandIn.delete_chunks),
    ("GET", "/api/chunk/tracking_id/{tracking_id}"): (0, TrieveStandIn.get_chunk),
    ("DELETE", "/api/chunk/tracking_id/{tracking_id}"): (1, TrieveStandIn.delete_chunk),
    ("POST", "/api/chunks/scroll"): (0, TrieveStandIn.scroll),
    ("POST", "/api/chunk/search"): (0, TrieveStandIn.search),
}
"""Method and path -> the role that it needs, and who does it."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Without these two every request of a kept connection waits 40 ms for the client's delayed ACK.
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Front

    def log_message(self, *_arguments: object) -> None:
        """Keep quiet."""

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, content = self.server.stand_in.answer(self.command, self.path, self.headers, body)
        self.send_response(status)
        kind = "text/html" if content.startswith(b"<") else "application/json"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_DELETE = _handle  # noqa: N815  # the names that http.server calls


class _Front(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, stand_in: TrieveStandIn) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.stand_in = stand_in


@contextmanager
def serve_trieve(stand_in: TrieveStandIn) -> Iterator[str]:
    """Serve the stand-in; gives its base URL."""
    front = _Front(stand_in)
    thread = threading.Thread(target=front.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{front.server_port}"
    finally:
        front.shutdown()
        thread.join()
        front.server_close()


def make_place(base_url: str, **changes: Any) -> TrievePlace:
    """Return a place on the stand-in that loses patience soon."""
    return TrievePlace(
        **{
            "base_url": base_url,
            "api_key": OWNER,
            "organization_id": ORGANIZATION,
            "dataset": "ocsf-pipeline",
            "stall_s": 2.0,
            "concurrency": 4,
            **changes,
        }
    )


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
