"""Blocks of rows on their way into ClickHouse: cut, encoded as Parquet, and sent.

Belongs here: sizes and encoding of blocks, and the thread that sends one while the next is encoded.
Does not belong here: which rows go to which table (`clickhouse_hours`), clients (`clickhouse`).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import polars as pl

if TYPE_CHECKING:
    from ocsf_pipeline.adapters.clickhouse_connection import TablesOptions

# Small enough for two threads to read a block side by side.
_ROW_GROUP_ROWS = 12_500


@dataclass(frozen=True)
class EncodedBlock:
    """Rows as Parquet, ready to be sent."""

    columns: list[str]
    row_count: int
    body: BinaryIO
    """Read once: a client sends it as it reads."""


def split_block(rows: pl.DataFrame, options: TablesOptions) -> Iterator[pl.DataFrame]:
    """Yield `rows` in even pieces of about a block, so that memory stays bounded."""
    size = max(int(rows.estimated_size()), 1)
    count = max(round(len(rows) / options.block_rows), -(-size // options.block_bytes), 1)
    yield from rows.iter_slices(max(-(-len(rows) // count), 1))


def encode_block(rows: pl.DataFrame) -> EncodedBlock:
    """Encode rows; columns that hold nothing are left to ClickHouse's defaults.

    An event fills few of its hot attributes, and sending empty columns costs a twelfth of the time.
    """
    filled = [name for name in rows.columns if rows[name].null_count() < len(rows)]
    body = io.BytesIO()
    rows.select(filled).write_parquet(
        body, compression="lz4", statistics=False, row_group_size=_ROW_GROUP_ROWS
    )
    body.seek(0)
    return EncodedBlock(filled, len(rows), body)


class BlockSender:
    """Sends blocks in order, one at a time, in a thread; close it when done.

    While one block is on its way the caller makes the next, which then waits: two are held at most.
    What went wrong with a block is raised by the next call of `send` or `finish`.
    """

    def __init__(self, insert: Callable[[str, EncodedBlock], None]) -> None:
        self._insert = insert
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="ocsf-send")
        self._under_way: Future[None] | None = None

    def send(self, table: str, block: EncodedBlock) -> None:
        """Hand over a block once the one before has arrived; raises what befell that one."""
        self.finish()
        self._under_way = self._pool.submit(self._insert, table, block)

    def finish(self) -> None:
        """Wait until all has arrived; raises what went wrong on the way."""
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            under_way.result()

    def close(self) -> None:
        """Wait for what is under way, whatever becomes of it, and end the thread."""
        self._pool.shutdown(wait=True, cancel_futures=True)
