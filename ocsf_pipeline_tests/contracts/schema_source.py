"""What every SchemaSource must do. Subclass and give the fixtures `source` and `known_version`."""

from __future__ import annotations

import hashlib

import pytest

from ocsf_pipeline.ports import PermanentPortError, SchemaSource
from ocsf_pipeline.schema.parse import parse_schema


class SchemaSourceContract:
    @pytest.fixture
    def source(self) -> SchemaSource:
        raise NotImplementedError

    @pytest.fixture
    def known_version(self) -> str:
        raise NotImplementedError

    def test_is_a_schema_source(self, source: SchemaSource) -> None:
        assert isinstance(source, SchemaSource)

    def test_a_known_version_is_served_whole(
        self, source: SchemaSource, known_version: str
    ) -> None:
        document = source.fetch_schema(known_version)
        assert document.version == known_version
        assert document.sha256 == hashlib.sha256(document.body).hexdigest()
        assert document.origin
        assert not document.is_stale
        assert parse_schema(document.body).version == known_version

    def test_the_same_version_gives_the_same_bytes(
        self, source: SchemaSource, known_version: str
    ) -> None:
        assert source.fetch_schema(known_version).body == source.fetch_schema(known_version).body

    @pytest.mark.parametrize("version", ["9.9.9", "../1.8.0", "latest", ""])
    def test_an_unknown_version_is_refused_by_name(
        self, source: SchemaSource, version: str
    ) -> None:
        with pytest.raises(PermanentPortError) as caught:
            source.fetch_schema(version)
        assert version in str(caught.value)
