"""EventTables over ClickHouse: a server over HTTP, or chDB embedded in this process.

Belongs here: the port's methods. Does not belong here: how connections are opened and shared
(`clickhouse_connection`), how an hour is replaced (`clickhouse_hours`), what the tables and views
look like (`ocsf_pipeline.tables`).

An embedded folder can be open in one process at a time. So each method opens the tables, and
closes them when it is done; `with tables:` keeps them open for as long as the block runs, which is
what several calls in a row want.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar

import polars as pl

from ocsf_pipeline.adapters.clickhouse_blocks import EncodedBlock, encode_block
from ocsf_pipeline.adapters.clickhouse_connection import (
    DATABASE_NAME,
    Capabilities,
    EngineLease,
    TablesAddress,
    TablesOptions,
    open_client,
    parse_dsn,
)
from ocsf_pipeline.adapters.clickhouse_errors import port_errors
from ocsf_pipeline.adapters.clickhouse_hours import (
    ClickHouseHourWriter,
    drop_leftovers,
    hold_lock,
)
from ocsf_pipeline.adapters.clickhouse_retry import repeat_transient
from ocsf_pipeline.adapters.clickhouse_storage import settle_tables
from ocsf_pipeline.ports import PermanentPortError
from ocsf_pipeline.tables.cluster import (
    ClusterError,
    build_staging,
    check_cluster,
    spread_ddl,
    spread_view,
)
from ocsf_pipeline.tables.hours import RowsError, check_columns, check_hour
from ocsf_pipeline.tables.migrations import (
    Migration,
    MigrationError,
    load_migrations,
    plan_migrations,
)
from ocsf_pipeline.tables.overrides import OVERRIDE_SCHEMA
from ocsf_pipeline.tables.queries import QueryError, check_query
from ocsf_pipeline.tables.templates import TEMPLATE_ROWS

Result = TypeVar("Result")

_MIGRATIONS_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations
(
    name String,
    sha256 String,
    applied_at DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = MergeTree
ORDER BY name
"""


