"""A local folder whose objects survive a loss of power: written, forced to disk, then renamed.

Belongs here: durable writes. Does not belong here: anything else of the port, which obstore does.
obstore renames too, but forces nothing to disk; artefacts can be made again, so they do without.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from obstore.store import LocalStore

from ocsf_pipeline.adapters.object_store import ObstoreObjects
from ocsf_pipeline.ports import ObjectRef, TransientPortError


class DurableFolder(ObstoreObjects):
    """Objects in a folder; `write_object` returns when the object and its name are on disk."""

    def __init__(self, folder: Path) -> None:
        """Make the folder where it is missing."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder.resolve()
        super().__init__(LocalStore(self._folder), str(self._folder))

    def write_object(self, key: str, body: bytes) -> ObjectRef:
        """Store `body` atomically and durably; TransientPortError when the disk refuses."""
        path = self._folder / key
        # obstore's own mark of an unfinished write, so that listings leave it out.
        part = path.with_name(f"{path.name}#{uuid.uuid4().hex}")
        try:
            _make_folders(path.parent)
            try:
                _write_through(part, body)
                part.replace(path)
            except OSError:
                part.unlink(missing_ok=True)
                raise
            _sync_folder(path.parent)
        except OSError as error:
            raise TransientPortError(
                f"writing {key} in {self._folder} failed: {error}; check space and permissions"
            ) from error
        ref = self.head_object(key)
        if ref is None:
            raise TransientPortError(f"{key} vanished from {self._folder} while it was written")
        return ref


def _make_folders(folder: Path) -> None:
    """Make a folder and force its name, and those of new parents, to disk."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for new in reversed(missing):
        new.mkdir(exist_ok=True)
        _sync_folder(new.parent)


def _write_through(path: Path, body: bytes) -> None:
    with path.open("xb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
