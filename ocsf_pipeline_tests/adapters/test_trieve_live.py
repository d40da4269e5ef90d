"""The ClassIndex contract over a real Trieve server, when TRIEVE_BASE_URL names one.

It makes a dataset of its own and removes it again. Checks besides that the server still understands
what we send, by the description that it serves itself.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import httpx
import pytest

from ocsf_pipeline.adapters.trieve import TrieveClassIndex, TrievePlace
from ocsf_pipeline.adapters.trieve.transport import TrieveTransport
from ocsf_pipeline.ports import ClassIndex
from ocsf_pipeline_tests.contracts.class_index import CHUNKS, ClassIndexContract, fill

# Read now: tests themselves see a bare environment.
_BASE_URL = os.environ.get("TRIEVE_BASE_URL", "")
_KEY = os.environ.get("TRIEVE_API_KEY", "")
_ORGANIZATION = os.environ.get("TRIEVE_ORGANIZATION_ID", "")
_MODES = os.environ.get("TRIEVE_SEARCH_MODE", "semantic").split(",")
_USED = (
    "/api/chunk",
    "/api/chunk/search",
    "/api/chunks/scroll",
    "/api/chunk/tracking_id/{tracking_id}",
    "/api/dataset/batch_create_datasets",
    "/api/dataset/tracking_id/{tracking_id}",
    "/api/dataset/{dataset_id}",
)

pytestmark = pytest.mark.skipif(not _BASE_URL, reason="TRIEVE_BASE_URL names no live server")


@pytest.mark.parametrize("mode", _MODES)
class TestLiveTrieve(ClassIndexContract):
    @pytest.fixture
    def index(self, mode: str) -> Iterator[ClassIndex]:
        place = TrievePlace(
            base_url=_BASE_URL,
            api_key=_KEY,
            organization_id=_ORGANIZATION,
            dataset=f"ocsf-pipeline-test-{uuid.uuid4().hex[:12]}",
            search_mode=mode,  # type: ignore[arg-type]
        )
        yield TrieveClassIndex(place)
        transport = TrieveTransport(place)
        names = {"tracking_id": place.dataset}
        transport.find("/api/dataset/tracking_id/{tracking_id}", names, method="DELETE")

    def test_drift_is_seen(self, index: ClassIndex) -> None:
        fill(index, CHUNKS)
        assert index.read_state().corpus_version == index.read_version()


def test_the_server_knows_what_we_ask() -> None:
    described = httpx.get(f"{_BASE_URL.rstrip('/')}/api-docs/openapi.json", timeout=30).json()
    assert set(_USED) <= set(described["paths"])
