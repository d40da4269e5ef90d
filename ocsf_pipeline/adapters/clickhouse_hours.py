"""Replacing an hour: rows are staged in tables of their own, and swapped in as a partition.

Belongs here: staging tables, the swap, clearing up after dead runs, and the order of two runs of
one hour. Does not belong here: opening connections, queries, how rows travel (`clickhouse_blocks`).

Each table's swap is atomic; `batches` is swapped last. A kill between two of them leaves an hour
that the re-run repairs. Of two runs of one hour the one that was opened later wins: once it has
committed, the earlier one's commit is refused.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Self

import polars as pl

from ocsf_pipeline.adapters.clickhouse_blocks import (
    BlockSender,
    EncodedBlock,
    encode_block,
    split_block,
)
from ocsf_pipeline.adapters.clickhouse_errors import TABLE_EXISTS, UNKNOWN_TABLE, StatementError
from ocsf_pipeline.ports import PermanentPortError, PortError, TransientPortError
from ocsf_pipeline.tables.hours import (
    HOUR_TABLES,
    LOCK_PREFIX,
    STAGING_PREFIX,
    RowsError,
    check_rows,
    format_partition,
    name_staging,
    read_staging_token,
)

if TYPE_CHECKING:
    from ocsf_pipeline.adapters.clickhouse import ClickHouseTables

logger = logging.getLogger(__name__)

_LOCK_POLL_SECONDS = 0.05

_live_names: set[str] = set()
"""Of this process: tokens of open writers, and held locks as database.name. No leftovers."""
_lock_guard = threading.Lock()


class ClickHouseHourWriter:
    """Stages the rows of one hour; use it as a context manager."""

    def __init__(self, tables: ClickHouseTables, hour: datetime, run_id: str) -> None:
        self._tables = tables
        self._hour = hour
        self._run_id = run_id
        self._token = secrets.token_hex(8)
        self._buffers: dict[str, list[pl.DataFrame]] = {table: [] for table in HOUR_TABLES}
        self._counts: dict[str, int] = dict.fromkeys(HOUR_TABLES, 0)
        self._staged: set[str] = set()
        self._opened_at: datetime | None = None
        self._is_open = False
        self._sender = BlockSender(self._insert)

    def __enter__(self) -> Self:
        """Open the tables, clear up after dead runs, and register this one."""
        self._tables.lease()
        try:
            _live_names.add(self._token)
            drop_leftovers(self._tables)
            rows = self._tables.fetch_rows("SELECT now64(6, 'UTC')")
            self._opened_at = rows[0][0]
            self._refuse_expired()
            self._record("opened")
        except BaseException:
            _live_names.discard(self._token)
            self._tables.release()
            raise
        self._is_open = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Drop what is staged."""
        self._is_open = False
        self._sender.close()
        try:
            for table in sorted(self._staged):
                self._tables.execute(f"DROP TABLE IF EXISTS {name_staging(table, self._token)}")
        except Exception:
            if kind is None:
                raise
            logger.warning("staging of run %s is left to the next run", self._run_id, exc_info=True)
        finally:
            _live_names.discard(self._token)
            self._tables.release()

    def write_rows(self, table: str, rows: pl.DataFrame) -> None:
        """Stage rows of a table of HOUR_TABLES; raises PermanentPortError when they do not fit.

        Rows are sent while the caller goes on: what goes wrong is raised by a later call.
        """
        self._refuse_closed()
        try:
            checked = check_rows(table, rows, self._hour)
        except RowsError as error:
            raise PermanentPortError(str(error)) from error
        if checked.is_empty():
            return
        buffer = self._buffers[table]
        buffer.append(checked)
        options = self._tables.options
        if (
            sum(len(frame) for frame in buffer) >= options.block_rows
            or sum(frame.estimated_size() for frame in buffer) >= options.block_bytes
        ):
            self._flush(table)

    def commit(self) -> Mapping[str, int]:
        """Replace the hour in every table by what was staged; return row counts by table.

        Raises PermanentPortError when a run opened later has committed the hour already.
        """
        self._refuse_closed()
        for table in HOUR_TABLES:
            self._flush(table)
        self._sender.finish()
        for table in HOUR_TABLES:
            self._check_count(table)
        with hold_lock(self._tables, f"hour_{self._hour:%Y%m%d%H}"):
            self._refuse_outdated()
            for table in HOUR_TABLES:
                self._swap(table)
            self._record("committed")
        return dict(self._counts)

    def _flush(self, table: str) -> None:
        frames, self._buffers[table] = self._buffers[table], []
        if not frames:
            return
        block = pl.concat(frames) if len(frames) > 1 else frames[0]
        staging = name_staging(table, self._token)
        if table not in self._staged:
            # Merging parts that are swapped away in a moment would be work for nothing.
            self._tables.create_staging(
                table, staging, "max_bytes_to_merge_at_max_space_in_pool = 1"
            )
            self._staged.add(table)
        for piece in split_block(block, self._tables.options):
            self._sender.send(staging, encode_block(piece))
            self._counts[table] += len(piece)

    def _insert(self, staging: str, block: EncodedBlock) -> None:
        try:
            self._tables.insert_block(staging, block)
        except StatementError as error:
            raise self._explain_lost_staging(error) from error

    def _check_count(self, table: str) -> None:
        """Refuse to swap in less or more than what was handed over."""
        if table not in self._staged:
            return
        try:
            staging = name_staging(table, self._token)
            found = self._tables.fetch_rows(f"SELECT count() FROM {staging}")[0][0]  # noqa: S608
        except StatementError as error:
            raise self._explain_lost_staging(error) from error
        if found != self._counts[table]:
            raise TransientPortError(
                f"{table}: {self._counts[table]} rows were staged and {found} arrived; the hour "
                "is left as it was: run it again"
            )

    def _explain_lost_staging(self, error: StatementError) -> Exception:
        if error.code != UNKNOWN_TABLE:
            return error
        return TransientPortError(
            f"the staging tables of run {self._run_id} are gone: nothing was written to them for "
            "longer than the staging age, and another run cleared them; run the hour again"
        )

    def _swap(self, table: str) -> None:
        partition = format_partition(self._hour)
        if table in self._staged:
            staging = name_staging(table, self._token)
            self._tables.execute(
                f"ALTER TABLE {table} REPLACE PARTITION {{hour:String}} FROM {staging}",
                {"hour": partition},
            )
        else:
            self._tables.execute(
                f"ALTER TABLE {table} DROP PARTITION {{hour:String}}", {"hour": partition}
            )

    def _refuse_expired(self) -> None:
        """Refuse what the retention would take away at once, even from the staging tables."""
        days = self._tables.options.retention_days
        if days is None or self._opened_at is None:
            return
        if self._hour + timedelta(days=days) <= self._opened_at:
            raise PermanentPortError(
                f"hour {self._hour:%Y-%m-%d %H:00} is older than the retention of {days} days: "
                "ClickHouse would drop its rows at once. Raise OCSF_PIPELINE_TABLES_RETENTION_DAYS "
                "(0 keeps everything) to write it"
            )

    def _refuse_outdated(self) -> None:
        later = self._tables.fetch_rows(
            "SELECT run_id FROM hour_writes WHERE hour = {hour:String} AND action = 'committed' "
            "AND (opened_at, token) > ({opened_at:DateTime64(6, 'UTC')}, {token:String}) "
            "ORDER BY opened_at DESC LIMIT 1",
            {
                "hour": format_partition(self._hour),
                "opened_at": self._opened_at,
                "token": self._token,
            },
        )
        if later:
            raise PermanentPortError(
                f"hour {self._hour:%Y-%m-%d %H:00} was replaced by run {later[0][0]}, which began "
                f"later than run {self._run_id}; the later run's rows are kept, and this run's "
                "are dropped"
            )

    def _record(self, action: str) -> None:
        self._tables.execute(
            "INSERT INTO hour_writes "
            "(hour, token, run_id, opened_at, action, events, quarantine, batches) "
            "SELECT {hour:DateTime('UTC')}, {token:String}, {run_id:String}, "
            "{opened_at:DateTime64(6, 'UTC')}, {action:String}, "
            "{events:UInt64}, {quarantine:UInt64}, {batches:UInt64}",
            {
                "hour": self._hour,
                "token": self._token,
                "run_id": self._run_id,
                "opened_at": self._opened_at,
                "action": action,
                **self._counts,
            },
        )

    def _refuse_closed(self) -> None:
        if not self._is_open:
            raise PermanentPortError("open the hour first: with tables.replace_hour(...) as writer")


