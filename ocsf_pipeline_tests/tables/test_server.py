"""The contract over HTTP: the real client against a front that speaks ClickHouse's interface."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest

from ocsf_pipeline.adapters.clickhouse import ClickHouseTables
from ocsf_pipeline.adapters.clickhouse_connection import TablesOptions
from ocsf_pipeline.ports import PermanentPortError, TransientPortError
from ocsf_pipeline.tables.hours import name_staging
from ocsf_pipeline_tests.contracts.event_tables import EventTablesContract, count, write
from ocsf_pipeline_tests.fakes.clickhouse_server import (
    PASSWORD,
    USER,
    ClickHouseFront,
    serve_clickhouse,
)
from ocsf_pipeline_tests.fakes.event_rows import HOUR, make_events

OPTIONS = TablesOptions(connect_timeout_s=5, lock_timeout_s=5, retry_wait_s=0.001)


@pytest.fixture(scope="module")
def server(chdb_folder: Path) -> Iterator[ClickHouseFront]:
    with serve_clickhouse(chdb_folder) as server:
        yield server


@pytest.fixture(scope="module")
def migrated(server: ClickHouseFront) -> Iterator[ClickHouseTables]:
    dsn = f"http://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{server.server_port}"
    with ClickHouseTables(dsn, "served") as tables:
        tables.migrate_tables()
        yield tables


@pytest.fixture
def tables(migrated: ClickHouseTables) -> ClickHouseTables:
    for table in ("events", "quarantine", "batches", "hour_writes", "templates", "overrides"):
        migrated.execute(f"TRUNCATE TABLE {table}")
    migrated.options = OPTIONS
    return migrated


class TestServer(EventTablesContract):
    pass


def test_queries_travel_read_only_and_bounded(
    tables: ClickHouseTables, server: ClickHouseFront
) -> None:
    tables.run_query("SELECT 1")
    last = server.requests[-1]
    assert last["readonly"] == "1"
    assert last["max_result_rows"] == "100000"
    assert last["result_overflow_mode"] == "throw"


def test_the_staging_of_a_live_run_elsewhere_is_left_alone(tables: ClickHouseTables) -> None:
    tables.execute("CREATE TABLE _staging_events_00000000000000aa AS events")
    write(tables, make_events(2))
    assert tables.fetch_rows("EXISTS TABLE _staging_events_00000000000000aa")[0][0] == 1
    tables.options = TablesOptions(staging_max_age_s=0)
    assert tables.drop_leftovers() == ["_staging_events_00000000000000aa"]


def test_cleared_staging_is_explained(tables: ClickHouseTables) -> None:
    with tables.replace_hour(HOUR, "slow") as writer:
        tables.options = TablesOptions(block_rows=1)
        writer.write_rows("events", make_events(1))
        writer._sender.finish()
        tables.execute(f"DROP TABLE {name_staging('events', writer._token)}")
        writer.write_rows("events", make_events(1))
        with pytest.raises(TransientPortError, match="run the hour again"):
            writer.write_rows("events", make_events(1))
        with pytest.raises(TransientPortError, match="run the hour again"):
            writer.commit()


def test_a_failure_half_way_leaves_the_hour_and_a_rerun_repairs_it(
    tables: ClickHouseTables, server: ClickHouseFront
) -> None:
    write(tables, make_events(3))
    with (
        pytest.raises(TransientPortError, match="too many parts"),
        tables.replace_hour(HOUR, "run-2") as writer,
    ):
        writer.write_rows("events", make_events(5))
        server.failures += [("Code: 252. DB::Exception: Too many parts", 252)] * 4
        writer.commit()
    assert count(tables, "events") == 3
    write(tables, make_events(5))
    assert count(tables, "events") == 5


def test_what_can_be_repeated_is_sent_again(
    tables: ClickHouseTables, server: ClickHouseFront
) -> None:
    server.failures += [("Code: 242. DB::Exception: Table is in readonly mode", 242)] * 3
    assert count(tables, "events") == 0
    assert server.failures == []
    server.failures += [("Code: 159. DB::Exception: Timeout exceeded", 159)] * 2
    with pytest.raises(TransientPortError, match="too long"):
        count(tables, "events")
    assert len(server.failures) == 1, "a slow query is not asked again"
    server.failures.clear()


def test_an_hour_beyond_the_retention_is_refused_with_what_to_do(
    chdb_folder: Path, server: ClickHouseFront
) -> None:
    options = TablesOptions(retention_days=30)
    dsn = f"http://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{server.server_port}"
    with ClickHouseTables(dsn, "short", options) as tables:
        tables.migrate_tables()
        with (
            pytest.raises(PermanentPortError, match="RETENTION_DAYS"),
            tables.replace_hour(HOUR - timedelta(days=4000), "old"),
        ):
            pass


def test_a_wrong_password_says_so(server: ClickHouseFront) -> None:
    tables = ClickHouseTables(f"http://{USER}:wr0ng@127.0.0.1:{server.server_port}")
    with pytest.raises(PermanentPortError, match="check user and password") as caught:
        tables.run_query("SELECT 1")
    assert "wr0ng" not in str(caught.value)
