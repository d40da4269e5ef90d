"""The store fails at each statement of an hour, in turn; the hour is old or new, never between."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from ocsf_pipeline.adapters.clickhouse import ClickHouseTables
from ocsf_pipeline.adapters.clickhouse_connection import TablesOptions
from ocsf_pipeline.ports import PermanentPortError, TransientPortError
from ocsf_pipeline_tests.contracts.event_tables import count
from ocsf_pipeline_tests.fakes.clickhouse_server import (
    PASSWORD,
    USER,
    ClickHouseFront,
    serve_clickhouse,
)
from ocsf_pipeline_tests.fakes.event_rows import HOUR, make_batches, make_events, make_quarantine

OPTIONS = TablesOptions(lock_timeout_s=5, retry_count=1, retry_wait_s=0.001, staging_max_age_s=0)
FAULT = ("Code: 210. DB::NetException: Connection reset by peer", 210)


@pytest.fixture(scope="module")
def server(chdb_folder: Path) -> Iterator[ClickHouseFront]:
    with serve_clickhouse(chdb_folder) as server:
        yield server


@pytest.fixture(scope="module")
def tables(server: ClickHouseFront) -> Iterator[ClickHouseTables]:
    dsn = f"http://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{server.server_port}"
    with ClickHouseTables(dsn, "faulty", OPTIONS) as tables:
        tables.migrate_tables()
        yield tables


def write_hour(tables: ClickHouseTables, rows: int) -> None:
    with tables.replace_hour(HOUR, f"run of {rows}") as writer:
        writer.write_rows("events", make_events(rows))
        writer.write_rows("quarantine", make_quarantine([b"\xff"] * rows))
        writer.write_rows("batches", make_batches(rows * 2, quarantined=rows))
        writer.commit()


def count_statements(server: ClickHouseFront, action: Callable[[], None]) -> int:
    before = len(server.requests)
    action()
    return len(server.requests) - before


def test_a_fault_at_any_statement_loses_and_doubles_nothing(
    tables: ClickHouseTables, server: ClickHouseFront
) -> None:
    write_hour(tables, 3)
    statements = count_statements(server, lambda: write_hour(tables, 4))
    assert statements > 15
    outcomes = set()
    old, new = 4, 3
    for number in range(statements):
        server.skip_before_failures = number
        # The statement and its repetition both fail.
        server.failures += [FAULT] * 2
        try:
            write_hour(tables, new)
            outcome = "done"
        except TransientPortError as error:
            outcome = "said so"
            assert "network failed" in str(error) or "another run holds" in str(error)
        server.failures.clear()
        server.skip_before_failures = 0
        outcomes.add(outcome)
        seen = count(tables, "events")
        assert seen in (old, new), f"statement {number}"
        assert seen == new or outcome == "said so"
        # What the next run finds, and leaves.
        write_hour(tables, new)
        found = tables.run_query(
            "SELECT (SELECT count() FROM events) AS events, (SELECT count() FROM quarantine) AS q, "
            "(SELECT count() FROM batches) AS batches, "
            "read_count - classified_count - review_count - quarantined_count AS lost FROM batches"
        )
        assert found.rows() == [(new, new, 1, 0)], f"statement {number}"
        leftovers = tables.fetch_rows("SELECT name FROM system.tables WHERE name LIKE '\\_%'")
        assert [name for (name,) in leftovers] == [], f"statement {number}"
        old, new = new, old
    assert outcomes == {"done", "said so"}, "some statements are not essential"


def test_of_two_runs_at_once_one_wins_and_the_other_says_so(
    tables: ClickHouseTables, server: ClickHouseFront
) -> None:
    """Each with a client of its own, as two processes would have; begun in order, ended in none."""
    tables.execute("TRUNCATE TABLE hour_writes")
    dsn = f"http://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{server.server_port}"
    options = TablesOptions(lock_timeout_s=30, retry_wait_s=0.001)
    both_opened = threading.Barrier(2)
    outcomes: dict[int, str] = {}

    def run(rows: int) -> None:
        own = ClickHouseTables(dsn, "faulty", options)
        try:
            with own.replace_hour(HOUR, f"run of {rows}") as writer:
                both_opened.wait(60)
                writer.write_rows("events", make_events(rows))
                writer.write_rows("batches", make_batches(rows))
                writer.commit()
            outcomes[rows] = "won"
        except PermanentPortError as error:
            outcomes[rows] = str(error)

    threads = [threading.Thread(target=run, args=(rows,)) for rows in (6, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    found = tables.run_query(
        "SELECT count() AS n, (SELECT max(read_count) FROM batches) AS read FROM events"
    ).row(0)
    assert found in ((6, 6), (9, 9)), "the rows of one run, and its account"
    assert outcomes[found[0]] == "won"
    other = outcomes[15 - found[0]]
    assert other == "won" or f"replaced by run run of {found[0]}" in other
    committed = tables.run_query(
        "SELECT events FROM hour_writes WHERE action = 'committed' "
        "ORDER BY (opened_at, token) DESC LIMIT 1"
    )
    assert committed.item() == found[0], "the one that began later stands"
