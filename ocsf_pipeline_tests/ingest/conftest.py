"""An endpoint over a store in memory, without waiting between objects."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from ocsf_pipeline.ingest.app import Endpoint, EndpointOptions
from ocsf_pipeline.ingest.gather import GatherOptions
from ocsf_pipeline.ingest.tokens import TokenWatch
from ocsf_pipeline.logs.compression import decompress_pieces
from ocsf_pipeline.ports import ObjectStore
from ocsf_pipeline_tests.fakes.object_store import FakeObjectStore

TOKEN = "a-token-of-the-tests"
QUICK = GatherOptions(linger_seconds=0.0, answer_seconds=5.0, refresh_seconds=0.0)
OPTIONS = EndpointOptions(gather=QUICK)
Serve = Callable[..., TestClient]


def read_texts(store: ObjectStore) -> list[str]:
    """Return the text of every object, in the order of their keys."""
    refs = list(store.list_objects(""))
    return [b"".join(decompress_pieces(store.stream_object(ref))).decode() for ref in refs]


def read_lines(store: ObjectStore) -> list[dict[str, Any]]:
    """Return every stored line."""
    return [json.loads(line) for text in read_texts(store) for line in text.splitlines()]


@pytest.fixture
def store() -> FakeObjectStore:
    return FakeObjectStore()


@pytest.fixture
def serve(store: FakeObjectStore) -> Iterator[Serve]:
    """Start an endpoint; returns a client that is one connection of its own."""
    running: list[TestClient] = []

    def start(options: EndpointOptions = OPTIONS, tokens: TokenWatch | None = None) -> TestClient:
        endpoint = Endpoint(store, tokens or TokenWatch(f"tests:{TOKEN}", None), options)
        client = TestClient(
            endpoint.build_app(),
            headers={"Authorization": f"Bearer {TOKEN}"},
            client=("192.0.2.1", 40_000 + len(running)),
        )
        client.__enter__()
        running.append(client)
        return client

    yield start
    for client in running:
        client.__exit__(None, None, None)


@pytest.fixture
def client(serve: Serve) -> TestClient:
    return serve()
