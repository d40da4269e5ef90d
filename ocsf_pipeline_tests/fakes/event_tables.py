"""Event tables in memory that honour `ports.EventTables` and can be told to fail.

Belongs here: the fake alone. SQL is what Polars speaks of it, which is enough for plain SELECTs;
views are remembered, not run. Text that is null reads back as '', as from ClickHouse.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Self

import polars as pl

from ocsf_pipeline.events.rows import EVENT_SCHEMA, STORED_SCHEMA
from ocsf_pipeline.events.run import join_events
from ocsf_pipeline.ports import PermanentPortError
from ocsf_pipeline.tables.hours import HOUR_TABLES, RowsError, check_columns, check_hour, check_rows
from ocsf_pipeline.tables.migrations import load_migrations
from ocsf_pipeline.tables.overrides import OVERRIDE_SCHEMA
from ocsf_pipeline.tables.queries import QueryError, check_query
from ocsf_pipeline.tables.templates import TEMPLATE_ROWS

_PARAMETER = re.compile(r"\{(\w+):[^}]+\}")


class FakeEventTables:
    """Frames by table. Set `fail_commit` to an exception to lose the next commit."""

    def __init__(self, fail_commit: Exception | None = None) -> None:
        self.frames: dict[str, pl.DataFrame] = {
            **{
                table: _store(pl.DataFrame(schema=schema), schema)
                for table, schema in HOUR_TABLES.items()
            },
            "templates": pl.DataFrame(schema=TEMPLATE_ROWS),
            "overrides": pl.DataFrame(schema=OVERRIDE_SCHEMA),
        }
        self.fail_commit = fail_commit
        self.applied: list[str] = []
        self.views: list[str] = []
        self.commits: list[tuple[datetime, str]] = []
        self.opened = 0
        self.winners: dict[datetime, tuple[int, str]] = {}

    def __enter__(self) -> Self:
        self.opened += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.opened -= 1

    def migrate_tables(self) -> list[str]:
        names = [item.name for item in load_migrations() if item.name not in self.applied]
        self.applied += names
        return names

    def create_views(self, statements: Sequence[str]) -> None:
        self.views = list(statements)

    def replace_hour(self, hour: datetime, run_id: str) -> FakeHourWriter:
        try:
            return FakeHourWriter(self, check_hour(hour), run_id)
        except RowsError as error:
            raise PermanentPortError(str(error)) from error

    def upsert_templates(self, rows: pl.DataFrame) -> None:
        self._append("templates", rows, TEMPLATE_ROWS)
        self.frames["templates"] = self.frames["templates"].unique("template_id", keep="last")

    def append_overrides(self, rows: pl.DataFrame) -> None:
        self._append("overrides", rows, OVERRIDE_SCHEMA)

    def run_query(self, sql: str, parameters: Mapping[str, object] | None = None) -> pl.DataFrame:
        try:
            text = check_query(sql)
        except QueryError as error:
            raise PermanentPortError(f"query refused: {error}") from error
        values = parameters or {}
        bound = _PARAMETER.sub(lambda match: _as_literal(values[match[1]]), text)
        try:
            return pl.SQLContext(self.frames).execute(bound, eager=True)
        except pl.exceptions.PolarsError as error:
            raise PermanentPortError(f"query: {error}") from error

    def _append(self, table: str, rows: pl.DataFrame, schema: pl.Schema) -> None:
        try:
            checked = check_columns(table, rows, schema)
        except RowsError as error:
            raise PermanentPortError(str(error)) from error
        self.frames[table] = pl.concat([self.frames[table], _store(checked, schema)])


class FakeHourWriter:
    """Keeps the rows of one hour until `commit`."""

    def __init__(self, tables: FakeEventTables, hour: datetime, run_id: str) -> None:
        self._tables = tables
        self._hour = hour
        self._run_id = run_id
        self._order = 0
        self._staged: dict[str, list[pl.DataFrame]] = {table: [] for table in HOUR_TABLES}

    def __enter__(self) -> Self:
        self._tables.opened += 1
        self._order = self._tables.opened
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._order = 0

    def write_rows(self, table: str, rows: pl.DataFrame) -> None:
        self._refuse_closed()
        try:
            self._staged[table].append(check_rows(table, rows, self._hour))
        except (RowsError, KeyError) as error:
            raise PermanentPortError(str(error)) from error

    def commit(self) -> Mapping[str, int]:
        self._refuse_closed()
        failure, self._tables.fail_commit = self._tables.fail_commit, None
        if failure is not None:
            raise failure
        later, winner = self._tables.winners.get(self._hour, (0, ""))
        if later > self._order:
            raise PermanentPortError(f"the hour was replaced by run {winner}, which began later")
        counts = {}
        for table, frames in self._staged.items():
            kept = self._tables.frames[table].filter(pl.col("hour") != self._hour)
            schema = HOUR_TABLES[table]
            new = pl.concat([kept.clear(), *(_store(frame, schema) for frame in frames)])
            counts[table] = len(new)
            self._tables.frames[table] = pl.concat([kept, new])
        self._tables.winners[self._hour] = (self._order, self._run_id)
        self._tables.commits.append((self._hour, self._run_id))
        return counts

    def _refuse_closed(self) -> None:
        if not self._order:
            raise PermanentPortError("open the hour first: with tables.replace_hour(...) as writer")


def _store(rows: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    if schema == STORED_SCHEMA:
        rows, schema = join_events(rows.cast(dict(schema))), EVENT_SCHEMA
    return rows.cast(dict(schema)).with_columns(pl.col(pl.String).fill_null(""))


def _as_literal(value: object) -> str:
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, bool | int | float):
        return str(value)
    raise TypeError(f"the fake binds text and numbers, not {type(value).__name__}")
