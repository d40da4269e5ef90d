"""Which batches are stored already, so that a retry of one is not stored again.

Belongs here: what is remembered, for how long, and when it is forgotten. Does not belong here: the
clock (times are handed in), storage (`gather`).

A sender repeats a batch when it got no answer. So a batch is remembered as long as its sender may
not have got the answer: for the window, or until the sender goes on on the same connection, which
shows that it did. A log that says the same twice is then stored twice, as it should be.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable

MAX_REMEMBERED = 500_000
"""About 100 MB at most; the oldest go first."""


class RetryMemory:
    """Digests of stored batches whose answer may be lost. Times are seconds of any one clock."""

    def __init__(self, window_seconds: float, max_remembered: int = MAX_REMEMBERED) -> None:
        """A window of 0 remembers nothing."""
        self._window = window_seconds
        self._max = max_remembered
        self._stored: OrderedDict[bytes, float] = OrderedDict()
        self._last: OrderedDict[Hashable, bytes] = OrderedDict()

    def __len__(self) -> int:
        return len(self._stored)

    def is_stored(self, digest: bytes, now: float) -> bool:
        """Whether a batch of this digest was stored within the window and not forgotten since."""
        self._expire(now)
        return digest in self._stored

    def remember(self, digests: Iterable[bytes], now: float) -> None:
        """Remember batches that are stored."""
        if self._window <= 0:
            return
        for digest in digests:
            self._stored[digest] = now
            self._stored.move_to_end(digest)
        self._expire(now)

    def answer(self, connection: Hashable, digest: bytes) -> None:
        """Note that an answer for `digest` is sent over `connection`."""
        if self._window <= 0:
            return
        self._last[connection] = digest
        self._last.move_to_end(connection)
        if len(self._last) > self._max:
            self._last.popitem(last=False)

    def go_on(self, connection: Hashable) -> bool:
        """Note that `connection` sends again: its last answer arrived. False when it is new."""
        digest = self._last.pop(connection, None)
        if digest is None:
            return False
        self._stored.pop(digest, None)
        return True

    def _expire(self, now: float) -> None:
        while self._stored:
            digest, since = next(iter(self._stored.items()))
            if len(self._stored) <= self._max and now - since <= self._window:
                return
            del self._stored[digest]