def drop_leftovers(tables: ClickHouseTables) -> list[str]:
    """Drop staging tables and locks of dead runs; return their names.

    Where one process at a time has the tables open, all but this process's own are dead. Else
    those that nobody has written to for `staging_max_age_s`.
    """
    names = [
        row[0]
        for row in tables.fetch_rows(
            "SELECT t.name FROM system.tables AS t LEFT ANY JOIN "
            "(SELECT table, max(modification_time) AS written_at FROM system.parts "
            " WHERE database = {database:String} GROUP BY table) AS p ON t.name = p.table "
            "WHERE t.database = {database:String} "
            "AND (startsWith(t.name, {staging:String}) OR startsWith(t.name, {lock:String})) "
            "AND greatest(t.metadata_modification_time, p.written_at) "
            "<= now() - toIntervalSecond({age:UInt32})",
            {
                "database": tables.database,
                "staging": STAGING_PREFIX,
                "lock": LOCK_PREFIX,
                "age": int(tables.options.staging_max_age_s)
                if tables.capabilities.several_processes
                else 0,
            },
        )
    ]
    dead = [
        name
        for name in names
        if f"{tables.database}.{name}" not in _live_names and not _is_live(read_staging_token(name))
    ]
    for name in dead:
        logger.info("dropping %s, left by a run that died", name)
        tables.execute(f"DROP TABLE IF EXISTS `{name}`")
    return dead


