"""How much the endpoint takes on at a time.

Belongs here: counting requests and the bytes that they hold, refusing what is too much. Does not
belong here: reading bodies (`app`), what is gathered already (handed in).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ocsf_pipeline.ingest.errors import BusyError


class Hold:
    """The bytes that one request holds."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._size = 0

    def grow(self, size_bytes: int) -> None:
        """Hold more. Raises BusyError when all requests together would hold too much."""
        self._gate.check_room(size_bytes)
        self._size += size_bytes
        self._gate.held_bytes += size_bytes

    def release(self) -> None:
        """Hold nothing any more."""
        self._gate.held_bytes -= self._size
        self._size = 0


class Gate:
    """Lets requests in while there is room; used on one event loop."""

    def __init__(
        self, max_requests: int, max_pending_bytes: int, read_pending_bytes: Callable[[], int]
    ) -> None:
        """`read_pending_bytes` tells what is gathered and not durable yet."""
        self._max_requests = max_requests
        self._max_bytes = max_pending_bytes
        self._read_pending_bytes = read_pending_bytes
        self.request_count = 0
        self.held_bytes = 0
        self.is_closing = False

    @contextmanager
    def enter(self) -> Iterator[Hold]:
        """Let one request in. Raises BusyError when it must come back later."""
        if self.is_closing:
            raise BusyError("the endpoint is shutting down", 503, 1, "closing")
        if self.request_count >= self._max_requests:
            raise BusyError(
                f"{self._max_requests} requests are being served", 429, 1, "too_many_requests"
            )
        self.request_count += 1
        hold = Hold(self)
        try:
            yield hold
        finally:
            hold.release()
            self.request_count -= 1

    def check_room(self, size_bytes: int) -> None:
        """Raise BusyError unless this many more bytes may be held."""
        held = self.held_bytes + self._read_pending_bytes()
        # Whoever is alone may be as large as a request may be.
        if held and held + size_bytes > self._max_bytes:
            raise BusyError(f"{held:,} bytes wait to be stored", 429, 2, "too_many_bytes")
