"""An object store in memory that honours `ports.ObjectStore` and can be told to fail.

Belongs here: the fake alone. Every write gives the key a new version; the clock is a counter, so
tests are repeatable. `writes` records the keys in the order in which they were written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from ocsf_pipeline.ports import ObjectChangedError, ObjectRef, PermanentPortError

_EPOCH = datetime(2025, 1, 1, tzinfo=UTC)


class FakeObjectStore:
    """A dict of objects. Pass `before_write` to raise on chosen keys, as a crash would."""

    def __init__(
        self,
        objects: dict[str, bytes] | None = None,
        *,
        piece_bytes: int = 64 * 1024,
        before_write: Callable[[str], None] | None = None,
    ) -> None:
        self._bodies: dict[str, bytes] = {}
        self._refs: dict[str, ObjectRef] = {}
        self._piece_bytes = piece_bytes
        self._now = _EPOCH
        self._ticks = 0
        self.before_write = before_write
        self.writes: list[str] = []
        self.reads: list[str] = []
        self.deletes: list[str] = []
        for key, body in (objects or {}).items():
            self._store(key, body)

    def list_objects(self, prefix: str) -> Iterator[ObjectRef]:
        folder = _as_folder(prefix)
        yield from [self._refs[key] for key in sorted(self._refs) if key.startswith(folder)]

    def list_folders(self, prefix: str) -> list[str]:
        folder = _as_folder(prefix)
        rests = (key[len(folder) :] for key in self._refs if key.startswith(folder))
        return sorted({rest.split("/", 1)[0] for rest in rests if "/" in rest})

    def head_object(self, key: str) -> ObjectRef | None:
        return self._refs.get(key)

    def read_object(self, key: str) -> bytes:
        self.reads.append(key)
        if key not in self._bodies:
            raise PermanentPortError(f"no object {key!r}; check the key and the store's root")
        return self._bodies[key]

    def try_read_object(self, key: str) -> bytes | None:
        self.reads.append(key)
        return self._bodies.get(key)

    def stream_object(self, ref: ObjectRef) -> Iterator[bytes]:
        current = self._refs.get(ref.key)
        if current is None:
            raise ObjectChangedError(f"{ref.key!r} was deleted since it was listed; list again")
        if current.version != ref.version:
            raise ObjectChangedError(f"{ref.key!r} was replaced since it was listed; list again")
        body = self._bodies[ref.key]
        for start in range(0, len(body), self._piece_bytes):
            yield body[start : start + self._piece_bytes]

    def write_object(self, key: str, body: bytes) -> ObjectRef:
        if self.before_write is not None:
            self.before_write(key)
        self.writes.append(key)
        return self._store(key, body)

    def delete_object(self, key: str) -> None:
        self.deletes.append(key)
        self._bodies.pop(key, None)
        self._refs.pop(key, None)

    def read_beginning(self, key: str, size_bytes: int) -> bytes:
        return self.read_object(key)[:size_bytes]

    def advance(self, by: timedelta) -> None:
        """Let time pass, so that what is written from now on is that much younger."""
        self._now += by

    def _store(self, key: str, body: bytes) -> ObjectRef:
        self._ticks += 1
        ref = ObjectRef(
            key=key,
            version=f"v{self._ticks}",
            size_bytes=len(body),
            last_modified=self._now + timedelta(seconds=self._ticks),
        )
        self._bodies[key] = bytes(body)
        self._refs[key] = ref
        return ref


def _as_folder(prefix: str) -> str:
    return prefix if prefix == "" or prefix.endswith("/") else f"{prefix}/"