def _is_live(token: str | None) -> bool:
    return token is not None and token in _live_names


@contextmanager
def hold_lock(tables: ClickHouseTables, name: str) -> Iterator[None]:
    """Hold a lock that all processes see: a table, since making one is atomic.

    Raises TransientPortError when it is not free within `lock_timeout_s`; a lock older than that
    was left by a dead process, and is broken.
    """
    table = LOCK_PREFIX + name
    deadline = time.monotonic() + tables.options.lock_timeout_s
    while not _try_lock(tables, table):
        _break_old_lock(tables, table)
        if time.monotonic() > deadline:
            raise TransientPortError(
                f"another run holds {table} for over {tables.options.lock_timeout_s:g} s: try again"
            )
        time.sleep(_LOCK_POLL_SECONDS)
    try:
        yield
    finally:
        try:
            tables.execute(f"DROP TABLE IF EXISTS {table}")
        except PortError:
            # What was done under the lock is done; the lock itself ages.
            logger.warning("the lock %s could not be dropped", table, exc_info=True)
        _live_names.discard(f"{tables.database}.{table}")


def _try_lock(tables: ClickHouseTables, table: str) -> bool:
    key = f"{tables.database}.{table}"
    with _lock_guard:
        try:
            tables.execute(f"CREATE TABLE {table} (at DateTime) ENGINE = Memory", repeatable=False)
        except StatementError as error:
            if error.code != TABLE_EXISTS:
                raise
            if tables.capabilities.several_processes or key in _live_names:
                return False
            # Nobody else can have the tables open, so its maker is dead: the lock is taken over.
        _live_names.add(key)
        return True


def _break_old_lock(tables: ClickHouseTables, table: str) -> None:
    old = tables.fetch_rows(
        "SELECT 1 FROM system.tables WHERE database = {database:String} AND name = {name:String} "
        "AND metadata_modification_time < now() - toIntervalSecond({age:UInt32})",
        {
            "database": tables.database,
            "name": table,
            "age": int(tables.options.lock_timeout_s),
        },
    )
    if old and f"{tables.database}.{table}" not in _live_names:
        logger.warning("breaking the lock %s, left by a process that died", table)
        tables.execute(f"DROP TABLE IF EXISTS {table}")
