"""`python -m ocsf_pipeline.bench.ordering`: what analysts' queries read, by the order of `events`.

Makes the table `events` of the DDL files in an empty chDB folder, once per order and with and
without its skip indexes, fills it with made events, and asks what analysts ask: a class at a time,
a user, an address, a host, an event. Prints, as JSON, the rows that each query has to read (as
ClickHouse estimates it from keys and indexes, which does not depend on the machine), how long it
takes, and what the table takes on disk.

Belongs here: the comparison behind docs/decisions/0014. Does not belong here: the DDL (`tables`).
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from typing import Annotated, Any

import typer

from ocsf_pipeline.adapters.clickhouse import ClickHouseTables
from ocsf_pipeline.adapters.clickhouse_connection import TablesOptions
from ocsf_pipeline.tables.migrations import load_migrations

ORDERS = {
    "class, time": "(class_uid, time)",
    "time": "time",
    "class, user, time": "(class_uid, user_name, time)",
    "source, class, time": "(source, class_uid, time)",
}
HOURS = 8
_REPEATS = 5
_FIRST = "toDateTime('2026-03-01 00:00:00', 'UTC')"
# Users, hosts and addresses as they are met: few are busy, most are rare.
_FILL = f"""
INSERT INTO events (event_uid, time, observed_time, hour, source, host, class_uid, class_name,
    category_uid, activity_id, type_uid, confidence, status, template_id, user_name, src_ip, dst_ip,
    device_hostname, message, event, raw_data, object_key, position)
SELECT lower(hex(sipHash128(number))), at + rand(4) % 1000000 / 1000000, at, toStartOfHour(at),
    ['sshd', 'Okta', 'PAN-OS', 'Windows', 'CloudTrail', 'Zeek'][k + 1],
    concat('host', toString(floor(pow(rand(1) / 4294967295, 3) * 2000))),
    [3002, 3002, 4001, 1007, 6003, 4003][k + 1], 'class', 3, 1, 300201, 0.99, 'accepted',
    concat('t', toString(k), toString(rand(5) % 40)),
    concat('user', toString(floor(pow(rand(2) / 4294967295, 3) * 20000))),
    IPv4NumToString(toUInt32(167772160 + floor(pow(rand(3) / 4294967295, 3) * 200000))),
    IPv4NumToString(toUInt32(3221225984 + rand(6) % 5000)),
    concat('dev', toString(floor(pow(rand(7) / 4294967295, 6) * 60000))),
    'a message of some words about it',
    concat('{{"class_uid":3002,"actor":{{"session":{{"uid":"', hex(sipHash64(number)), '"}}}}}}'),
    concat('<38>Mar  1 something happened ', hex(sipHash128(number, 1))), 'logs/a.ndjson', number
FROM
(
    SELECT number, {_FIRST} + toUInt32(number * {HOURS * 3600} / {{rows:UInt64}}) AS at,
        rand(8) % 6 AS k
    FROM numbers({{rows:UInt64}})
)
"""  # noqa: S608
_ONE_HOUR = "time >= '2026-03-01 02:00:00' AND time < '2026-03-01 03:00:00'"
QUERIES = {
    "one class, one hour by time": f"class_uid = 3002 AND {_ONE_HOUR}",
    "one class, five minutes": "class_uid = 3002 AND time >= '2026-03-01 02:10:00' "
    "AND time < '2026-03-01 02:15:00'",
    "one class": "class_uid = 6003",
    "one hour by time": _ONE_HOUR,
    "one rare user": "user_name = 'user19990'",
    "one busy user": "user_name = 'user1'",
    "one rare user, one class": "user_name = 'user19990' AND class_uid = 3002",
    "one rare source address": "src_ip = '10.3.13.10'",
    "one rare host": "device_hostname = 'dev59990'",
    "one event": "event_uid = (SELECT lower(hex(sipHash128(toUInt64(4711)))))",
}


def measure_orders(
    rows: Annotated[int, typer.Option(min=10_000, help="Events in the table.")] = 1_000_000,
) -> None:
    """Compare orders of the table `events` on analysts' queries and print JSON."""
    figures: dict[str, Any] = {"rows": rows, "hours": HOURS, "orders": {}}
    with tempfile.TemporaryDirectory(prefix="ocsf-ordering-") as folder:
        for number, (name, order) in enumerate(ORDERS.items()):
            for has_indexes in (True, False):
                label = name if has_indexes else f"{name}; no skip indexes"
                database = f"order_{number}_{int(has_indexes)}"
                dsn = f"chdb://{folder}/tables"
                with ClickHouseTables(dsn, database, TablesOptions(query_timeout_s=600)) as tables:
                    figures["orders"][label] = _measure(tables, order, has_indexes, rows)
                sys.stderr.write(f"{label} done\n")
    typer.echo(json.dumps(figures, indent=1))


def reorder(statement: str, order: str, has_indexes: bool) -> str:
    """Return the DDL of `events` with another order, and without its skip indexes if wanted."""
    changed = statement.replace("ORDER BY (class_uid, time)", f"ORDER BY {order}")
    if has_indexes:
        return changed
    lines = [line for line in changed.splitlines() if not line.strip().startswith("INDEX ")]
    return "\n".join(lines).replace(",\n)", "\n)")


def _measure(
    tables: ClickHouseTables, order: str, has_indexes: bool, rows: int
) -> dict[str, object]:
    tables._create_database()
    statement = load_migrations()[0].statements[0]
    tables.execute(reorder(statement, order, has_indexes))
    started = time.perf_counter()
    tables.execute(_FILL, {"rows": rows})
    filled_s = time.perf_counter() - started
    tables.execute("OPTIMIZE TABLE events FINAL")
    size = tables.fetch_rows(
        "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND table = 'events' "
        "AND database = {database:String}",
        {"database": tables.database},
    )[0][0]
    return {
        "fill_seconds": round(filled_s, 2),
        "bytes_on_disk": int(size),
        "queries": {name: _ask(tables, condition) for name, condition in QUERIES.items()},
    }


def _ask(tables: ClickHouseTables, condition: str) -> dict[str, object]:
    estimate = tables.fetch_rows(f"EXPLAIN ESTIMATE SELECT raw_data FROM events WHERE {condition}")  # noqa: S608
    timings = []
    found = 0
    for _ in range(_REPEATS):
        started = time.perf_counter()
        found = tables.fetch_rows(
            f"SELECT count(), sum(length(raw_data)) FROM events WHERE {condition}"  # noqa: S608
        )[0][0]
        timings.append(time.perf_counter() - started)
    return {
        "rows_read": sum(int(row[3]) for row in estimate),
        "rows_found": int(found),
        "median_ms": round(statistics.median(timings) * 1000, 1),
    }


if __name__ == "__main__":
    typer.run(measure_orders)
