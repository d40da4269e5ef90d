"""The contract of object stores over the fake and over obstore, and what only obstore can do."""

from __future__ import annotations

from pathlib import Path

import pytest
from obstore.store import MemoryStore

from ocsf_pipeline.adapters.object_store import ObstoreObjects, open_object_store
from ocsf_pipeline.ports import ObjectRef, ObjectStore, PermanentPortError, TransientPortError
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


def test_a_vanished_object_is_permanent_and_an_unreachable_store_is_transient(
    tmp_path: Path,
) -> None:
    store = open_object_store(str(tmp_path))
    ref = store.write_object("a", b"x")
    store.delete_object("a")
    with pytest.raises(PermanentPortError, match="reading a"):
        list(store.stream_object(ref))
    away = open_object_store(
        "s3://bucket/prefix",
        {
            "endpoint": "http://127.0.0.1:9", "access_key_id": "x", "secret_access_key": "y",
            "region": "eu-west-1", "allow_http": "true", "virtual_hosted_style_request": "false",
        },
    )  # fmt: skip
    away_ref = ObjectRef("a", "v", 1, ref.last_modified)
    with pytest.raises(TransientPortError, match="check the store's address"):
        list(away.stream_object(away_ref))
