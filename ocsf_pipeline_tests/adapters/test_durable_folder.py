"""The contract over the durable folder, and what makes it durable."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ocsf_pipeline.adapters.durable_folder import DurableFolder
from ocsf_pipeline.ports import ObjectStore, TransientPortError
from ocsf_pipeline_tests.contracts.object_store import ObjectStoreContract


class TestDurableFolder(ObjectStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> ObjectStore:
        return DurableFolder(tmp_path / "new" / "store")


def test_a_write_forces_content_and_names_to_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    real = os.fsync

    def note(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_ino)
        real(descriptor)

    monkeypatch.setattr("os.fsync", note)
    DurableFolder(tmp_path).write_object("a/b/c.log", b"x")
    # The names of both new folders, the content, then the name of the object.
    paths = (tmp_path, tmp_path / "a", tmp_path / "a/b/c.log", tmp_path / "a/b")
    assert synced == [path.stat().st_ino for path in paths]


def test_a_write_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    store = DurableFolder(tmp_path)
    store.write_object("a/b", b"old")
    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(TransientPortError, match="No space left"):
        store.write_object("a/b", b"new")
    assert store.read_object("a/b") == b"old"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]
