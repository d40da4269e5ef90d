"""The pure parts of the stage, and what only the ClickHouse adapter promises."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from ocsf_pipeline.adapters.clickhouse import ClickHouseTables
from ocsf_pipeline.adapters.clickhouse_connection import TablesOptions, parse_dsn
from ocsf_pipeline.adapters.clickhouse_hours import hold_lock
from ocsf_pipeline.ports import PermanentPortError, TransientPortError
from ocsf_pipeline.tables.migrations import (
    MigrationError,
    load_migrations,
    parse_migrations,
    plan_migrations,
    split_statements,
)
from ocsf_pipeline.tables.queries import QueryError, check_query
from ocsf_pipeline_tests.fakes.event_rows import HOUR, make_events

ONE = {"0001_a.sql": "CREATE TABLE a (x Int8) ENGINE = Memory;\n"}


def test_migrations_are_in_order_and_repeatable() -> None:
    migrations = load_migrations()
    assert [item.name[:4] for item in migrations] == [
        f"{number:04d}" for number in range(1, len(migrations) + 1)
    ]
    for statement in (statement for item in migrations for statement in item.statements):
        assert "IF NOT EXISTS" in statement or "IF EXISTS" in statement


def test_statements_end_at_a_line_with_a_semicolon() -> None:
    text = "-- a; comment;\nSELECT ';',\n  2;\n\nSELECT 3 ;\n"
    assert split_statements(text) == ("SELECT ';',\n  2", "SELECT 3")


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"1_a.sql": ""}, "name it like"),
        ({"0001_a.sql": "", "0001_b.sql": ""}, "share a number"),
    ],
)
def test_malformed_migrations_are_refused(texts: dict[str, str], message: str) -> None:
    with pytest.raises(MigrationError, match=message):
        parse_migrations(texts)


def test_only_what_is_not_applied_is_planned() -> None:
    one, two = parse_migrations({**ONE, "0002_b.sql": "SELECT 1;"})
    assert plan_migrations((one, two), {one.name: one.sha256}) == (two,)
    assert plan_migrations((one, two), {one.name: one.sha256, two.name: two.sha256}) == ()
    with pytest.raises(MigrationError, match="changed after it was applied"):
        plan_migrations((one, two), {one.name: "other"})
    with pytest.raises(MigrationError, match="upgrade"):
        plan_migrations((one,), {two.name: two.sha256})


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        " (select 1) union all (select 2) ; ",
        "WITH 1 AS x SELECT x -- ; done",
        "SELECT 'a;b', \"c;d\", `e` /* ; into outfile */ # hm ;",
        "SHOW TABLES",
        "EXPLAIN SELECT 1",
        "SELECT 'it''s', 'a\\';b', format('{}', 1) AS format",
        "SELECT 1\nINTO_OUTFILE",
    ],
)
def test_reading_statements_pass(sql: str) -> None:
    assert check_query(sql).strip()


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE events",
        "SELECT 1; SELECT 2",
        "SELECT 'a'; DROP TABLE events --'",
        "SELECT 'open",
        "SELECT 1 /* open",
        "SELECT a$b$ ; DROP TABLE events; $b$",
        "SELECT \u2018 ' \u2019 ; DROP TABLE events --'",
        "SELECT 1 \u2212\u2212 '\n; DROP TABLE events --'",
        "SELECT 1 INTO/**/OUTFILE 'x'",
        "SELECT 1 into\noutfile 'x'",
        "SELECT 1 FORMAT Native",
        "SYSTEM SHUTDOWN",
        "SET readonly = 0",
        "-- only a comment",
    ],
)
def test_everything_else_is_refused(sql: str) -> None:
    with pytest.raises(QueryError):
        check_query(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM file('/etc/hostname', 'LineAsString')",
        "SELECT * FROM url('http://127.0.0.1:9/', 'LineAsString')",
        "SELECT 1 SETTINGS readonly = 0",
        "SELECT 1 SETTINGS max_result_rows = 0",
        "WITH 1 AS x INSERT INTO schema_migrations (name) SELECT 'x'",
    ],
)
def test_the_engine_itself_only_reads(chdb_tables: ClickHouseTables, sql: str) -> None:
    with pytest.raises(PermanentPortError):
        chdb_tables.run_query(sql)


def test_queries_are_bounded_in_rows_and_time(chdb_folder: Path) -> None:
    options = TablesOptions(max_result_rows=1000, query_timeout_s=1)
    with ClickHouseTables(f"chdb://{chdb_folder}", "bounded", options) as tables:
        tables.migrate_tables()
        assert tables.run_query("SELECT number FROM numbers(1000)").height == 1000
        with pytest.raises(PermanentPortError, match="add a LIMIT"):
            tables.run_query("SELECT number FROM numbers(2000000)")
        with pytest.raises(TransientPortError, match="too long"):
            tables.run_query("SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number)=1")


def test_parameters_of_every_kind_are_bound(chdb_tables: ClickHouseTables) -> None:
    found = chdb_tables.run_query(
        "SELECT {s:String} AS s, {n:UInt64} AS n, {t:DateTime64(6, 'UTC')} AS t, "
        "{a:Array(String)} AS a",
        {"s": "'; --", "n": 2**63, "t": HOUR + timedelta(microseconds=7), "a": ["x'y", ""]},
    )
    assert found.row(0) == ("'; --", 2**63, HOUR + timedelta(microseconds=7), ["x'y", ""])


def test_querying_before_migrating_says_what_to_do(chdb_folder: Path) -> None:
    tables = ClickHouseTables(f"chdb://{chdb_folder}", "never_made")
    with pytest.raises(PermanentPortError, match="run the migrations"):
        tables.run_query("SELECT * FROM events")


def test_small_writes_are_gathered_into_blocks(chdb_tables: ClickHouseTables) -> None:
    with chdb_tables.replace_hour(HOUR, "run-1") as writer:
        for start in range(0, 60, 6):
            writer.write_rows("events", make_events(60).slice(start, 6))
        writer.commit()
    parts = chdb_tables.fetch_rows(
        "SELECT count() FROM system.parts WHERE active AND table = 'events' "
        "AND database = {database:String}",
        {"database": chdb_tables.database},
    )
    assert parts[0][0] == 1
    assert chdb_tables.run_query("SELECT count() FROM events").item() == 60


def test_retention_follows_the_setting(chdb_folder: Path) -> None:
    dsn = f"chdb://{chdb_folder}"

    def read_engine(days: int | None) -> str:
        with ClickHouseTables(dsn, "kept", TablesOptions(retention_days=days)) as tables:
            tables.migrate_tables()
            rows = tables.fetch_rows(
                "SELECT engine_full FROM system.tables WHERE name = 'events' AND database = 'kept'"
            )
            return str(rows[0][0])

    assert "TTL" not in read_engine(None)
    assert "TTL hour + toIntervalDay(3650)" in read_engine(3650)
    assert "toIntervalDay(4000)" in read_engine(4000)
    assert "TTL" not in read_engine(None)


def test_a_lock_is_waited_for_and_then_given_up(chdb_folder: Path) -> None:
    options = TablesOptions(lock_timeout_s=0.2)
    with ClickHouseTables(f"chdb://{chdb_folder}", "locked", options) as tables:
        tables.migrate_tables()
        with (
            hold_lock(tables, "x"),
            pytest.raises(TransientPortError, match="another run holds"),
            hold_lock(tables, "x"),
        ):
            pass
        with hold_lock(tables, "x"):
            pass


def test_a_writer_must_be_opened(chdb_tables: ClickHouseTables) -> None:
    writer = chdb_tables.replace_hour(datetime(2026, 3, 1, tzinfo=UTC), "run-1")
    with pytest.raises(PermanentPortError, match="open the hour first"):
        writer.write_rows("events", make_events(1))


@pytest.mark.parametrize(
    ("dsn", "described"),
    [
        ("chdb:///data/tables", "chDB at /data/tables"),
        ("chdb:///data/with%20space", "chDB at /data/with space"),
        ("https://me:s3cr%40t@db.example/ocsf", "ClickHouse at https://db.example:8443"),
        ("clickhouse://db.example", "ClickHouse at http://db.example:8123"),
        ("clickhouses://me:s3cr%40t@db.example:9443", "ClickHouse at https://db.example:9443"),
    ],
)
def test_dsns_are_read_and_shown_without_secrets(dsn: str, described: str) -> None:
    address, database = parse_dsn(dsn)
    assert address.describe() == described
    assert database == ("ocsf" if dsn.endswith("/ocsf") else None)
    assert "s3cr" not in repr(address)
    if "s3cr" in dsn:
        assert address.password == "s3cr@t"


@pytest.mark.parametrize(
    "dsn",
    [
        "chdb://memory",
        "chdb://",
        "postgres://me:s3cret@h/db",
        "https://",
        "http://me:s3cret@h:x/",
        "http://me:s3cret@h/?unknown=1",
    ],
)
def test_unusable_dsns_are_refused_without_secrets(dsn: str) -> None:
    with pytest.raises(PermanentPortError) as caught:
        parse_dsn(dsn)
    assert "s3cret" not in str(caught.value)


def test_an_unreachable_server_is_a_transient_error() -> None:
    tables = ClickHouseTables(
        "http://me:s3cret@127.0.0.1:9/ocsf", options=TablesOptions(connect_timeout_s=1)
    )
    with pytest.raises(TransientPortError, match="cannot be reached") as caught:
        tables.run_query("SELECT 1")
    assert "s3cret" not in str(caught.value)


def test_large_parts_of_an_embedded_hour_are_left_unmerged(chdb_tables: ClickHouseTables) -> None:
    chdb_tables.migrate_tables()  # a second time changes nothing
    for table in ("events", "quarantine", "batches"):
        made = chdb_tables.fetch_rows(f"SHOW CREATE TABLE {table}")[0][0]
        assert made.count("max_bytes_to_merge_at_max_space_in_pool = 4194304") == 1


def test_large_parts_of_an_embedded_hour_are_single_files(chdb_tables: ClickHouseTables) -> None:
    rows = make_events(20).with_columns(pl.lit("0123456789abcdef" * 50_000).alias("raw_data"))
    size_bytes = rows.select(pl.col("raw_data").str.len_bytes().sum()).item()
    assert size_bytes > 10 << 20, "so large that there would be files per column"
    with chdb_tables.replace_hour(HOUR, "large") as writer:
        writer.write_rows("events", rows)
        writer.commit()
    parts = chdb_tables.fetch_rows(
        "SELECT part_type, sum(rows) FROM system.parts "
        "WHERE database = currentDatabase() AND table = 'events' AND active GROUP BY part_type"
    )
    assert parts == [("Compact", 20)]


def test_parts_that_a_run_replaced_are_cleared_in_the_next(
    chdb_tables: ClickHouseTables,
) -> None:
    for count in (3, 4):
        with chdb_tables.replace_hour(HOUR, "again") as writer:
            writer.write_rows("events", make_events(count))
            writer.commit()
    for action in ("DETACH", "ATTACH"):  # as a later run would find the table
        chdb_tables.execute(f"{action} TABLE events")
    statement = (
        "SELECT count() FROM system.parts "
        "WHERE database = currentDatabase() AND table = 'events' AND NOT active"
    )
    deadline = time.monotonic() + 20
    while chdb_tables.fetch_rows(statement)[0][0]:
        assert time.monotonic() < deadline, "replaced parts are still on the disk"
        time.sleep(0.2)
    assert chdb_tables.fetch_rows("SELECT count() FROM events")[0][0] == 4
