"""The ClassIndex contract over the fake and the embedded index."""

from __future__ import annotations

import pytest

from ocsf_pipeline.adapters.embedded_index import EmbeddedClassIndex
from ocsf_pipeline.ports import ClassIndex
from ocsf_pipeline_tests.contracts.class_index import ClassIndexContract
from ocsf_pipeline_tests.fakes.class_index import FakeClassIndex
from ocsf_pipeline_tests.fakes.embedder import FakeEmbedder
from ocsf_pipeline_tests.fakes.object_store import FakeObjectStore


class TestFakeClassIndex(ClassIndexContract):
    @pytest.fixture
    def index(self) -> ClassIndex:
        return FakeClassIndex()


class TestEmbeddedClassIndex(ClassIndexContract):
    @pytest.fixture
    def index(self) -> ClassIndex:
        return EmbeddedClassIndex(FakeObjectStore(), FakeEmbedder())
