"""Fixtures: chDB opens one folder at a time, so one folder serves all tests, a database each."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocsf_pipeline.adapters.clickhouse import ClickHouseTables
from ocsf_pipeline.adapters.clickhouse_connection import TablesOptions
from ocsf_pipeline.adapters.schema_package import EmbeddedSchemaSource
from ocsf_pipeline.schema.model import DEFAULT_VERSION, OcsfSchema
from ocsf_pipeline.schema.parse import parse_schema

_numbers = itertools.count()


@pytest.fixture(scope="session")
def chdb_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("chdb") / "tables"


@pytest.fixture
def chdb_tables(chdb_folder: Path) -> Iterator[ClickHouseTables]:
    """Migrated, empty and open."""
    name = f"test_{next(_numbers)}"
    options = TablesOptions(open_timeout_s=20, lock_timeout_s=5)
    with ClickHouseTables(f"chdb://{chdb_folder}", name, options) as tables:
        tables.migrate_tables()
        yield tables
        tables.execute(f"DROP DATABASE {name} SYNC")


@pytest.fixture(scope="session")
def ocsf_schema() -> OcsfSchema:
    return parse_schema(EmbeddedSchemaSource().fetch_schema(DEFAULT_VERSION).body)
