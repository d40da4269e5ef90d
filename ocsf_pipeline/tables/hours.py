"""The tables whose rows belong to an hour of arrival, and what a write to them must look like.

Belongs here: which tables are replaced by the hour, the shapes of their rows, the check that rows
fit, the names of staging tables. Does not belong here: SQL execution (`adapters`).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

import polars as pl

from ocsf_pipeline.events.rows import STORED_SCHEMA, store_events
from ocsf_pipeline.logs.records import BATCH_SCHEMA, QUARANTINE_SCHEMA

HOUR_TABLES: dict[str, pl.Schema] = {
    "events": STORED_SCHEMA,
    "quarantine": QUARANTINE_SCHEMA,
    "batches": BATCH_SCHEMA,
}
"""In the order in which an hour is swapped: `batches` last, since it says the hour is complete."""

STAGING_PREFIX = "_staging_"
LOCK_PREFIX = "_lock_"

_TOKEN = re.compile(r"[0-9a-f]{12,32}")


class RowsError(ValueError):
    """Rows that do not fit the table; the message names the column."""


def check_hour(hour: datetime) -> datetime:
    """Return `hour` in UTC; raises RowsError unless it has a zone and is on the hour."""
    if hour.tzinfo is None:
        raise RowsError(f"hour {hour.isoformat()} has no time zone: give it in UTC")
    utc = hour.astimezone(UTC)
    if utc != utc.replace(minute=0, second=0, microsecond=0):
        raise RowsError(f"hour {utc.isoformat()} is not on the hour")
    return utc


def check_rows(table: str, rows: pl.DataFrame, hour: datetime) -> pl.DataFrame:
    """Return `rows` with the columns of `table` in order.

    Events may be given as they are read, with the whole `event` in place of its two parts. Raises
    RowsError for an unknown table, a missing, surplus or wrongly typed column, or a row of another
    hour.
    """
    schema = HOUR_TABLES.get(table)
    if schema is None:
        raise RowsError(f"no table {table!r} is written by the hour: use {sorted(HOUR_TABLES)}")
    if table == "events" and "event" in rows.columns:
        rows = store_events(rows)
    ordered = check_columns(table, rows, schema)
    if not ordered.is_empty() and not (ordered["hour"] == hour).all(ignore_nulls=False):
        raise RowsError(f"{table}: some rows are not of the hour {hour.isoformat()}")
    return ordered


def check_columns(table: str, rows: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """Return `rows` with exactly the columns of `schema`; raises RowsError naming what differs."""
    missing = [name for name in schema if name not in rows.columns]
    surplus = [name for name in rows.columns if name not in schema]
    if missing or surplus:
        raise RowsError(f"{table}: columns missing: {missing}; unknown: {surplus}")
    for name, expected in schema.items():
        actual = rows.schema[name]
        if actual != expected and actual != pl.Null:
            raise RowsError(f"{table}.{name} must be {expected}, and is {actual}")
    return rows.select(schema.names())


def name_staging(table: str, token: str) -> str:
    """Return the name of the staging table of one writer; `token` is lower-case hex."""
    if table not in HOUR_TABLES or not _TOKEN.fullmatch(token):
        raise RowsError(f"cannot name a staging table for {table!r} and token {token!r}")
    return f"{STAGING_PREFIX}{table}_{token}"


def read_staging_token(name: str) -> str | None:
    """Return the token of a staging table's name, or None when it is not one."""
    if not name.startswith(STAGING_PREFIX):
        return None
    token = name.rpartition("_")[2]
    return token if _TOKEN.fullmatch(token) else None


def format_partition(hour: datetime) -> str:
    """Return the partition of an hour as ClickHouse's partition expression takes it."""
    return check_hour(hour).strftime("%Y-%m-%d %H:%M:%S")
