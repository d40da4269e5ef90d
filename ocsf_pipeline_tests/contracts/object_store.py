"""What every ObjectStore must do. Subclass and give the fixture `store`, empty when handed out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC

import pytest

from ocsf_pipeline.ports import ObjectChangedError, ObjectStore, PermanentPortError


class ObjectStoreContract:
    @pytest.fixture
    def store(self) -> ObjectStore:
        raise NotImplementedError

    def test_is_an_object_store(self, store: ObjectStore) -> None:
        assert isinstance(store, ObjectStore)

    def test_an_empty_store_holds_nothing(self, store: ObjectStore) -> None:
        assert list(store.list_objects("")) == []
        assert store.list_folders("") == []
        assert store.head_object("a/b.log") is None

    def test_what_is_written_is_read(self, store: ObjectStore) -> None:
        body = bytes(range(256)) * 1_000
        ref = store.write_object("logs/dt=2026-11-22/hour=10/a b.log", body)
        assert (ref.key, ref.size_bytes) == ("logs/dt=2026-11-22/hour=10/a b.log", len(body))
        assert ref.last_modified.tzinfo == UTC
        assert store.read_object(ref.key) == body
        assert b"".join(store.stream_object(ref)) == body
        found = store.head_object(ref.key)
        assert found is not None
        assert (found.key, found.version, found.size_bytes) == (ref.key, ref.version, len(body))
        assert list(store.list_objects("logs")) == [found]

    def test_an_empty_object_is_an_object(self, store: ObjectStore) -> None:
        ref = store.write_object("empty", b"")
        assert store.read_object("empty") == b""
        assert b"".join(store.stream_object(ref)) == b""

    def test_objects_are_listed_by_key_below_a_folder(self, store: ObjectStore) -> None:
        for key in ("logs/b", "logs/a/2", "logs/a/1", "logsx/c", "z"):
            store.write_object(key, b"x")
        assert [ref.key for ref in store.list_objects("")] == [
            "logs/a/1", "logs/a/2", "logs/b", "logsx/c", "z",
        ]  # fmt: skip
        for prefix in ("logs", "logs/"):
            assert [ref.key for ref in store.list_objects(prefix)] == [
                "logs/a/1",
                "logs/a/2",
                "logs/b",
            ]
        assert list(store.list_objects("nowhere")) == []

    def test_folders_are_those_directly_below(self, store: ObjectStore) -> None:
        for key in ("logs/dt=2/hour=1/x", "logs/dt=1/hour=3/x", "logs/dt=1/hour=2/x", "top"):
            store.write_object(key, b"x")
        assert store.list_folders("") == ["logs"]
        assert store.list_folders("logs") == ["dt=1", "dt=2"]
        assert store.list_folders("logs/dt=1/") == ["hour=2", "hour=3"]
        assert store.list_folders("nowhere") == []

    def test_a_rewritten_object_has_another_version(self, store: ObjectStore) -> None:
        first = store.write_object("a", b"one")
        second = store.write_object("a", b"and two")
        assert first.version != second.version
        found = store.head_object("a")
        assert found is not None
        assert found.version == second.version
        assert store.read_object("a") == b"and two"

    def test_a_replaced_object_is_not_streamed_under_its_old_version(
        self, store: ObjectStore
    ) -> None:
        first = store.write_object("a", b"one")
        store.write_object("a", b"and two")
        with pytest.raises(ObjectChangedError, match="replaced"):
            list(store.stream_object(first))

    def test_the_beginning_is_read_alone(self, store: ObjectStore) -> None:
        store.write_object("a", b"0123456789")
        store.write_object("empty", b"")
        assert store.read_beginning("a", 4) == b"0123"
        assert store.read_beginning("a", 40) == b"0123456789"
        assert store.read_beginning("empty", 4) == b""
        with pytest.raises(PermanentPortError, match="missing/key"):
            store.read_beginning("missing/key", 4)

    def test_a_deleted_object_is_not_streamed(self, store: ObjectStore) -> None:
        ref = store.write_object("a", b"one")
        store.delete_object("a")
        with pytest.raises(ObjectChangedError, match="deleted"):
            list(store.stream_object(ref))

    def test_missing_objects_are_named(self, store: ObjectStore) -> None:
        with pytest.raises(PermanentPortError, match="missing/key"):
            store.read_object("missing/key")
        assert store.try_read_object("missing/key") is None

    def test_an_object_may_be_read_if_it_is_there(self, store: ObjectStore) -> None:
        store.write_object("a/b", b"x")
        assert store.try_read_object("a/b") == b"x"
        assert store.try_read_object("a") is None

    @pytest.mark.parametrize(
        "name",
        ["a b", "a%20b", "a+b&c=d", "ü/ö", "q?z", "#1", "x#2", "~", "'\"", "{$(x)}", "日"],
    )
    def test_names_may_hold_any_printable_character(self, store: ObjectStore, name: str) -> None:
        store.write_object(f"logs/{name}/{name}.x", name.encode())
        assert [ref.key for ref in store.list_objects("logs")] == [f"logs/{name}/{name}.x"]
        assert store.read_object(f"logs/{name}/{name}.x") == name.encode()

    def test_a_deleted_object_is_gone_and_may_be_deleted_again(self, store: ObjectStore) -> None:
        store.write_object("a/b", b"x")
        store.delete_object("a/b")
        store.delete_object("a/b")
        store.delete_object("never/was")
        assert store.head_object("a/b") is None
        assert list(store.list_objects("")) == []

    def test_readers_see_the_old_object_or_the_new_one(self, store: ObjectStore) -> None:
        bodies = [bytes([letter]) * 200_000 for letter in b"abcdef"]
        store.write_object("a", bodies[0])

        def write() -> None:
            for body in bodies * 3:
                store.write_object("a", body)

        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(write)
            seen = []
            while not writing.done():
                seen.append(store.read_object("a"))
            writing.result()
        assert all(body in bodies for body in seen)
