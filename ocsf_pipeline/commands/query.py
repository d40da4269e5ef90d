"""`ocsf-pipeline query`: one reading statement against the tables, shown as asked.

Belongs here: parameters and output formats. Does not belong here: running and refusing statements
(the EventTables port).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ocsf_pipeline.commands.common import CommandError
from ocsf_pipeline.opening import open_tables
from ocsf_pipeline.ports import PermanentPortError
from ocsf_pipeline.settings import Settings


def run_query(settings: Settings, sql: str, parameters: Mapping[str, str]) -> pl.DataFrame:
    """Run `sql` with parameters bound as `{name:Type}`; binary columns become text.

    Raises CommandError when there are no tables yet or the statement is refused.
    """
    require_tables(settings)
    try:
        frame = open_tables(settings).run_query(sql, parameters)
    except PermanentPortError as error:
        raise CommandError(str(error)) from error
    binary = [name for name, dtype in frame.schema.items() if dtype == pl.Binary]
    return frame.with_columns(
        pl.col(name).map_elements(
            lambda value: value.decode("utf-8", "backslashreplace"), return_dtype=pl.String
        )
        for name in binary
    )


def require_tables(settings: Settings) -> None:
    """Refuse an embedded database that does not exist yet, in place of making an empty one."""
    if not has_tables(settings):
        folder = settings.resolved_tables_dsn.removeprefix("chdb://")
        raise CommandError(
            f"there are no tables in {folder} yet: run `ocsf-pipeline demo`, or materialise an "
            "hour in `make dev`; --data-dir names another folder"
        )


def has_tables(settings: Settings) -> bool:
    """Whether there may be tables: an embedded folder exists, a server is taken to have them."""
    dsn = settings.resolved_tables_dsn
    return not dsn.startswith("chdb://") or Path(dsn.removeprefix("chdb://")).exists()


def parse_parameters(pairs: Sequence[str]) -> dict[str, str]:
    """Read `name=value` texts. Raises CommandError for any other."""
    parsed = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.isidentifier():
            raise CommandError(f"--param {pair}: write name=value, and {{name:String}} in SQL", 2)
        parsed[name] = value
    return parsed


def format_csv(frame: pl.DataFrame) -> str:
    """Return CSV with a header; nested values become JSON text."""
    nested = [name for name, dtype in frame.schema.items() if dtype.is_nested()]
    flat = frame.with_columns(
        pl.Series(name, [_dump(value) for value in frame[name].to_list()], dtype=pl.String)
        for name in nested
    )
    return flat.write_csv(datetime_format="%Y-%m-%dT%H:%M:%S%.6fZ").rstrip("\n")


def format_json(frame: pl.DataFrame) -> str:
    """Return a JSON array of one object per row, a row per line; times are ISO 8601."""
    rows = ",\n ".join(_dump(row) for row in frame.iter_rows(named=True))
    return f"[{rows}]"


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=_dump_other)


def _dump_other(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def show_table(frame: pl.DataFrame, console: Console) -> None:
    """Print a table for people."""
    table = Table(*(escape(name) for name in frame.columns))
    for row in frame.iter_rows():
        table.add_row(*("" if value is None else escape(_cell(value)) for value in row))
    console.print(table)
    console.print(f"{len(frame):,} rows", style="dim")


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1 else f"{value:,.2f}"
    return value if isinstance(value, str) else _dump(value)
