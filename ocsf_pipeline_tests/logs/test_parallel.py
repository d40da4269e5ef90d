"""Order, bounds and errors of work that is done ahead."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock

import pytest

from ocsf_pipeline.logs.parallel import map_in_order, open_pool, work_ahead


def count_up(made: list[int], stop: int, far_enough: Event, enough: int) -> Iterator[int]:
    for number in range(stop):
        made.append(number)
        if len(made) == enough:
            far_enough.set()
        yield number


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_as_many_are_made_ahead_as_asked_for_and_no_more(depth: int) -> None:
    made: list[int] = []
    far_enough = Event()
    items = work_ahead(count_up(made, 10, far_enough, depth + 1), depth)
    assert next(items) == 0
    assert far_enough.wait(10)
    assert len(made) <= depth + 1
    assert list(items) == list(range(1, 10))


def test_an_error_comes_in_its_turn() -> None:
    def fail_third() -> Iterator[int]:
        yield from (1, 2)
        raise ValueError("the third")

    items = work_ahead(fail_third(), depth=2)
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(ValueError, match="the third"):
        next(items)


def test_who_stops_early_leaves_no_thread_at_work() -> None:
    made: list[int] = []
    items = work_ahead(count_up(made, 1000, Event(), 0), depth=2)
    next(items)
    items.close()  # type: ignore[attr-defined]
    assert len(made) <= 3


def test_results_come_in_the_order_of_the_items() -> None:
    gates = [Event() for _number in range(4)]
    gates[1].set()

    def wait(number: int) -> int:
        assert gates[number].wait(10)
        for gate in gates:
            gate.set()
        return number

    assert list(map_in_order(wait, range(4), 2)) == [0, 1, 2, 3]


def test_callers_that_share_threads_have_no_more_under_way_than_there_are() -> None:
    at_work, most = [0], [0]
    lock = Lock()

    def work(number: int) -> int:
        with lock:
            at_work[0] += 1
            most[0] = max(most[0], at_work[0])
        time.sleep(0.002)
        with lock:
            at_work[0] -= 1
        return number

    with open_pool(2) as pool, ThreadPoolExecutor(4) as callers:

        def call(start: int) -> list[int]:
            return list(map_in_order(work, range(start, start + 10), 2, pool))

        found = list(callers.map(call, range(0, 40, 10)))
    assert found == [list(range(start, start + 10)) for start in range(0, 40, 10)]
    assert most[0] == 2


def test_an_error_of_one_caller_leaves_the_shared_threads_to_the_others() -> None:
    def fail(number: int) -> int:
        raise ValueError(number)

    with open_pool(2) as pool:
        with pytest.raises(ValueError, match="0"):
            list(map_in_order(fail, range(5), 2, pool))
        assert list(map_in_order(str, range(3), 2, pool)) == ["0", "1", "2"]
