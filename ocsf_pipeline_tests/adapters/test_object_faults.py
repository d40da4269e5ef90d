"""Object storage that throttles, breaks off, lags or changes under the reader's hands."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from ocsf_pipeline.adapters import object_store
from ocsf_pipeline.adapters.object_store import ObstoreObjects, open_object_store
from ocsf_pipeline.ports import ObjectChangedError, TransientPortError
from ocsf_pipeline.steps.batches import iterate_records, load_hour
from ocsf_pipeline.steps.logs import normalize_hour
from ocsf_pipeline_tests.fakes.faulty_proxy import Fault, FaultyProxy, serve_faulty, slow_down
from ocsf_pipeline_tests.fakes.object_store import FakeObjectStore

HOUR = datetime(2026, 11, 20, 10, tzinfo=UTC)
FOLDER = "logs/dt=2026-11-20/hour=10"
BODY = bytes(range(256)) * 4 * 20_000  # 20 MB: three pieces


@pytest.fixture
def proxy(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyProxy]:
    quick = {**object_store._RETRIES["backoff"], "init_backoff": timedelta(milliseconds=5),
             "max_backoff": timedelta(milliseconds=20)}  # fmt: skip
    monkeypatch.setitem(object_store._RETRIES, "backoff", quick)
    with serve_faulty(s3_endpoint) as proxy:
        yield proxy


@pytest.fixture
def store(proxy: FaultyProxy, s3_bucket: str) -> ObstoreObjects:
    return open_object_store(f"s3://{s3_bucket}?endpoint={proxy.url}")


@pytest.fixture
def shipper(s3_endpoint: str, s3_bucket: str) -> ObstoreObjects:
    """Another client of the same bucket, which no fault touches."""
    return open_object_store(f"s3://{s3_bucket}?endpoint={s3_endpoint}")


def of(method: str, part: str, times: int = 1_000_000, **what: object) -> Fault:
    return Fault(
        lambda item: item.method == method and part in item.target,
        times,
        **what,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("status", [503, 500, 429])
def test_throttling_is_waited_out(store: ObstoreObjects, proxy: FaultyProxy, status: int) -> None:
    proxy.faults += [of(method, "", 3, answer=slow_down(status)) for method in ("PUT", "GET")]
    store.write_object("a", b"x")
    assert store.read_object("a") == b"x"
    proxy.faults.append(of("GET", "list-type", 3, answer=slow_down(status)))
    assert [ref.key for ref in store.list_objects("")] == ["a"]
    assert not proxy.faults


def test_throttling_that_does_not_end_is_transient(
    store: ObstoreObjects, proxy: FaultyProxy
) -> None:
    ref = store.write_object("a", b"x")
    proxy.faults.append(of("GET", "", answer=slow_down()))
    before = len(proxy.requests)
    with pytest.raises(TransientPortError, match="reading a in s3"):
        list(store.stream_object(ref))
    assert len(proxy.requests) - before < 20, "patience has an end"


@pytest.mark.parametrize("after", [0, 1, 5 << 20])
def test_a_reset_half_way_is_resumed(store: ObstoreObjects, proxy: FaultyProxy, after: int) -> None:
    ref = store.write_object("a", BODY)
    proxy.faults.append(of("GET", "/a", 3, reset_after_bytes=after))
    assert b"".join(store.stream_object(ref)) == BODY
    assert not proxy.faults


def test_resets_without_end_are_transient(store: ObstoreObjects, proxy: FaultyProxy) -> None:
    ref = store.write_object("a", BODY)
    proxy.faults.append(of("GET", "/a", reset_after_bytes=1 << 20))
    with pytest.raises(TransientPortError, match="reading a"):
        list(store.stream_object(ref))


def test_an_object_replaced_during_a_reset_is_not_mixed(
    store: ObstoreObjects, proxy: FaultyProxy, shipper: ObstoreObjects
) -> None:
    ref = store.write_object("a", BODY)

    def replace() -> None:
        shipper.write_object("a", BODY[::-1])

    proxy.faults.append(of("GET", "/a", 1, reset_after_bytes=1 << 20, meanwhile=replace))
    with pytest.raises(ObjectChangedError):
        list(store.stream_object(ref))


def test_an_object_replaced_between_two_pieces_is_not_mixed(
    store: ObstoreObjects, shipper: ObstoreObjects
) -> None:
    ref = store.write_object("a", BODY)
    for after in (BODY[::-1], b"short"):
        pieces = store.stream_object(ref)
        next(pieces)
        shipper.write_object("a", after)
        with pytest.raises(ObjectChangedError, match="replaced while it was being read"):
            list(pieces)
        ref = store.write_object("a", BODY)


def test_writing_survives_a_reset(store: ObstoreObjects, proxy: FaultyProxy) -> None:
    proxy.faults.append(of("PUT", "/a", 2, reset_after_bytes=0))
    store.write_object("a", b"x")
    assert store.read_object("a") == b"x"


def read_hour(objects: ObstoreObjects, artefacts: FakeObjectStore) -> list[str]:
    """Normalise the hour; return its logs."""
    batches = normalize_hour(objects, artefacts, HOUR, prefix="logs", workers=1)
    return sorted(
        raw
        for batch in batches.objects
        for part in iterate_records(artefacts, batch)
        for raw in part["raw"].to_list()
    )


def test_an_hour_whose_objects_change_while_it_is_read_is_whole_at_their_newest(
    store: ObstoreObjects, proxy: FaultyProxy, shipper: ObstoreObjects
) -> None:
    for name in "abc":
        shipper.write_object(f"{FOLDER}/{name}.log", f"old log of {name}\n".encode())
    versions = iter(range(10))

    def replace() -> None:
        shipper.write_object(f"{FOLDER}/b.log", f"log {next(versions)} of b\n".encode())

    def delete() -> None:
        shipper.delete_object(f"{FOLDER}/c.log")

    proxy.faults.append(of("GET", "b.log", 2, reset_after_bytes=1, meanwhile=replace))
    proxy.faults.append(of("GET", "c.log", 1, reset_after_bytes=0, meanwhile=delete))
    artefacts = FakeObjectStore()
    assert read_hour(store, artefacts) == ["log 1 of b", "old log of a"]
    held = {item.key: item.version for item in load_hour(artefacts, HOUR).objects}
    assert held == {ref.key: ref.version for ref in shipper.list_objects(FOLDER)}


def test_an_object_that_never_stands_still_fails_its_hour_for_now(
    store: ObstoreObjects, proxy: FaultyProxy, shipper: ObstoreObjects
) -> None:
    shipper.write_object(f"{FOLDER}/a.log", b"first\n")
    numbers = iter(range(100))

    def replace() -> None:
        shipper.write_object(f"{FOLDER}/a.log", f"log {next(numbers)}\n".encode())

    proxy.faults.append(of("GET", "a.log", reset_after_bytes=1, meanwhile=replace))
    artefacts = FakeObjectStore()
    with pytest.raises(TransientPortError, match="replaced"):
        read_hour(store, artefacts)
    proxy.faults.clear()
    assert read_hour(store, artefacts) == [f"log {next(numbers) - 1}"]


def test_a_listing_that_lags_delays_but_does_not_lose_or_loop(
    store: ObstoreObjects, proxy: FaultyProxy, shipper: ObstoreObjects
) -> None:
    """A store that is consistent only in the end: its listing shows what was."""
    for name in "abc":
        shipper.write_object(f"{FOLDER}/{name}.log", f"old log of {name}\n".encode())
    list(store.list_objects(FOLDER))
    old = next(answer for target, answer in proxy.answers.items() if "list-type" in target)
    shipper.write_object(f"{FOLDER}/a.log", b"new log of a\n")
    shipper.delete_object(f"{FOLDER}/b.log")
    shipper.write_object(f"{FOLDER}/d.log", b"log of d\n")
    artefacts = FakeObjectStore()

    proxy.faults.append(of("GET", "list-type", answer=old))
    assert read_hour(store, artefacts) == ["new log of a", "old log of c"]
    writes = len(artefacts.writes)
    assert read_hour(store, artefacts) == ["new log of a", "old log of c"]
    assert not [key for key in artefacts.writes[writes:] if "part-" in key], "read twice"

    proxy.faults.clear()
    assert read_hour(store, artefacts) == ["log of d", "new log of a", "old log of c"]
