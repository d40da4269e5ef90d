"""What is remembered of stored batches, and when it is forgotten."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ocsf_pipeline.ingest.retries import RetryMemory


def test_a_batch_is_known_for_the_window() -> None:
    memory = RetryMemory(10)
    memory.remember([b"a"], now=100)
    assert memory.is_stored(b"a", 110)
    assert not memory.is_stored(b"b", 110)
    assert not memory.is_stored(b"a", 110.1)
    assert len(memory) == 0


def test_a_connection_that_goes_on_has_got_its_last_answer() -> None:
    memory = RetryMemory(10)
    memory.remember([b"a", b"b"], now=0)
    memory.answer("one", b"a")
    memory.answer("two", b"b")
    assert memory.go_on("one")
    assert not memory.go_on("one")
    assert not memory.is_stored(b"a", 1)
    assert memory.is_stored(b"b", 1)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3)), max_size=200))
def test_memory_is_bounded_and_knows_the_latest(steps: list[tuple[int, int]]) -> None:
    memory = RetryMemory(window_seconds=5, max_remembered=8)
    now = 0
    stored: dict[bytes, int] = {}
    for number, wait in steps:
        now += wait
        digest = bytes([number])
        memory.remember([digest], now)
        memory.answer(number, digest)
        stored[digest] = now
        assert memory.is_stored(digest, now)
        assert len(memory) <= 8
        known = {key for key, since in stored.items() if now - since <= 5}
        latest = sorted(known, key=lambda key: stored[key])[-1:]
        assert all(memory.is_stored(key, now) for key in latest)
        assert not any(memory.is_stored(key, now) for key in stored.keys() - known)
