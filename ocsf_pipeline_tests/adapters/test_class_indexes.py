"""The ClassIndex contract over the fake, the embedded index, and Trieve in each of its modes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ocsf_pipeline.adapters.embedded_index import EmbeddedClassIndex
from ocsf_pipeline.adapters.trieve import TrieveClassIndex
from ocsf_pipeline.ports import ClassIndex
from ocsf_pipeline_tests.contracts.class_index import ClassIndexContract
from ocsf_pipeline_tests.fakes.class_index import FakeClassIndex
from ocsf_pipeline_tests.fakes.embedder import FakeEmbedder
from ocsf_pipeline_tests.fakes.object_store import FakeObjectStore
from ocsf_pipeline_tests.fakes.trieve_server import TrieveStandIn, make_place, serve_trieve


class TestFakeClassIndex(ClassIndexContract):
    @pytest.fixture
    def index(self) -> ClassIndex:
        return FakeClassIndex()


class TestEmbeddedClassIndex(ClassIndexContract):
    @pytest.fixture
    def index(self) -> ClassIndex:
        return EmbeddedClassIndex(FakeObjectStore(), FakeEmbedder())


@pytest.mark.parametrize("mode", ["semantic", "hybrid", "fulltext", "bm25"])
class TestTrieveClassIndex(ClassIndexContract):
    @pytest.fixture
    def index(self, mode: str) -> Iterator[ClassIndex]:
        server = TrieveStandIn(delay_ticks=1)
        with serve_trieve(server) as url:
            yield TrieveClassIndex(make_place(url, search_mode=mode), sleep=lambda _: None)
        assert server.faults == []
