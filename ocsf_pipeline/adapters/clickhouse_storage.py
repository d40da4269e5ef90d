"""What is set on tables that exist: how long rows stay, when parts are merged and cleared.

Belongs here: settings that follow from options and from the engine, not from the DDL. Does not
belong here: the DDL (`ocsf_pipeline.tables`), replacing hours (`clickhouse_hours`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ocsf_pipeline.tables.hours import HOUR_TABLES, STAGING_PREFIX

if TYPE_CHECKING:
    from ocsf_pipeline.adapters.clickhouse import ClickHouseTables

_EMBEDDED = (
    # A part is few files, not two per column: making, linking and deleting files is what a block
    # costs on a disk, and each column's buffers are what it costs in memory.
    "min_bytes_for_wide_part = 1073741824",
    # Small parts are merged; two full blocks together are larger, and are left as they are.
    "max_bytes_to_merge_at_max_space_in_pool = 4194304",
    # In seconds; by default nothing is cleared in the first half minute of a process.
    "cleanup_delay_period = 1",
    "cleanup_delay_period_random_add = 0",
    "max_cleanup_delay_period = 5",
)


def settle_tables(tables: ClickHouseTables) -> None:
    """Set on the tables what the options and the engine ask for, where it is not set yet."""
    engines = _describe_engines(tables)
    _set_retention(tables, engines)
    if not tables.capabilities.several_processes:
        _settle_embedded(tables, engines)


def _set_retention(tables: ClickHouseTables, engines: Mapping[str, str]) -> None:
    """Make the TTL of hours what the options say."""
    days = tables.options.retention_days
    everywhere = tables.capabilities.everywhere
    wanted = "" if days is None else f"TTL hour + toIntervalDay({int(days)})"
    for table in HOUR_TABLES:
        if wanted and wanted not in engines[table]:
            tables.execute(f"ALTER TABLE {table}{everywhere} MODIFY {wanted}")
        elif not wanted and " TTL " in engines[table]:
            tables.execute(f"ALTER TABLE {table}{everywhere} REMOVE TTL")


def _settle_embedded(tables: ClickHouseTables, engines: Mapping[str, str]) -> None:
    """Set how an embedded engine merges and clears parts.

    A server does both in its own time. An embedded engine lives as long as a run: what it merges is
    taken from the run, and lost at its end; and what was replaced would stay on the disk for ever,
    since no run waits until it would be cleared.
    """
    for table, engine in engines.items():
        missing = [setting for setting in _EMBEDDED if setting not in engine]
        if missing:
            tables.execute(f"ALTER TABLE {table} MODIFY SETTING {', '.join(missing)}")


def _describe_engines(tables: ClickHouseTables) -> dict[str, str]:
    """Return the engine of each table with its keys, its TTL and its settings; no staging."""
    rows = tables.fetch_rows(
        "SELECT name, engine_full FROM system.tables WHERE database = {database:String} "
        "AND engine LIKE '%MergeTree' AND NOT startsWith(name, {staging:String}) ORDER BY name",
        {"database": tables.database, "staging": STAGING_PREFIX},
    )
    return {str(name): str(engine) for name, engine in rows}
