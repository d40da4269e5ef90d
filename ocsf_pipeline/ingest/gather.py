"""Many requests -> one durable object: group commit through the ObjectStore port.

Belongs here: when a group of batches is written, who waits for it, retries of the write. Does not
belong here: HTTP, what a batch holds. Runs on one event loop; writing and compressing run in
threads.

A batch is answered when its group is durable. A group that cannot be written is tried again until
it can: who waited is told to come back, and a retry of the batch joins the group instead of making
a second one. So a batch is in one object, whatever happens to the store or to answers.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ocsf_pipeline.ingest.errors import BusyError
from ocsf_pipeline.ingest.metrics import Metrics
from ocsf_pipeline.ingest.objects import (
    Batch,
    encode_object,
    list_minute_folders,
    make_key,
    measure_head,
    parse_instance,
    read_digests,
)
from ocsf_pipeline.ingest.retries import RetryMemory
from ocsf_pipeline.ports import ObjectStore, PortError

_LOG = logging.getLogger("ocsf_pipeline.ingest")
_HEAD_BYTES = 64 * 1024
_FIRST_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 10.0
_LOOK_BACK = timedelta(minutes=1)
"""Clocks of other instances may differ by this much."""


@dataclass(frozen=True)
class GatherOptions:
    """When a group is written and what is waited for."""

    prefix: str = "logs"
    linger_seconds: float = 0.5
    """The least time between two objects, while the endpoint is busy."""
    group_bytes: int = 16 << 20
    """A group of this much text is written at once."""
    max_writes: int = 2
    answer_seconds: float = 20.0
    """A sender that waited this long is told to come back."""
    window_seconds: float = 900.0
    """How long a retry of a batch is known again."""
    refresh_seconds: float = 1.0
    """The least time between two looks at what other instances wrote."""


@dataclass(eq=False)
class _Group:
    """Batches that will lie in one object."""

    done: asyncio.Future[None]
    is_alone: bool = False
    batches: list[Batch] = field(default_factory=list)
    size_bytes: int = 0

    def add(self, batch: Batch) -> None:
        self.batches.append(batch)
        self.size_bytes += len(batch.lines.data)


class Gatherer:
    """Gathers batches into objects: `start` first, `drain` last."""

    def __init__(
        self,
        store: ObjectStore,
        options: GatherOptions,
        metrics: Metrics,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._options = options
        self._metrics = metrics
        self._now = now
        self._linger = options.linger_seconds
        self._instance = uuid.uuid4().hex[:8]
        self._memory = RetryMemory(options.window_seconds)
        self._threads = ThreadPoolExecutor(options.max_writes + 4, thread_name_prefix="store")
        self._pending: dict[bytes, _Group] = {}
        self._open: _Group | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_due = False
        self._ready: deque[_Group] = deque()
        self._writers: set[asyncio.Task[None]] = set()
        self._last_closed = 0.0
        self._number = 0
        self._seen: set[str] = set()
        self._learned_at: datetime | None = None
        self._learning: asyncio.Task[None] | None = None
        self.pending_bytes = 0
        """Text that is not durable yet."""
        self.failure = ""
        """Why the store cannot be written to now; empty when it can."""

    async def start(self) -> None:
        """Learn what was stored within the window, by this endpoint before and by others.

        Raises PortError when the store cannot be read: its address or credentials are wrong.
        """
        if self._options.window_seconds > 0:
            await self._learn()

    async def submit(self, batch: Batch, connection: Hashable) -> bool:
        """Return when `batch` is durable: True when it was stored now, False for a retry.

        Raises BusyError when that takes too long; the batch may still become durable.
        """
        if not self._memory.go_on(connection):
            await self._learn_of_others()
        is_new = False
        if not self._memory.is_stored(batch.digest, self._seconds()):
            group = self._pending.get(batch.digest)
            is_new = group is None
            if group is None:
                group = self._add(batch)
            await self._wait(group)
        self._memory.answer(connection, batch.digest)
        return is_new

    def hurry(self) -> None:
        """Write what is gathered now, and from now on without waiting for more."""
        self._linger = 0.0
        if self._open is not None:
            self._close_open()

    async def drain(self, timeout_seconds: float) -> None:
        """Write what is left. What cannot be written was never answered with success."""
        self.hurry()
        if self._writers:
            await asyncio.wait(self._writers, timeout=timeout_seconds)
        for task in self._writers:
            task.cancel()
        if self.pending_bytes:
            _LOG.error(
                "%d bytes could not be stored (%s); their senders were told to send them again",
                self.pending_bytes,
                self.failure,
            )
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _wait(self, group: _Group) -> None:
        try:
            async with asyncio.timeout(self._options.answer_seconds):
                await asyncio.shield(group.done)
        except TimeoutError:
            raise BusyError(
                f"not stored yet: {self.failure or 'the store is slow'}", 503, 5, "store"
            ) from None

    def _add(self, batch: Batch) -> _Group:
        group = self._open
        if batch.lines.is_alone or group is None:
            group = _Group(asyncio.get_running_loop().create_future(), batch.lines.is_alone)
        group.add(batch)
        self._pending[batch.digest] = group
        self.pending_bytes += len(batch.lines.data)
        if group.is_alone:
            self._make_ready(group)
        elif group is not self._open:
            self._open = group
            self._schedule()
        if group is self._open and group.size_bytes >= self._options.group_bytes:
            self._close_open()
        return group

    def _schedule(self) -> None:
        """Close the open group when the last one is `linger` old: at once after a pause."""
        loop = asyncio.get_running_loop()
        when = max(loop.time(), self._last_closed + self._linger)
        self._timer = loop.call_at(when, self._close_when_due)

    def _close_when_due(self) -> None:
        # While every writer is busy the group may as well go on gathering.
        self._is_due = len(self._writers) >= self._options.max_writes
        if not self._is_due:
            self._close_open()

    def _close_open(self) -> None:
        group, self._open = self._open, None
        self._is_due = False
        if self._timer is not None:
            self._timer.cancel()
        if group is not None:
            self._last_closed = asyncio.get_running_loop().time()
            self._make_ready(group)

    def _make_ready(self, group: _Group) -> None:
        self._ready.append(group)
        self._start_writers()

    def _start_writers(self) -> None:
        while self._ready and len(self._writers) < self._options.max_writes:
            task = asyncio.get_running_loop().create_task(self._write(self._ready.popleft()))
            self._writers.add(task)
            task.add_done_callback(self._end_writer)

    def _end_writer(self, task: asyncio.Task[None]) -> None:
        self._writers.discard(task)
        if not task.cancelled() and task.exception() is not None:  # a defect, not the store's
            self.failure = f"a defect: {task.exception()!r}; restart the endpoint"
            _LOG.error("writing a group failed", exc_info=task.exception())
        if self._is_due:
            self._close_open()
        self._start_writers()

    async def _write(self, group: _Group) -> None:
        """Write one group, however long it takes; then tell who waits."""
        loop = asyncio.get_running_loop()
        key = make_key(
            self._options.prefix, self._now(), self._instance, self._number, group.is_alone
        )
        self._number += 1
        body = await loop.run_in_executor(self._threads, encode_object, group.batches)
        pause = _FIRST_PAUSE_SECONDS
        while True:
            started = loop.time()
            try:
                await loop.run_in_executor(self._threads, self._store.write_object, key, body)
                break
            except PortError as error:
                self.failure = str(error)
                self._metrics.count_failed_write()
                _LOG.warning("storing %s failed, trying again: %s", key, error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        self.failure = ""
        self._metrics.count_object(len(group.batches), len(body), loop.time() - started)
        digests = [batch.digest for batch in group.batches]
        self._memory.remember(digests, self._seconds())
        for digest in digests:
            del self._pending[digest]
        self.pending_bytes -= group.size_bytes
        group.done.set_result(None)

    async def _learn_of_others(self) -> None:
        """A sender on a new connection may repeat what another instance stored: look there."""
        if self._learned_at is None or self._options.window_seconds <= 0:
            return
        if self._learning is None:
            if (self._now() - self._learned_at).total_seconds() < self._options.refresh_seconds:
                return
            self._learning = asyncio.get_running_loop().create_task(self._learn())
            self._learning.add_done_callback(self._end_learning)
        try:
            await asyncio.shield(self._learning)
        except PortError as error:
            _LOG.warning("could not look at what other instances stored: %s", error)

    def _end_learning(self, _task: asyncio.Task[None]) -> None:
        self._learning = None

    async def _learn(self) -> None:
        """Read the digests of objects that were written by others since the last look."""
        loop = asyncio.get_running_loop()
        now = self._now()
        window = timedelta(seconds=self._options.window_seconds)
        since = max((self._learned_at or now - window) - _LOOK_BACK, now - window)
        listed = await loop.run_in_executor(self._threads, self._list_keys, since, now)
        unseen = [key for key in listed if key not in self._seen]
        found = await asyncio.gather(
            *(loop.run_in_executor(self._threads, self._read_digests, key) for key in unseen)
        )
        for digests in found:
            self._memory.remember(digests, self._seconds())
        self._seen, self._learned_at = listed, now

    def _list_keys(self, since: datetime, until: datetime) -> set[str]:
        folders = list_minute_folders(self._options.prefix, since, until)
        keys = (ref.key for folder in folders for ref in self._store.list_objects(folder))
        return {key for key in keys if parse_instance(key) not in (None, self._instance)}

    def _read_digests(self, key: str) -> list[bytes]:
        beginning = self._store.read_beginning(key, _HEAD_BYTES)
        needed = measure_head(beginning)
        if needed > len(beginning):
            beginning = self._store.read_beginning(key, needed)
        return read_digests(beginning)

    def _seconds(self) -> float:
        return self._now().timestamp()