class ClickHouseTables:
    """The tables of one database, in chDB or on a ClickHouse server."""

    def __init__(
        self, dsn: str, database: str = "ocsf", options: TablesOptions | None = None
    ) -> None:
        """`dsn` is described at `parse_dsn`; a database that it names wins over `database`.

        Nothing is opened yet. Raises PermanentPortError for a DSN or a name that cannot be used.
        """
        self._address, named = parse_dsn(dsn)
        self.database = named or database
        if not DATABASE_NAME.fullmatch(self.database):
            raise PermanentPortError(
                f"database {self.database!r}: use letters, digits and underscores"
            )
        self.options = options or TablesOptions()
        self.migrations = load_migrations()
        self.capabilities = _choose_capabilities(self._address, self.options)
        self._guard = threading.Lock()
        self._users = 0
        self._client: Any = None
        self._reader: Any = None

    def __enter__(self) -> Self:
        """Keep the tables open until the block ends."""
        self.lease()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the tables, unless somebody else in this process uses them."""
        self.release()

    def lease(self) -> None:
        """Count one more user, and open the tables for the first; see `__enter__`."""
        with self._guard:
            if not self._users:
                self._open()
            self._users += 1

    def release(self) -> None:
        """Count one user less, and close the tables after the last."""
        with self._guard:
            self._users -= 1
            if not self._users:
                self._close()

    def migrate_tables(self) -> list[str]:
        """Apply the DDL files not yet applied, in order; return their names. Safe to repeat.

        Several processes may call it at once: one applies, the others wait and find it done.
        Raises PermanentPortError when an applied file has changed since.
        """
        with self, port_errors("migrating the tables"):
            self._create_database()
            self._execute_ddl(_MIGRATIONS_TABLE)
            pending = self._plan()
            if pending:
                with hold_lock(self, "migrations"):
                    pending = self._plan()
                    for migration in pending:
                        self._apply(migration)
            settle_tables(self)
            return [migration.name for migration in pending]

    def create_views(self, statements: Sequence[str]) -> None:
        """Create or replace the views; `statements` are those of `tables.views`."""
        cluster = self.capabilities.cluster
        with self, hold_lock(self, "views"):
            for statement in statements:
                self.execute(spread_view(statement, cluster) if cluster else statement)

    def replace_hour(self, hour: datetime, run_id: str) -> ClickHouseHourWriter:
        """Return a writer, to be used as a context manager, that replaces the hour as a whole.

        Raises PermanentPortError unless `hour` has a time zone and is on the hour.
        """
        try:
            return ClickHouseHourWriter(self, check_hour(hour), run_id)
        except RowsError as error:
            raise PermanentPortError(str(error)) from error

    def upsert_templates(self, rows: pl.DataFrame) -> None:
        """Insert or replace rows of `templates` by template_id, shaped as TEMPLATE_ROWS."""
        self._append("templates", rows, TEMPLATE_ROWS)

    def append_overrides(self, rows: pl.DataFrame) -> None:
        """Append analysts' overrides, shaped as OVERRIDE_SCHEMA; none is ever changed."""
        self._append("overrides", rows, OVERRIDE_SCHEMA)

    def drop_leftovers(self) -> list[str]:
        """Drop what dead runs left; return the names. Opening an hour does it too."""
        with self:
            return drop_leftovers(self)

    def run_query(self, sql: str, parameters: Mapping[str, object] | None = None) -> pl.DataFrame:
        """Run one reading statement; parameters are bound on the server as `{name:Type}`.

        Times come in UTC. Text that an event lacks is '', a number that it lacks is null. Raises
        PermanentPortError for a statement that is refused or wrong or returns more than
        `max_result_rows` rows, TransientPortError when it takes over `query_timeout_s`.
        """
        try:
            text = check_query(sql)
        except QueryError as error:
            raise PermanentPortError(f"query refused: {error}") from error

        def ask() -> bytes:
            with port_errors("query"):
                client, settings = self._open_reader()
                return bytes(
                    client.raw_query(
                        text, parameters=dict(parameters or {}), settings=settings, fmt="Parquet"
                    )
                )

        with self:
            body = self._repeat(ask)
        return pl.read_parquet(io.BytesIO(body)) if body else pl.DataFrame()

    # What the parts of this adapter share ---------------------------------------------------

    def execute(
        self, sql: str, parameters: Mapping[str, object] | None = None, *, repeatable: bool = True
    ) -> None:
        """Run a statement without a result; the tables must be open.

        `repeatable` statements do no harm when a lost answer makes them run twice.
        """

        def send() -> None:
            with port_errors(f"ClickHouse, {' '.join(sql.split()[:3])}"):
                self._client.command(sql, parameters=dict(parameters or {}))

        if repeatable:
            self._repeat(send)
        else:
            send()

    def fetch_rows(
        self, sql: str, parameters: Mapping[str, object] | None = None
    ) -> Sequence[Sequence[Any]]:
        """Run a small SELECT of the adapter's own; the tables must be open."""

        def ask() -> Sequence[Sequence[Any]]:
            with port_errors("ClickHouse, reading its state"):
                result = self._client.query(
                    sql, parameters=dict(parameters or {}), tz_mode="aware"
                ).result_rows
            return list(result)

        return self._repeat(ask)

    def create_staging(self, table: str, staging: str, settings: str) -> None:
        """Make an empty table like `table`, whose partitions can be swapped in, on this server."""
        if not self.capabilities.cluster:
            self.execute(f"CREATE TABLE IF NOT EXISTS {staging} AS {table} SETTINGS {settings}")
            return
        keys = self.fetch_rows(
            "SELECT partition_key, sorting_key FROM system.tables "
            "WHERE database = {database:String} AND name = {name:String}",
            {"database": self.database, "name": table},
        )
        self.execute(f"{build_staging(table, staging, *keys[0])} SETTINGS {settings}")

    def insert_block(self, table: str, block: EncodedBlock) -> None:
        """Append rows to a table; null text becomes ''. The tables must be open."""
        with port_errors(f"writing {block.row_count} rows to {table}"):
            self._client.raw_insert(
                table, column_names=block.columns, insert_block=block.body, fmt="Parquet"
            )

    # ----------------------------------------------------------------------------------------

    def _repeat(self, action: Callable[[], Result]) -> Result:
        """Do what may be done twice; again where the way to the server may have failed."""
        if not self.capabilities.over_network:
            return action()
        return repeat_transient(action, self.options.retry_count, self.options.retry_wait_s)

    def _open(self) -> None:
        folder = self._address.folder
        if folder is not None:
            EngineLease.take(folder, self.options.open_timeout_s)
        try:
            self._client = open_client(self._address, self.options)
            # Named only now, so that opening works before the database exists.
            self._client.database = self.database
        except BaseException:
            if folder is not None:
                EngineLease.give_back()
            raise

    def _close(self) -> None:
        clients, self._client, self._reader = (self._reader, self._client), None, None
        try:
            for client in clients:
                if client is not None:
                    client.close()
        finally:
            if self._address.folder is not None:
                EngineLease.give_back()

    def _open_reader(self) -> tuple[Any, dict[str, Any]]:
        """Return a client that can only read, and the settings to send with each request."""
        limits = {
            "max_execution_time": max(1, round(self.options.query_timeout_s)),
            "max_result_rows": self.options.max_result_rows,
            "result_overflow_mode": "throw",
        }
        if not self.capabilities.keeps_session_settings:
            return self._client, {**limits, "readonly": 1}
        with self._guard:
            if self._reader is None:
                reader = open_client(self._address, self.options)
                reader.database = self.database
                for name, value in limits.items():
                    reader.command(f"SET {name} = '{value}'")
                # Last, and for good: in this mode nothing can be set any more.
                reader.command("SET readonly = 1")
                self._reader = reader
        return self._reader, {}

    @contextmanager
    def _without_database(self) -> Iterator[None]:
        self._client.database = None
        try:
            yield
        finally:
            self._client.database = self.database

    def _create_database(self) -> None:
        with self._without_database():
            everywhere = self.capabilities.everywhere
            self.execute(f"CREATE DATABASE IF NOT EXISTS `{self.database}`{everywhere}")

    def _plan(self) -> tuple[Migration, ...]:
        rows = self.fetch_rows("SELECT name, sha256 FROM schema_migrations ORDER BY applied_at")
        try:
            return plan_migrations(
                self.migrations, {str(name): str(digest) for name, digest in rows}
            )
        except MigrationError as error:
            raise PermanentPortError(str(error)) from error

    def _apply(self, migration: Migration) -> None:
        for statement in migration.statements:
            self._execute_ddl(statement)
        self.execute(
            "INSERT INTO schema_migrations (name, sha256) SELECT {name:String}, {sha256:String}",
            {"name": migration.name, "sha256": migration.sha256},
        )

    def _execute_ddl(self, statement: str) -> None:
        cluster = self.capabilities.cluster
        for item in spread_ddl(statement.strip(), cluster) if cluster else [statement]:
            self.execute(item)

    def _append(self, table: str, rows: pl.DataFrame, schema: pl.Schema) -> None:
        try:
            checked = check_columns(table, rows, schema)
        except RowsError as error:
            raise PermanentPortError(str(error)) from error
        if checked.is_empty():
            return
        with self:
            self.insert_block(table, encode_block(checked))


def _choose_capabilities(address: TablesAddress, options: TablesOptions) -> Capabilities:
    if not options.cluster:
        return address.capabilities
    if address.folder is not None:
        raise PermanentPortError("embedded tables are on no cluster: name a server in the DSN")
    try:
        return replace(address.capabilities, cluster=check_cluster(options.cluster))
    except ClusterError as error:
        raise PermanentPortError(str(error)) from error
