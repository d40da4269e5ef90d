"""A process of its own that uses the tables: `python -m ocsf_pipeline_tests.fakes.tables_worker`.

Belongs here: what tests of several processes and of kills run. Prints one JSON line at its end.
"""

from __future__ import annotations

import json
import os
import signal
import sys

from ocsf_pipeline.adapters.clickhouse import ClickHouseTables
from ocsf_pipeline.adapters.clickhouse_connection import TablesOptions
from ocsf_pipeline_tests.fakes.event_rows import HOUR, make_batches, make_events, make_quarantine


class KilledTables(ClickHouseTables):
    """Kills its process before, or right after, the first statement that begins with `text`."""

    when = ""
    text = ""

    def execute(self, sql, parameters=None, **given):  # type: ignore[no-untyped-def]
        hit = bool(self.text) and sql.startswith(self.text)
        if hit and self.when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        super().execute(sql, parameters, **given)
        if hit and self.when == "after":
            os.kill(os.getpid(), signal.SIGKILL)

    def insert_block(self, table, block):  # type: ignore[no-untyped-def]
        super().insert_block(table, block)
        if self.text and f"insert {table}".startswith(self.text):
            os.kill(os.getpid(), signal.SIGKILL)


def write(tables: KilledTables, count: int, when: str = "", text: str = "") -> object:
    tables.migrate_tables()
    tables.when, tables.text = when, text
    with tables.replace_hour(HOUR, f"run-{os.getpid()}") as writer:
        writer.write_rows("events", make_events(count))
        writer.write_rows("quarantine", make_quarantine([b"\xff"] * count))
        writer.write_rows("batches", make_batches(count * 2, quarantined=count))
        return dict(writer.commit())


def hold(tables: KilledTables) -> object:
    """Keep the tables open until standard input closes."""
    with tables:
        sys.stdout.write("open\n")
        sys.stdout.flush()
        sys.stdin.read()
    return "closed"


def main() -> None:
    folder, action, *rest = sys.argv[1:]
    tables = KilledTables(f"chdb://{folder}", options=TablesOptions(open_timeout_s=60))
    if action == "write":
        count, *kill = rest
        result = write(tables, int(count), *kill)
    elif action == "migrate":
        result = tables.migrate_tables()
    else:
        result = hold(tables)
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
