"""A plain folder as an object store, for tests in which several processes share one.

Belongs here: just enough of `ports.ObjectStore`, in twenty lines that are plainly right. The
pipeline's own folder store is an adapter.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from ocsf_pipeline.ports import ObjectRef, PermanentPortError


class FolderStore:
    def __init__(self, root: Path) -> None:
        self._root = root

    def list_objects(self, prefix: str) -> Iterator[ObjectRef]:
        for path in sorted((self._root / prefix).rglob("*")):
            if path.is_file() and not path.name.endswith(".part"):
                ref = self.head_object(path.relative_to(self._root).as_posix())
                if ref is not None:
                    yield ref

    def list_folders(self, prefix: str) -> list[str]:
        folder = self._root / prefix
        return sorted(path.name for path in folder.iterdir() if path.is_dir())

    def head_object(self, key: str) -> ObjectRef | None:
        try:
            stat = (self._root / key).stat()
        except FileNotFoundError:
            return None
        version = hashlib.sha256(f"{stat.st_ino} {stat.st_mtime_ns}".encode()).hexdigest()
        return ObjectRef(key, version, stat.st_size, datetime.fromtimestamp(stat.st_mtime, UTC))

    def read_object(self, key: str) -> bytes:
        try:
            return (self._root / key).read_bytes()
        except FileNotFoundError as error:
            raise PermanentPortError(f"no object {key!r}") from error

    def try_read_object(self, key: str) -> bytes | None:
        return self.read_object(key) if (self._root / key).exists() else None

    def stream_object(self, ref: ObjectRef) -> Iterator[bytes]:
        yield self.read_object(ref.key)

    def write_object(self, key: str, body: bytes) -> ObjectRef:
        path = self._root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
        part.write_bytes(body)
        os.replace(part, path)  # noqa: PTH105
        ref = self.head_object(key)
        assert ref is not None
        return ref

    def delete_object(self, key: str) -> None:
        (self._root / key).unlink(missing_ok=True)

    def read_beginning(self, key: str, size_bytes: int) -> bytes:
        return self.read_object(key)[:size_bytes]
