"""ObjectStore over obstore: a local folder, S3 and compatibles, GCS, Azure, chosen by URL.

Belongs here: the port's methods on an obstore store, turning its errors into the port's. Does not
belong here: what the objects mean, which URL to use (`opening`), reading URLs (`object_urls`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import obstore
from obstore.exceptions import (
    BaseError,
    InvalidPathError,
    NotFoundError,
    NotSupportedError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import LocalStore, from_url

from ocsf_pipeline.adapters.object_urls import parse_store_url
from ocsf_pipeline.ports import (
    ObjectChangedError,
    ObjectRef,
    PermanentPortError,
    PortError,
    TransientPortError,
)

_PIECE_BYTES = 8 << 20
_LIST_CHUNK = 1_000
_MESSAGE_CHARS = 400
_STATUS = re.compile(r"non-2xx status code: (\d{3})")
_REFUSALS = (PermissionDeniedError, UnauthenticatedError, PermissionError)
# obstore's local store stages a write as `<key>#<number>` beside the object.
_STAGED = re.compile(r"#\d+$")
# Some seconds of patience with a store that stumbles or throttles; Dagster's retries come after.
_RETRIES: dict[str, Any] = {
    "max_retries": 6,
    "retry_timeout": timedelta(seconds=90),
    "backoff": {
        "init_backoff": timedelta(milliseconds=100),
        "max_backoff": timedelta(seconds=10),
        "base": 2,
    },
}
_CLIENT_OPTIONS: dict[str, Any] = {
    # https is what every store has by default: whoever names an http:// endpoint means it.
    "allow_http": True,
    "connect_timeout": timedelta(seconds=5),
    "timeout": timedelta(seconds=60),  # of one request: a piece, a page of a listing, a write
}


def open_object_store(url: str, options: Mapping[str, str] | None = None) -> ObstoreObjects:
    """Open the store at `url`: a path or file:// URL, s3://, gs://, az:// with an optional prefix.

    Options of the store (endpoint, region, …) stand behind a `?` in the URL or in `options`; what
    is absent, credentials above all, is taken from the environment that the cloud's own tools read,
    or from the machine's identity. A local folder is made where it is missing.
    Raises PermanentPortError for a URL that names no kind of store.
    """
    place = parse_store_url(url, options)
    if place.folder is not None:
        try:
            place.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PermanentPortError(
                f"the folder {place.folder} cannot be made: {error}; give one that this user may "
                "write"
            ) from error
        return ObstoreObjects(LocalStore(place.folder), place.name)
    try:
        store = from_url(  # type: ignore[call-overload]
            place.name,
            client_options={**_CLIENT_OPTIONS, **place.client_options},
            retry_config=_RETRIES,
            **place.options,
        )
    except (BaseError, ValueError) as error:
        raise PermanentPortError(
            f"object store {place.name!r} cannot be opened: {_cut(error)}; use a folder, "
            "s3://bucket/prefix, gs://bucket/prefix or az://container/prefix"
        ) from error
    return ObstoreObjects(store, place.name)


class ObstoreObjects:
    """Objects under one root of any store that obstore knows."""

    def __init__(self, store: Any, description: str) -> None:
        self._store = store
        self._description = description
        self._is_folder = isinstance(store, LocalStore)

    def __repr__(self) -> str:
        return f"ObstoreObjects({self._description})"

    def list_objects(self, prefix: str) -> Iterator[ObjectRef]:
        """Yield every object below the folder `prefix` ('' for all), sorted by key."""
        with _port_errors(f"listing {prefix or 'all objects'} in {self._description}"):
            refs = [
                _make_ref(meta)
                for chunk in obstore.list(
                    self._store, prefix=_folder(prefix), chunk_size=_LIST_CHUNK
                )
                for meta in chunk
            ]
        folder = prefix.strip("/")
        for ref in sorted(refs, key=lambda item: item.key):
            # Consoles mark a folder by an empty object of its name, which is no object of ours.
            is_marker = ref.key == folder and not ref.size_bytes
            if not is_marker and not (self._is_folder and _STAGED.search(ref.key)):
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

    def try_read_object(self, key: str) -> bytes | None:
        """Return the whole content, or None when there is no such object."""
        try:
            return self.read_object(key)
        except _MissingObjectError:
            return None

    def stream_object(self, ref: ObjectRef) -> Iterator[bytes]:
        """Yield the content of `ref.version` in pieces; ObjectChangedError when it is no more.

        Each piece is a request of its own, so that a slow reader holds no connection open and a
        request that fails costs one piece.
        """
        for start in range(0, ref.size_bytes, _PIECE_BYTES):
            end = min(start + _PIECE_BYTES, ref.size_bytes)
            yield self._read_piece(ref, start, end)

    def _read_piece(self, ref: ObjectRef, start: int, end: int) -> bytes:
        doing = f"reading {ref.key} in {self._description}"
        try:
            with _port_errors(doing):
                result = obstore.get(self._store, ref.key, options={"range": (start, end)})
                found = _make_ref(result.meta)
                piece = bytes(result.bytes()) if found.version == ref.version else b""
        except PortError as error:
            # A piece beyond the end of a shorter object fails like a broken store: look which.
            current = self.head_object(ref.key)
            if current is None:
                raise ObjectChangedError(f"{ref.key} was deleted since it was listed") from error
            if current.version == ref.version:
                raise
            found, piece = current, b""
        if found.version != ref.version:
            raise ObjectChangedError(
                f"{ref.key} was replaced while it was being read (version {ref.version} became "
                f"{found.version}); it is read again"
            )
        if len(piece) != end - start:
            raise TransientPortError(
                f"{doing}: {len(piece)} bytes came instead of {end - start}; it is read again"
            )
        return piece

    def write_object(self, key: str, body: bytes) -> ObjectRef:
        """Store `body` atomically and return its reference; its time is this machine's."""
        with _port_errors(f"writing {key} in {self._description}"):
            stored = obstore.put(self._store, key, body)
            if stored["e_tag"] is None:
                return _make_ref(obstore.head(self._store, key))
        now = datetime.now(UTC)
        return ObjectRef(key, _strip_quotes(str(stored["e_tag"])), len(body), now)

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
    """There is no such object, or no such bucket."""


