"""The contract of EventTables over the fake and over chDB."""

from __future__ import annotations

import pytest

from ocsf_pipeline.adapters.clickhouse import ClickHouseTables
from ocsf_pipeline_tests.contracts.event_tables import EventTablesContract
from ocsf_pipeline_tests.fakes.event_tables import FakeEventTables


class TestFake(EventTablesContract):
    @pytest.fixture
    def tables(self) -> FakeEventTables:
        tables = FakeEventTables()
        tables.migrate_tables()
        return tables


class TestChdb(EventTablesContract):
    @pytest.fixture
    def tables(self, chdb_tables: ClickHouseTables) -> ClickHouseTables:
        return chdb_tables
