"""ObjectStore over obstore: a local folder, S3 and compatibles, GCS, Azure, chosen by URL.

Belongs here: the port's methods on an obstore store, turning its errors into the port's. Does not
belong here: what the objects mean, which URL to use (`resources`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import BaseError, NotFoundError, PreconditionError
from obstore.store import LocalStore, from_url

from ocsf_pipeline.ports import ObjectRef, PermanentPortError, TransientPortError

_PIECE_BYTES = 4 << 20
_LIST_CHUNK = 1_000
_UNFINISHED = "#"  # obstore's local store stages a write as `<key>#<number>` beside the object
# Options of the connection; obstore takes them apart from those of the store.
_CLIENT_OPTIONS = frozenset(
    {"allow_http", "allow_invalid_certificates", "connect_timeout", "proxy_url", "timeout"}
)
# Some seconds of patience with a store that stumbles; Dagster's own retries come after.
_RETRIES: dict[str, Any] = {
    "max_retries": 4,
    "retry_timeout": timedelta(seconds=60),
    "backoff": {
        "init_backoff": timedelta(milliseconds=100),
        "max_backoff": timedelta(seconds=5),
        "base": 2,
    },
}


def open_object_store(url: str, options: Mapping[str, str] | None = None) -> ObstoreObjects:
    """Open the store at `url`: a path or file:// URL, s3://, gs://, az:// with an optional prefix.

    `options` are obstore's own (endpoint, region, credentials …); what is absent is taken from the
    environment that the cloud's own tools read. A local folder is made where it is missing.
    Raises PermanentPortError for a URL that names no kind of store.
    """
    if "://" not in url or url.startswith("file://"):
        folder = Path(url.removeprefix("file://")).expanduser().resolve()
        folder.mkdir(parents=True, exist_ok=True)
        return ObstoreObjects(LocalStore(folder), str(folder))
    try:
        given = dict(options or {})
        client = {name: given.pop(name) for name in _CLIENT_OPTIONS & given.keys()}
        store = from_url(url, client_options=client, retry_config=_RETRIES, **given)  # type: ignore[call-overload]
    except (BaseError, ValueError) as error:
        raise PermanentPortError(
            f"object store {url!r} cannot be opened: {error}; use a folder, s3://bucket/prefix, "
            "gs://bucket/prefix or az://container/prefix"
        ) from error
    return ObstoreObjects(store, url)


class ObstoreObjects:
    """Objects under one root of any store that obstore knows."""

    def __init__(self, store: Any, description: str) -> None:
        self._store = store
        self._description = description

    def __repr__(self) -> str:
        return f"ObstoreObjects({self._description})"

    def list_objects(self, prefix: str) -> Iterator[ObjectRef]:
        """Yield every object below the folder `prefix` ('' for all), sorted by key."""
        with _port_errors(f"listing {prefix or 'all objects'} in {self._description}"):
            metas = [
                meta
                for chunk in obstore.list(
                    self._store, prefix=_folder(prefix), chunk_size=_LIST_CHUNK
                )
                for meta in chunk
            ]
        for meta in sorted(metas, key=lambda item: str(item["path"])):
            ref = _make_ref(meta)
            if _UNFINISHED not in ref.key.rsplit("/", 1)[-1]:
                yield ref

    def list_folders(self, prefix: str) -> list[str]:
        """Return the names of the folders directly below `prefix`, sorted."""
        with _port_errors(f"listing folders of {prefix or 'the root'} in {self._description}"):
            found = obstore.list_with_delimiter(self._store, prefix=_folder(prefix))
        return sorted(str(name).rstrip("/").rsplit("/", 1)[-1] for name in found["common_prefixes"])

    def head_object(self, key: str) -> ObjectRef | None:
        """Return the object's current reference, or None when there is none."""
        try:
            with _port_errors(f"looking at {key} in {self._description}"):
                return _make_ref(obstore.head(self._store, key))
        except _MissingObjectError:
            return None

    def read_object(self, key: str) -> bytes:
        """Return the whole content. Raises PermanentPortError when there is no such object."""
        with _port_errors(f"reading {key} in {self._description}"):
            return bytes(obstore.get(self._store, key).bytes())

    def stream_object(self, ref: ObjectRef) -> Iterator[bytes]:
        """Yield the content of `ref.version` in pieces; TransientPortError when it was replaced."""
        with _port_errors(f"reading {ref.key} in {self._description}"):
            result = obstore.get(self._store, ref.key)
            found = _make_ref(result.meta)
            if found.version != ref.version:
                raise TransientPortError(
                    f"{ref.key} was replaced while it was being read (version {ref.version} became "
                    f"{found.version}); it is read again at the next run"
                )
            for piece in result.stream(min_chunk_size=_PIECE_BYTES):
                yield bytes(piece)

    def write_object(self, key: str, body: bytes) -> ObjectRef:
        """Store `body` atomically and return its reference."""
        with _port_errors(f"writing {key} in {self._description}"):
            obstore.put(self._store, key, body)
            return _make_ref(obstore.head(self._store, key))

    def delete_object(self, key: str) -> None:
        """Remove `key`; silent when it does not exist."""
        try:
            with _port_errors(f"deleting {key} in {self._description}"):
                obstore.delete(self._store, key)
        except _MissingObjectError:
            return

    def read_beginning(self, key: str, size_bytes: int) -> bytes:
        """Return the first bytes of an object. Raises PermanentPortError when there is none."""
        with _port_errors(f"reading {key} in {self._description}"):
            # A range request of an empty object is an error, so its size is asked for.
            size = min(size_bytes, int(obstore.head(self._store, key)["size"]))
            if not size:
                return b""
            return bytes(obstore.get_range(self._store, key, start=0, length=size))


class _MissingObjectError(PermanentPortError):
    """There is no such object."""


class _port_errors:  # noqa: N801 - used as a context manager, reads as a verb phrase
    """Turn obstore's errors into the port's, saying what was being done."""

    def __init__(self, doing: str) -> None:
        self._doing = doing

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (NotFoundError, FileNotFoundError)):
            raise _MissingObjectError(f"{self._doing}: no such object") from error
        if isinstance(error, PreconditionError):
            raise TransientPortError(f"{self._doing}: the object changed meanwhile") from error
        if isinstance(error, (BaseError, OSError)):
            raise TransientPortError(
                f"{self._doing} failed: {error}; check the store's address, credentials and network"
            ) from error


def _folder(prefix: str) -> str | None:
    return prefix.strip("/") + "/" if prefix.strip("/") else None


def _make_ref(meta: Any) -> ObjectRef:
    modified = meta["last_modified"].astimezone(UTC)
    version = meta.get("e_tag") or f"{modified.isoformat()}-{meta['size']}"
    return ObjectRef(
        key=str(meta["path"]),
        version=str(version).strip('"'),
        size_bytes=int(meta["size"]),
        last_modified=modified,
    )
