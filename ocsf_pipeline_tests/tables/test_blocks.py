"""Blocks: how rows are cut, and that one is sent while the next is made."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import polars as pl
import pytest

from ocsf_pipeline.adapters.clickhouse_blocks import (
    BlockSender,
    EncodedBlock,
    encode_block,
    split_block,
)
from ocsf_pipeline.adapters.clickhouse_connection import TablesOptions
from ocsf_pipeline_tests.fakes.event_rows import make_events


class Receiver:
    """Takes blocks when it may, and fails at those of a table named `broken`."""

    def __init__(self) -> None:
        self.arrived: list[tuple[str, int]] = []
        self.may_take = threading.Event()
        self.may_take.set()

    def insert(self, table: str, block: EncodedBlock) -> None:
        assert self.may_take.wait(10)
        if table == "broken":
            raise ValueError("no place left")
        self.arrived.append((table, block.row_count))


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def sender(receiver: Receiver) -> Iterator[BlockSender]:
    sender = BlockSender(receiver.insert)
    yield sender
    receiver.may_take.set()
    sender.close()


def make_block(rows: int) -> EncodedBlock:
    return encode_block(make_events(rows))


def test_a_block_is_cut_evenly_and_only_where_it_must_be() -> None:
    options = TablesOptions(block_rows=100, block_bytes=1 << 30)
    for height, heights in ((149, [149]), (230, [115, 115]), (305, [102, 102, 101])):
        rows = make_events(height)
        assert [piece.height for piece in split_block(rows, options)] == heights
    one_each = replace(options, block_bytes=1)
    assert [piece.height for piece in split_block(make_events(3), one_each)] == [1, 1, 1]
    assert list(split_block(make_events(0), options)) == []


def test_columns_without_a_value_are_not_sent() -> None:
    rows = pl.DataFrame({"user": ["ann", None], "host": [None, None]})
    block = encode_block(rows)
    assert block.columns == ["user"]
    assert block.row_count == 2
    assert pl.read_parquet(block.body).equals(rows.select("user"))


def test_the_next_block_is_made_while_one_is_under_way(
    sender: BlockSender, receiver: Receiver
) -> None:
    receiver.may_take.clear()
    sender.send("events", make_block(3))
    second = make_block(2)  # the first has not arrived yet
    assert receiver.arrived == []
    receiver.may_take.set()
    sender.send("events", second)
    assert receiver.arrived[0] == ("events", 3), "one at a time, in order"
    sender.finish()
    assert receiver.arrived == [("events", 3), ("events", 2)]


@pytest.mark.parametrize("call", ["send", "finish"])
def test_what_went_wrong_is_raised_by_the_next_call_and_only_once(
    sender: BlockSender, receiver: Receiver, call: str
) -> None:
    sender.send("broken", make_block(1))
    with pytest.raises(ValueError, match="no place left"):
        if call == "send":
            sender.send("events", make_block(1))
        else:
            sender.finish()
    assert receiver.arrived == [], "nothing is sent after a failure"
    sender.finish()


def test_closing_waits_for_what_is_under_way_and_passes_over_failures(receiver: Receiver) -> None:
    sender = BlockSender(receiver.insert)
    sender.send("events", make_block(4))
    sender.close()
    assert receiver.arrived == [("events", 4)]
    failing = BlockSender(receiver.insert)
    failing.send("broken", make_block(4))
    failing.close()
