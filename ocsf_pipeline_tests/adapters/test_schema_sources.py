"""The SchemaSource contract over the fake and both adapters, and the packaged releases."""

from __future__ import annotations

import re

import httpx
import pytest

from ocsf_pipeline.adapters.schema_download import DownloadSchemaSource
from ocsf_pipeline.adapters.schema_package import EmbeddedSchemaSource
from ocsf_pipeline.ports import PermanentPortError, SchemaSource
from ocsf_pipeline.schema.model import DEFAULT_VERSION
from ocsf_pipeline_tests.contracts.schema_source import SchemaSourceContract
from ocsf_pipeline_tests.fakes.object_store import FakeObjectStore
from ocsf_pipeline_tests.fakes.schema_documents import server_body
from ocsf_pipeline_tests.fakes.schema_source import FakeSchemaSource


class TestFakeSchemaSource(SchemaSourceContract):
    @pytest.fixture
    def source(self) -> SchemaSource:
        return FakeSchemaSource({"1.8.0": server_body()})

    @pytest.fixture
    def known_version(self) -> str:
        return "1.8.0"


class TestEmbeddedSchemaSource(SchemaSourceContract):
    @pytest.fixture
    def source(self) -> SchemaSource:
        return EmbeddedSchemaSource()

    @pytest.fixture
    def known_version(self) -> str:
        return DEFAULT_VERSION


class TestDownloadSchemaSource(SchemaSourceContract):
    @pytest.fixture
    def source(self) -> SchemaSource:
        def answer(request: httpx.Request) -> httpx.Response:
            if request.url.path == "/1.8.0/export/schema":
                return httpx.Response(200, content=server_body())
            return httpx.Response(404)

        return DownloadSchemaSource(FakeObjectStore(), transport=httpx.MockTransport(answer))

    @pytest.fixture
    def known_version(self) -> str:
        return "1.8.0"


def test_the_package_says_what_it_has() -> None:
    with pytest.raises(PermanentPortError, match=re.escape("1.7.0, 1.8.0")):
        EmbeddedSchemaSource().fetch_schema("2.0.0")


def test_a_packaged_release_names_its_origin() -> None:
    document = EmbeddedSchemaSource().fetch_schema("1.8.0")
    assert document.origin == "package:ocsf-json-schema"
    assert "ocsf-json-schema" in document.note
