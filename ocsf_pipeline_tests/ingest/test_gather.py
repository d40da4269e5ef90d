"""Group commit: who waits for what, and what a failing store, retries and the end do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import pytest

from ocsf_pipeline.ingest.errors import BusyError
from ocsf_pipeline.ingest.gather import Gatherer, GatherOptions
from ocsf_pipeline.ingest.lines import Lines
from ocsf_pipeline.ingest.metrics import Metrics
from ocsf_pipeline.ingest.objects import Batch, digest_request
from ocsf_pipeline.ports import TransientPortError
from ocsf_pipeline_tests.fakes.object_store import FakeObjectStore
from ocsf_pipeline_tests.ingest.conftest import QUICK, read_lines, read_texts


def make_batch(number: int, *, size: int = 0, is_alone: bool = False) -> Batch:
    data = b'{"n":%d%s}\n' % (number, b"," + b" " * size + b'"x":1' if size else b"")
    return Batch(digest_request(data), Lines(data, 1, is_alone))


def run(work: Coroutine[Any, Any, Any]) -> Any:
    async def bounded() -> Any:
        async with asyncio.timeout(20):
            return await work

    return asyncio.run(bounded())


def count(store: FakeObjectStore) -> list[int]:
    return sorted(line["n"] for line in read_lines(store))


@pytest.fixture
def store() -> FakeObjectStore:
    return FakeObjectStore()


def make(store: FakeObjectStore, options: GatherOptions = QUICK) -> Gatherer:
    return Gatherer(store, options, Metrics())


class Switch:
    """Lets writes of a fake store fail, and counts them."""

    def __init__(self, store: FakeObjectStore) -> None:
        self.is_broken = True
        self.tries = 0
        store.before_write = self

    def __call__(self, key: str) -> None:
        self.tries += 1
        if self.is_broken:
            raise TransientPortError("throttled")


def test_what_comes_together_is_one_object(store: FakeObjectStore) -> None:
    async def work() -> None:
        gatherer = make(store, replace(QUICK, linger_seconds=0.2))
        await gatherer.submit(make_batch(0), "first")  # after a pause: at once
        await asyncio.gather(*(gatherer.submit(make_batch(n), n) for n in range(1, 50)))
        await gatherer.drain(1)

    run(work())
    assert len(store.writes) == 2
    assert count(store) == list(range(50))


def test_a_large_group_does_not_wait(store: FakeObjectStore) -> None:
    async def work() -> None:
        gatherer = make(store, replace(QUICK, linger_seconds=30.0, group_bytes=2_000))
        await gatherer.submit(make_batch(0), "first")
        await asyncio.gather(*(gatherer.submit(make_batch(n, size=999), n) for n in range(1, 5)))
        await gatherer.drain(1)

    run(work())
    assert len(store.writes) == 3
    assert count(store) == list(range(5))


def test_what_must_be_alone_is_alone(store: FakeObjectStore) -> None:
    async def work() -> None:
        gatherer = make(store, replace(QUICK, linger_seconds=0.1))
        batches = [make_batch(n, is_alone=n % 2 == 0) for n in range(4)]
        await asyncio.gather(*(gatherer.submit(batch, n) for n, batch in enumerate(batches)))
        await gatherer.drain(1)

    run(work())
    texts = sorted(read_texts(store), key=len)
    assert [text.count("\n") for text in texts] == [1, 1, 2]


def test_a_store_that_fails_answers_busy_and_gets_the_batch_later(store: FakeObjectStore) -> None:
    switch = Switch(store)

    async def work() -> None:
        gatherer = make(store, replace(QUICK, answer_seconds=0.1))
        with pytest.raises(BusyError, match="throttled") as caught:
            await gatherer.submit(make_batch(1), "a")
        assert (caught.value.status, caught.value.retry_after_seconds) == (503, 5)
        assert gatherer.failure == "throttled"
        assert gatherer.pending_bytes > 0
        # The sender comes back while the store still fails, then when it works again.
        with pytest.raises(BusyError):
            await gatherer.submit(make_batch(1), "b")
        switch.is_broken = False
        while gatherer.failure:
            await asyncio.sleep(0.05)
        assert await gatherer.submit(make_batch(1), "c") is False
        assert gatherer.pending_bytes == 0
        await gatherer.drain(1)

    run(work())
    assert switch.tries >= 2
    assert count(store) == [1]


def test_a_retry_in_flight_joins_what_is_being_written(store: FakeObjectStore) -> None:
    gate = threading.Event()

    def wait(key: str) -> None:
        assert gate.wait(10)

    store.before_write = wait

    async def work() -> None:
        gatherer = make(store)
        first = asyncio.create_task(gatherer.submit(make_batch(1), "a"))
        await asyncio.sleep(0.05)
        second = asyncio.create_task(gatherer.submit(make_batch(1), "b"))
        await asyncio.sleep(0.05)
        gate.set()
        assert [await first, await second] == [True, False]
        await gatherer.drain(1)

    run(work())
    assert count(store) == [1]


def test_a_sender_that_goes_on_may_say_the_same_again(store: FakeObjectStore) -> None:
    async def work() -> None:
        gatherer = make(store)
        for _ in range(3):
            assert await gatherer.submit(make_batch(1), "one connection")
        assert not await gatherer.submit(make_batch(1), "another connection")
        await gatherer.drain(1)

    run(work())
    assert count(store) == [1, 1, 1]


def test_a_restarted_endpoint_knows_what_it_stored(store: FakeObjectStore) -> None:
    async def work(expected: list[bool]) -> None:
        gatherer = make(store)
        await gatherer.start()
        batches = [make_batch(n) for n in range(5_000)]  # more digests than are read at once
        stored = await asyncio.gather(*(gatherer.submit(b, n) for n, b in enumerate(batches)))
        assert stored == expected
        await gatherer.drain(1)

    run(work([True] * 5_000))
    run(work([False] * 5_000))
    assert count(store) == list(range(5_000))


def test_without_a_window_nothing_is_taken_for_a_retry(store: FakeObjectStore) -> None:
    async def work() -> None:
        gatherer = make(store, replace(QUICK, window_seconds=0.0))
        await gatherer.start()
        assert await gatherer.submit(make_batch(1), "a")
        assert await gatherer.submit(make_batch(1), "b")
        await gatherer.drain(1)

    run(work())
    assert count(store) == [1, 1]


def test_the_end_gives_up_on_a_store_that_stays_away(store: FakeObjectStore) -> None:
    Switch(store)

    async def work() -> None:
        gatherer = make(store, replace(QUICK, answer_seconds=0.05))
        with pytest.raises(BusyError):
            await gatherer.submit(make_batch(1), "a")
        await gatherer.drain(0.1)

    run(work())
    assert store.writes == []


def test_a_defect_while_writing_is_told_and_answers_nobody(store: FakeObjectStore) -> None:
    def fail(key: str) -> None:
        raise ZeroDivisionError

    store.before_write = fail

    async def work() -> None:
        gatherer = make(store, replace(QUICK, answer_seconds=0.1))
        with pytest.raises(BusyError, match="a defect"):
            await gatherer.submit(make_batch(1), "a")
        await gatherer.drain(0.1)

    run(work())
