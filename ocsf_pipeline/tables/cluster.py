"""The same tables on a cluster: replicated on every server of a shard, read over all shards.

Belongs here: turning the statements of one server into those of a cluster. Does not belong here:
running them (`adapters.clickhouse`), which cluster it is (a setting).

A pipeline writes through one server, so its hours lie on that server's shard, whole, and are
replaced there as atomically as on a single server; replication carries them to the shard's other
servers. Several pipelines (regions, tenants) fill several shards. So:

- `events`, `quarantine`, `batches`, `hour_writes` are ReplicatedMergeTree within a shard;
  `events_all` and so on are Distributed tables over the shards, and what views read;
- the small tables (templates, overrides, applied DDL) are the same on all servers.
"""

from __future__ import annotations

import re

from ocsf_pipeline.tables.hours import HOUR_TABLES

ALL_SUFFIX = "_all"
SHARDED = (*HOUR_TABLES, "hour_writes")
"""Tables whose rows belong to the pipeline that writes through a shard; the others are shared."""

_CREATE = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+)\b")
_ALTER = re.compile(r"ALTER TABLE (\w+)\b")
_VIEW = re.compile(r"(CREATE OR REPLACE VIEW `\w+`)")
_ENGINE = re.compile(r"ENGINE = (\w*MergeTree)(?:\(([^()]*)\))?")
_READS = re.compile(rf"\b(FROM|JOIN) ({'|'.join(SHARDED)})\b")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


class ClusterError(ValueError):
    """A statement, or a name, that cannot be used on a cluster."""


def check_cluster(name: str) -> str:
    """Return the name of a cluster. Raises ClusterError for one that could be read as SQL."""
    if not _NAME.fullmatch(name):
        raise ClusterError(f"cluster {name!r}: use letters, digits, underscores and dashes")
    return name


def spread_ddl(statement: str, cluster: str) -> list[str]:
    """Return the statements for a cluster that a statement of a DDL file stands for, in order.

    `{shard}`, `{replica}` and `{database}` are macros that each server fills in. Raises
    ClusterError for a statement of another kind than DDL files have.
    """
    if match := _CREATE.match(statement):
        return _spread_table(match, cluster)
    if match := _ALTER.match(statement):
        name = match[1]
        if name in SHARDED and " RENAME COLUMN " in statement:
            # What reads over the shards has no rows of its own, and cannot always be renamed in.
            alter = f"ALTER TABLE {name} ON CLUSTER '{cluster}'{statement[match.end() :]}"
            drop = f"DROP TABLE IF EXISTS {name}{ALL_SUFFIX} ON CLUSTER '{cluster}' SYNC"
            return [alter, drop, _read_all(name, cluster)]
        names = [name, name + ALL_SUFFIX] if name in SHARDED else [name]
        rest = statement[match.end() :]
        return [f"ALTER TABLE {item} ON CLUSTER '{cluster}'{rest}" for item in names]
    raise ClusterError(f"no way is known to run this on a cluster: {statement[:60]}")


def spread_view(statement: str, cluster: str) -> str:
    """Return the statement that makes a view on every server, over the rows of all shards."""
    everywhere = _VIEW.sub(rf"\1 ON CLUSTER '{cluster}'", statement, count=1)
    return _READS.sub(rf"\1 \2{ALL_SUFFIX}", everywhere)


def build_staging(table: str, staging: str, partition_key: str, sorting_key: str) -> str:
    """Return the statement that makes a staging table, on the server that is written through.

    It is not replicated: what is swapped in from it is.
    """
    return (
        f"CREATE TABLE IF NOT EXISTS {staging} AS {table} ENGINE = MergeTree "
        f"PARTITION BY {partition_key} ORDER BY ({sorting_key})"
    )


def _spread_table(created: re.Match[str], cluster: str) -> list[str]:
    statement, name = created.string, created[1]
    is_sharded = name in SHARDED
    place = "{shard}" if is_sharded else "all"
    replica = "{replica}" if is_sharded else "{shard}-{replica}"
    found = _ENGINE.search(statement)
    if found is None or found[1].startswith("Replicated"):
        raise ClusterError(f"{name} has no engine that can be replicated")
    arguments = [f"'/clickhouse/tables/{place}/{{database}}/{name}'", f"'{replica}'"]
    arguments += [found[2]] if found[2] else []
    engine = f"ENGINE = Replicated{found[1]}({', '.join(arguments)})"
    local = (
        f"CREATE TABLE IF NOT EXISTS {name} ON CLUSTER '{cluster}'"
        + statement[created.end() : found.start()]
        + engine
        + statement[found.end() :]
    )
    if not is_sharded:
        return [local]
    return [local, _read_all(name, cluster)]


def _read_all(name: str, cluster: str) -> str:
    return (
        f"CREATE TABLE IF NOT EXISTS {name}{ALL_SUFFIX} ON CLUSTER '{cluster}' AS {name} "
        f"ENGINE = Distributed('{cluster}', currentDatabase(), '{name}')"
    )
