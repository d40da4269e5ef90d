"""The contract of object stores over the fake and over obstore, and what only obstore can do."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from ocsf_pipeline.adapters import object_store
from ocsf_pipeline.adapters.object_store import ObstoreObjects, open_object_store
from ocsf_pipeline.adapters.object_urls import parse_store_url
from ocsf_pipeline.ports import (
    ObjectChangedError,
    ObjectRef,
    ObjectStore,
    PermanentPortError,
    TransientPortError,
)
from ocsf_pipeline_tests.contracts.object_store import ObjectStoreContract
from ocsf_pipeline_tests.fakes.object_store import FakeObjectStore


class TestFakeObjectStore(ObjectStoreContract):
    @pytest.fixture
    def store(self) -> ObjectStore:
        return FakeObjectStore()


class TestFolder(ObjectStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> ObjectStore:
        return open_object_store(str(tmp_path / "store"))


class TestMemory(ObjectStoreContract):
    @pytest.fixture
    def store(self) -> ObjectStore:
        return ObstoreObjects(MemoryStore(), "memory")


def test_a_folder_is_made_and_may_be_given_as_a_url(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "store"
    open_object_store(f"file://{folder}").write_object("a/b", b"x")
    assert (folder / "a" / "b").read_bytes() == b"x"
    assert open_object_store(str(folder)).read_object("a/b") == b"x"


def test_a_url_of_no_known_kind_is_refused_with_advice() -> None:
    with pytest.raises(PermanentPortError, match="s3://bucket/prefix"):
        open_object_store("ftp://host/folder")


def test_leftovers_of_a_killed_write_are_no_objects(tmp_path: Path) -> None:
    store = open_object_store(str(tmp_path))
    store.write_object("logs/a", b"x")
    (tmp_path / "logs" / "b#1").write_bytes(b"half")
    assert [ref.key for ref in store.list_objects("")] == ["logs/a"]


def test_a_large_object_comes_in_pieces_of_bounded_size(tmp_path: Path) -> None:
    store = open_object_store(str(tmp_path))
    body = bytes(range(256)) * 4 * 12_000
    pieces = list(store.stream_object(store.write_object("big", body)))
    assert b"".join(pieces) == body
    assert len(pieces) > 1
    assert max(map(len, pieces)) <= 8 << 20


def test_a_url_may_carry_options_but_no_secrets() -> None:
    place = parse_store_url("s3://bucket/some/prefix?endpoint=http://127.0.0.1:9&allow_http=true")
    assert place.name == "s3://bucket/some/prefix"
    assert place.options == {"endpoint": "http://127.0.0.1:9"}
    assert place.client_options == {"allow_http": True}
    for url in (
        "s3://bucket?secret_access_key=hush", "s3://key:hush@bucket", "az://c?account_key=hush",
        "gs://bucket?bearer_token=hush",
    ):  # fmt: skip
        with pytest.raises(PermanentPortError, match="does not belong in the URL") as caught:
            open_object_store(url)
        assert "hush" not in str(caught.value)
    with pytest.raises(PermanentPortError, match="names no bucket"):
        open_object_store("s3:///prefix")
    with pytest.raises(PermanentPortError, match="cannot be opened"):
        open_object_store("s3://bucket?no_such_option=1")


def test_an_object_that_shrinks_or_grows_while_it_is_read_is_not_mixed(tmp_path: Path) -> None:
    """A shipper may write in place, as a plain copy does."""
    store = open_object_store(str(tmp_path))
    for after in (b"short", b"y" * (20 << 20)):
        ref = store.write_object("a", b"x" * (17 << 20))
        pieces = store.stream_object(ref)
        next(pieces)
        (tmp_path / "a").write_bytes(after)
        with pytest.raises(ObjectChangedError, match="replaced while it was being read"):
            list(pieces)


def test_an_unreachable_store_is_transient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_store, "_RETRIES", {"max_retries": 0})
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")
    away = open_object_store("s3://bucket/prefix?endpoint=http://127.0.0.1:9")
    for use in (
        lambda: list(away.stream_object(ObjectRef("a", "v", 1, datetime.now(UTC)))),
        lambda: list(away.list_objects("")),
        lambda: away.write_object("a", b"x"),
    ):
        with pytest.raises(TransientPortError, match="check the store's address"):
            use()