class _port_errors:  # noqa: N801 - used as a context manager, reads as a verb phrase
    """Turn obstore's errors into the port's, saying what was being done."""

    def __init__(self, doing: str) -> None:
        self._doing = doing

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (BaseError, OSError, ValueError)):
            raise _translate(error, self._doing) from error


def _translate(error: BaseException, doing: str) -> PortError:
    status = _read_status(error)
    if isinstance(error, (NotFoundError, FileNotFoundError)) or status == 404:
        return _MissingObjectError(
            f"{doing}: there is no such object, bucket or container; check the name"
        )
    if isinstance(error, PreconditionError):
        return ObjectChangedError(f"{doing}: the object changed meanwhile")
    if isinstance(error, _REFUSALS) or status in {401, 403}:
        return PermanentPortError(
            f"{doing} is not allowed: {_cut(error)}; check the credentials, what they may do, and "
            "the clock of this machine"
        )
    if isinstance(error, (InvalidPathError, NotSupportedError, ValueError)):
        return PermanentPortError(
            f"{doing} is not possible: {_cut(error)}; names must not have empty parts, '.', '..' "
            "or control characters: rename the object"
        )
    return TransientPortError(
        f"{doing} failed: {_cut(error)}; check the store's address, credentials and network"
    )


def _read_status(error: BaseException) -> int | None:
    """Return the HTTP status that a listing failed with; obstore has it in the text only."""
    found = _STATUS.search(str(error))
    return int(found.group(1)) if found else None


def _cut(error: BaseException) -> str:
    """Return what an error says, without the internals that obstore prints below it."""
    return " ".join(str(error).partition("\n\nDebug source")[0].split())[:_MESSAGE_CHARS]


def _folder(prefix: str) -> str | None:
    return prefix.strip("/") + "/" if prefix.strip("/") else None


def _make_ref(meta: Any) -> ObjectRef:
    modified = meta["last_modified"].astimezone(UTC)
    version = meta.get("e_tag") or f"{modified.isoformat()}-{meta['size']}"
    return ObjectRef(
        key=str(meta["path"]),
        version=_strip_quotes(str(version)),
        size_bytes=int(meta["size"]),
        last_modified=modified,
    )


def _strip_quotes(version: str) -> str:
    return version.strip('"')
