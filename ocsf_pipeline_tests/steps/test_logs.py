"""Objects of an hour are read side by side; what comes out does not depend on it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from threading import Barrier

from ocsf_pipeline.logs.layout import format_hour_folder
from ocsf_pipeline.ports import ObjectRef
from ocsf_pipeline.steps.batches import iterate_records
from ocsf_pipeline.steps.logs import normalize_hour
from ocsf_pipeline_tests.fakes.object_store import FakeObjectStore

HOUR = datetime(2026, 3, 1, 14, tzinfo=UTC)
FOLDER = format_hour_folder("logs", HOUR)


class MeetingStore(FakeObjectStore):
    """Gives the bytes of an object only once as many are asked for as shall be read at once."""

    def __init__(self, bodies: dict[str, bytes], count: int) -> None:
        super().__init__(bodies)
        self._barrier = Barrier(count, timeout=10)

    def stream_object(self, ref: ObjectRef) -> Iterator[bytes]:
        self._barrier.wait()
        yield from super().stream_object(ref)


def make_bodies(count: int, line_count: int = 1) -> dict[str, bytes]:
    return {
        f"{FOLDER}/{number}.log": f"log of {number}\n".encode() * line_count
        for number in range(count)
    }


def test_small_objects_are_read_eight_at_once_and_kept_in_order() -> None:
    store, artefacts = MeetingStore(make_bodies(16), 8), FakeObjectStore()
    batches = normalize_hour(store, artefacts, HOUR, prefix="logs")
    assert batches.read_objects == 16
    parts = [part for batch in batches.objects for part in iterate_records(artefacts, batch)]
    raws = [part["raw"].item() for part in parts]
    assert raws == [f"log of {name}" for name in sorted(map(str, range(16)))]


def test_large_objects_are_read_two_at_once() -> None:
    bodies = make_bodies(4, line_count=300_000)
    assert min(map(len, bodies.values())) > 2 << 20
    batches = normalize_hour(MeetingStore(bodies, 2), FakeObjectStore(), HOUR, prefix="logs")
    assert batches.record_count == 4 * 300_000


def test_one_object_is_read_without_waiting_for_another() -> None:
    batches = normalize_hour(
        MeetingStore(make_bodies(1), 1), FakeObjectStore(), HOUR, prefix="logs"
    )
    assert batches.record_count == 1
