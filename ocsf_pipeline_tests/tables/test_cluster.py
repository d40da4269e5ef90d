"""A cluster: its statements, and the whole contract against a front that pretends to be one.

The front takes `ON CLUSTER` and replication away, for chDB has neither Keeper nor other servers:
what is tested is which statements are sent, and that everything works with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import chdb
import pytest

from ocsf_pipeline.adapters.clickhouse import ClickHouseTables
from ocsf_pipeline.adapters.clickhouse_connection import EngineLease, TablesOptions
from ocsf_pipeline.ports import PermanentPortError
from ocsf_pipeline.schema.model import OcsfSchema
from ocsf_pipeline.tables.cluster import ClusterError, spread_ddl, spread_view
from ocsf_pipeline.tables.migrations import load_migrations
from ocsf_pipeline.tables.views import create_views_sql
from ocsf_pipeline_tests.contracts.event_tables import EventTablesContract, write
from ocsf_pipeline_tests.fakes.clickhouse_server import PASSWORD, USER, serve_clickhouse
from ocsf_pipeline_tests.fakes.event_rows import make_events

OPTIONS = TablesOptions(lock_timeout_s=5, retry_wait_s=0.001, cluster="main", retention_days=9999)


def spread_all() -> list[str]:
    return [
        item
        for migration in load_migrations()
        for statement in migration.statements
        for item in spread_ddl(statement, "main")
    ]


def test_events_are_replicated_within_a_shard_and_read_over_all() -> None:
    first, second, *_rest = spread_all()
    assert first.startswith("CREATE TABLE IF NOT EXISTS events ON CLUSTER 'main'\n(")
    engine = "ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/events', '{replica}')"
    assert f"ENGINE = {engine}\nPARTITION BY hour\nORDER BY (class_uid, time)" in first
    assert second == (
        "CREATE TABLE IF NOT EXISTS events_all ON CLUSTER 'main' AS events "
        "ENGINE = Distributed('main', currentDatabase(), 'events')"
    )


def test_small_tables_are_the_same_on_every_server() -> None:
    templates = next(item for item in spread_all() if "EXISTS templates ON" in item)
    assert (
        "ReplicatedReplacingMergeTree('/clickhouse/tables/all/{database}/templates', "
        "'{shard}-{replica}', updated_at)"
    ) in templates
    assert not any("templates_all" in item for item in spread_all())


def test_every_statement_runs_everywhere_and_is_understood(
    chdb_folder: Path, ocsf_schema: OcsfSchema
) -> None:
    views = [spread_view(sql, "main") for sql in create_views_sql(ocsf_schema)]
    assert "FROM events_all" in views[1]
    statements = [*spread_all(), *views]
    assert all("ON CLUSTER 'main'" in item for item in statements)
    EngineLease.take(chdb_folder, 20)
    connection = chdb.connect(str(chdb_folder))
    try:
        for statement in statements:
            assert connection.query(f"EXPLAIN AST {statement}", "TabSeparated").bytes()
    finally:
        connection.close()
        EngineLease.give_back()


def test_what_is_no_cluster_is_refused() -> None:
    with pytest.raises(ClusterError, match="no way is known"):
        spread_ddl("DROP TABLE events", "main")
    for cluster in ("a'b", "", " "):
        options = TablesOptions(cluster=cluster or "'")
        with pytest.raises(PermanentPortError, match="letters"):
            ClickHouseTables("http://db.example/ocsf", options=options)
    with pytest.raises(PermanentPortError, match="embedded"):
        ClickHouseTables("chdb:///x", options=TablesOptions(cluster="main"))


@pytest.fixture(scope="module")
def migrated(chdb_folder: Path) -> Iterator[ClickHouseTables]:
    with serve_clickhouse(chdb_folder, is_cluster=True) as server:
        dsn = f"http://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{server.server_port}"
        with ClickHouseTables(dsn, "clustered", OPTIONS) as tables:
            tables.migrate_tables()
            yield tables


class TestPretendedCluster(EventTablesContract):
    @pytest.fixture
    def tables(self, migrated: ClickHouseTables) -> ClickHouseTables:
        for table in ("events", "quarantine", "batches", "hour_writes", "templates", "overrides"):
            migrated.execute(f"TRUNCATE TABLE {table}")
        return migrated

    def test_readers_see_all_shards(
        self, tables: ClickHouseTables, ocsf_schema: OcsfSchema
    ) -> None:
        tables.create_views(create_views_sql(ocsf_schema)[:6])
        write(tables, make_events(4))
        for name in ("events_all", "current_events"):
            assert tables.run_query(f"SELECT count() FROM {name}").item() == 4
