"""Several processes over one embedded folder, and processes that are killed."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ocsf_pipeline.adapters.clickhouse import ClickHouseTables
from ocsf_pipeline.adapters.clickhouse_connection import EngineLease, TablesOptions
from ocsf_pipeline.ports import TransientPortError
from ocsf_pipeline.tables.migrations import load_migrations
from ocsf_pipeline_tests.fakes.event_rows import HOUR, make_events

WORKER = [sys.executable, "-m", "ocsf_pipeline_tests.fakes.tables_worker"]
ROOT = Path(__file__).resolve().parents[2]


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*WORKER, str(folder), *arguments],
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def finish(process: subprocess.Popen[str]) -> object:
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1])


def wait_until_open(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "open"


def open_tables(folder: Path, timeout_s: float = 30) -> ClickHouseTables:
    return ClickHouseTables(f"chdb://{folder}", options=TablesOptions(open_timeout_s=timeout_s))


def list_leftovers(tables: ClickHouseTables) -> list[str]:
    rows = tables.fetch_rows("SELECT name FROM system.tables WHERE startsWith(name, '_')")
    return [row[0] for row in rows]


def test_two_processes_take_turns(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "tables"
    holder = start(folder, "hold")
    wait_until_open(holder)
    assert holder.stdin is not None
    timer = threading.Timer(1.5, holder.stdin.close)
    timer.start()
    with caplog.at_level(logging.INFO), open_tables(folder) as tables:
        assert len(tables.migrate_tables()) == len(load_migrations())
    timer.join()
    assert holder.wait(30) == 0
    assert f"waiting for process {holder.pid}" in caplog.text
    for stream in (holder.stdout, holder.stderr):
        assert stream is not None
        stream.close()


def test_waiting_ends_with_what_to_do(tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    holder = start(folder, "hold")
    wait_until_open(holder)
    with pytest.raises(TransientPortError, match=f"process {holder.pid} has chDB open"):
        open_tables(folder, timeout_s=0.2).migrate_tables()
    holder.kill()
    holder.communicate()
    assert open_tables(folder, timeout_s=10).migrate_tables(), "a killed holder blocks nobody"


def test_processes_may_migrate_and_write_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    workers = [start(folder, "migrate"), start(folder, "migrate"), start(folder, "write", "30")]
    applied = [finish(worker) for worker in workers]
    assert applied[2] == {"events": 30, "quarantine": 30, "batches": 1}
    with open_tables(folder) as tables:
        recorded = tables.fetch_rows("SELECT name FROM schema_migrations ORDER BY applied_at")
        assert [row[0] for row in recorded] == [item.name for item in load_migrations()]
        assert tables.run_query("SELECT count() FROM events").item() == 30


KILLS = {
    "before anything is staged": ("before", "CREATE TABLE IF NOT EXISTS _staging_events"),
    "when rows have arrived": ("after", "insert _staging_events"),
    "while staging": ("after", "CREATE TABLE IF NOT EXISTS _staging_quarantine"),
    "before the swap": ("before", "ALTER TABLE events"),
    "between two swaps": ("after", "ALTER TABLE events"),
    "before the last swap": ("before", "ALTER TABLE batches"),
    "after the last swap": ("after", "ALTER TABLE batches"),
    "after the commit": ("before", "DROP TABLE IF EXISTS _staging_events"),
}


@pytest.mark.parametrize("step", KILLS)
def test_a_killed_run_is_repaired_by_the_next(tmp_path: Path, step: str) -> None:
    folder = tmp_path / "tables"
    with open_tables(folder) as tables:
        tables.migrate_tables()
        with tables.replace_hour(HOUR, "before") as writer:
            writer.write_rows("events", make_events(7))
            writer.commit()
    process = start(folder, "write", "20", *KILLS[step])
    _out, err = process.communicate(timeout=60)
    assert process.returncode == -9, err

    with open_tables(folder) as tables:
        seen = tables.run_query("SELECT count() FROM events").item()
        assert seen in (7, 20), "a reader sees the old hour or the new one"
        assert list_leftovers(tables) or "before anything" in step, "the killed run left staging"
        with tables.replace_hour(HOUR, "again") as writer:
            writer.write_rows("events", make_events(20))
            assert dict(writer.commit()) == {"events": 20, "quarantine": 0, "batches": 0}
        found = tables.run_query("SELECT event_uid FROM events ORDER BY event_uid").to_series()
        assert found.to_list() == make_events(20)["event_uid"].to_list()
        assert tables.run_query("SELECT count() FROM quarantine").item() == 0
        assert list_leftovers(tables) == []


def test_threads_share_the_folder_and_it_is_freed_after_the_last(tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    tables = open_tables(folder)
    tables.migrate_tables()
    failures: list[BaseException] = []

    def write_hour(number: int) -> None:
        try:
            hour = HOUR.replace(hour=number)
            for _ in range(3):
                with tables.replace_hour(hour, f"run-{number}") as writer:
                    writer.write_rows("events", make_events(50, hour))
                    writer.commit()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write_hour, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert tables.run_query("SELECT count() FROM events").item() == 200
    assert EngineLease._count == 0, "nothing is open now"
    assert finish(start(folder, "migrate")) == []


def test_two_folders_at_once_are_refused_in_one_process(tmp_path: Path) -> None:
    with (
        open_tables(tmp_path / "one"),
        pytest.raises(TransientPortError, match="one folder at a time"),
    ):
        open_tables(tmp_path / "two", timeout_s=0.1).migrate_tables()
    open_tables(tmp_path / "two").migrate_tables()
