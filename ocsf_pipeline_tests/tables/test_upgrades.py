"""Tables of every earlier version, with rows in them, brought up to date."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocsf_pipeline.adapters.clickhouse import ClickHouseTables
from ocsf_pipeline.adapters.clickhouse_connection import TablesOptions
from ocsf_pipeline.schema.model import OcsfSchema
from ocsf_pipeline.tables.migrations import load_migrations
from ocsf_pipeline.tables.views import create_views_sql
from ocsf_pipeline_tests.contracts.event_tables import count, write
from ocsf_pipeline_tests.fakes.event_rows import make_decision, make_decisions, make_events

MIGRATIONS = load_migrations()
OPTIONS = TablesOptions(open_timeout_s=20, lock_timeout_s=5)
_SHAPE = """
SELECT kind, name, what FROM
(
SELECT 'column' AS kind, concat(table, '.', name) AS name,
    concat(type, ' ', compression_codec, ' ', default_expression) AS what
FROM system.columns WHERE database = {database:String} AND NOT startsWith(table, '_')
UNION ALL
SELECT 'table', name, engine_full FROM system.tables
WHERE database = {database:String} AND NOT startsWith(name, '_')
UNION ALL
SELECT 'index', concat(table, '.', name), concat(type_full, ' ', expr)
FROM system.data_skipping_indices WHERE database = {database:String}
)
ORDER BY kind, name
"""


def read_shape(tables: ClickHouseTables) -> list[tuple[str, str, str]]:
    rows = tables.fetch_rows(_SHAPE, {"database": tables.database})
    return [(str(kind), str(name), str(what)) for kind, name, what in rows]


@pytest.fixture
def old_tables(chdb_folder: Path) -> Iterator[ClickHouseTables]:
    with ClickHouseTables(f"chdb://{chdb_folder}", "old", OPTIONS) as tables:
        yield tables
        tables.execute("DROP DATABASE IF EXISTS old SYNC")


@pytest.mark.parametrize("applied", range(len(MIGRATIONS)))
def test_tables_of_every_earlier_version_become_those_of_this_one(
    chdb_tables: ClickHouseTables, old_tables: ClickHouseTables, applied: int
) -> None:
    old_tables.migrations = MIGRATIONS[:applied]
    _migrate_only(old_tables)
    rows_before = _write_what_there_is(old_tables)

    old_tables.migrations = MIGRATIONS
    assert old_tables.migrate_tables() == [item.name for item in MIGRATIONS[applied:]]
    assert old_tables.migrate_tables() == []
    assert read_shape(old_tables) == read_shape(chdb_tables)
    assert {name: count(old_tables, name) for name in rows_before} == rows_before
    write(old_tables, make_events(3))
    old_tables.upsert_templates(make_decisions([make_decision("t3002")]))
    assert count(old_tables, "events") == 3


def test_views_of_this_version_read_rows_of_an_earlier_one(
    old_tables: ClickHouseTables, ocsf_schema: OcsfSchema
) -> None:
    old_tables.migrations = MIGRATIONS[:4]
    _migrate_only(old_tables)
    _write_what_there_is(old_tables)
    old_tables.migrations = MIGRATIONS
    old_tables.migrate_tables()
    old_tables.create_views(create_views_sql(ocsf_schema)[:6])
    rows = old_tables.run_query("SELECT template_id, source, event_types FROM current_templates")
    assert rows.rows() == [("kept", "", [])]


def test_whole_events_of_an_earlier_version_stay_what_they_were(
    old_tables: ClickHouseTables,
) -> None:
    old_tables.migrations = MIGRATIONS[:5]
    _migrate_only(old_tables)
    text = json.dumps({"class_uid": 3002, "message": 'say "hi" \x00'})
    old_tables.execute(
        "INSERT INTO events (event_uid, hour, event) "
        "SELECT 'old', '2026-01-01 00:00:00', {event:String}",
        {"event": text},
    )
    old_tables.migrations = MIGRATIONS
    old_tables.migrate_tables()
    assert old_tables.run_query("SELECT event_uid, event FROM events").rows() == [("old", text)]


def test_an_upgrade_that_was_killed_half_way_is_finished(old_tables: ClickHouseTables) -> None:
    """Statements are done, the record of it is not: every statement can be repeated."""
    for number, killed in enumerate(MIGRATIONS):
        # What comes after was not done yet; the first two make the tables that a start needs.
        old_tables.migrations = MIGRATIONS[: max(number + 1, 2)]
        old_tables.migrate_tables()
        old_tables.execute(
            "DELETE FROM schema_migrations WHERE name = {name:String}", {"name": killed.name}
        )
        assert old_tables.migrate_tables() == [killed.name]


def _migrate_only(tables: ClickHouseTables) -> None:
    """Apply the migrations of an old version, which may not have made the tables of today."""
    tables._create_database()
    tables.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations (name String, sha256 String, "
        "applied_at DateTime64(6, 'UTC') DEFAULT now64(6)) ENGINE = MergeTree ORDER BY name"
    )
    for migration in tables.migrations:
        tables._apply(migration)


def _write_what_there_is(tables: ClickHouseTables) -> dict[str, int]:
    """Put one row into each table that knows the hour or the template; return rows by table."""
    names = {row[0] for row in tables.fetch_rows("SHOW TABLES")}
    statements = {
        "quarantine": "INSERT INTO quarantine (object_key, hour) SELECT 'a', '2026-01-01 00:00:00'",
        "batches": "INSERT INTO batches (object_key, hour) SELECT 'a', '2026-01-01 00:00:00'",
        "templates": "INSERT INTO templates (template_id, class_uid) SELECT 'kept', 3002",
        "overrides": "INSERT INTO overrides (override_id, class_uid) SELECT 'o', 3002",
    }
    found = {name: sql for name, sql in statements.items() if name in names}
    for sql in found.values():
        tables.execute(sql)
    return dict.fromkeys((name for name in found if name != "templates"), 1)
