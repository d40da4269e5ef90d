"""Reading one object with several threads: Polars lets go of the interpreter while it works.

Belongs here: the order of frames and the bound on those under way. Does not belong here: reading.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from typing import TypeVar

from ocsf_pipeline.logs.normalize import NormalizedFrame, ObjectContext, TemplateRegistry
from ocsf_pipeline.logs.read import (
    DEFAULT_LIMITS,
    ObjectSummary,
    RawFrame,
    ReadLimits,
    count_frame,
    normalize_raw,
    read_raw_frames,
)

Item = TypeVar("Item")
Result = TypeVar("Result")


def open_pool(workers: int) -> ThreadPoolExecutor:
    """Return threads that several callers of `map_in_order` share; close it behind them."""
    return ThreadPoolExecutor(max(1, workers), thread_name_prefix="ocsf")


def map_in_order(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int,
    pool: ThreadPoolExecutor | None = None,
) -> Iterator[Result]:
    """Yield `work(item)` for each item, in order, with at most `workers` + 1 items under way.

    One worker works ahead while the caller uses what it was given; none works only when asked. An
    error of one item is raised in its turn; items behind it are dropped. `pool`: the threads to
    work in, else its own.
    """
    if workers < 1:
        yield from map(work, items)
        return
    pending: deque[Future[Result]] = deque()
    with nullcontext(pool) if pool else open_pool(workers) as threads:
        try:
            for item in items:
                pending.append(threads.submit(work, item))
                if len(pending) > workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def work_ahead(items: Iterator[Item], depth: int = 1) -> Iterator[Item]:
    """Yield what `items` yields, made up to `depth` ahead in a thread while the caller works."""
    with ThreadPoolExecutor(1, thread_name_prefix="ocsf-ahead") as pool:
        coming = deque(pool.submit(next, items, None) for _place in range(depth))
        try:
            while (item := coming.popleft().result()) is not None:
                coming.append(pool.submit(next, items, None))
                yield item
        finally:
            for future in coming:
                future.cancel()


def read_object_in_parallel(
    pieces: Iterator[bytes],
    context: ObjectContext,
    registry: TemplateRegistry,
    summary: ObjectSummary,
    limits: ReadLimits = DEFAULT_LIMITS,
    workers: int = 2,
    pool: ThreadPoolExecutor | None = None,
) -> Iterator[NormalizedFrame]:
    """Do what `read_object` does, with `workers` threads; the frames and their order are equal.

    Objects that are read side by side share a `pool`: no more blocks are worked on, each several
    times its size, than there are threads in it.
    """

    def normalize(raw: RawFrame) -> NormalizedFrame:
        return normalize_raw(raw, context, registry)

    raw_frames = read_raw_frames(pieces, context, summary, limits)
    for frame in map_in_order(normalize, raw_frames, workers, pool):
        yield count_frame(frame, summary)
