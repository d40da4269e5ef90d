"""How the embedded index lies in an object store: immutable versions and one pointer.

Belongs here: reading and writing versions, the pointer, retention. Does not belong here:
embedding, searching (`embedded_index`).

    <prefix>/versions/<version>/{chunks.jsonl,vectors.npz,lexical.npz,manifest.json}
    <prefix>/current.json       which version is in force, and which are retained

A version is written once, its manifest last, and the pointer after that: a reader finds the old
version or the new one, whole. Nothing is pickled. Digests in the manifest tell damage.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from ocsf_pipeline.knowledge.chunks import ClassChunk
from ocsf_pipeline.ports import ObjectStore, PermanentPortError

FORMAT = 1
RETAINED_VERSIONS = 5
_FILES = ("chunks.jsonl", "vectors.npz", "lexical.npz")
_CHUNK = TypeAdapter(ClassChunk)
_LEFT_OVER_AFTER = timedelta(days=1)
"""Objects of no retained version are left by killed writers; younger ones may be in use."""

_Strict = ConfigDict(extra="forbid", frozen=True)


class ArtefactError(Exception):
    """A version is missing, damaged or of another format; the message says which."""


@dataclass(frozen=True)
class Artefact:
    """One version of the index, in memory."""

    corpus_version: str
    embedder: str
    chunks: tuple[ClassChunk, ...]
    """Sorted by id; row i of `vectors` and document i of `lexical` belong to chunk i."""
    vectors: npt.NDArray[np.float16]
    """Shape [chunks, dimensions], of length 1."""
    lexical: dict[str, npt.NDArray[np.uint8]]
    """The files of a saved BM25 index, by name."""

    @property
    def version(self) -> str:
        """Name of the version: what is in it and how it was embedded."""
        return name_version(self.corpus_version, self.embedder)


def name_version(corpus_version: str, embedder: str) -> str:
    """Return the name under which a corpus embedded by `embedder` is stored."""
    digest = hashlib.sha256(f"{FORMAT}\n{embedder}".encode()).hexdigest()
    return f"{corpus_version}-{digest[:8]}"


def read_corpus_version(name: str) -> str:
    """Return the version of the corpus that a name of `name_version` begins with."""
    return name.partition("-")[0]


class _Manifest(BaseModel):
    model_config = _Strict

    format: int
    corpus_version: str
    embedder: str
    chunk_count: int
    sha256: dict[str, str]


class Pointer(BaseModel):
    """What `current.json` holds."""

    model_config = _Strict

    version: str
    retained: tuple[str, ...]
    """Oldest first; the last is the one that came into force last."""


class ArtefactStore:
    """Versions of the index under `prefix` of an object store."""

    def __init__(
        self, store: ObjectStore, prefix: str, retained_versions: int = RETAINED_VERSIONS
    ) -> None:
        self._store = store
        self._prefix = prefix.strip("/")
        self._retained_versions = max(1, retained_versions)

    def read_stamp(self) -> str | None:
        """Return what changes when the pointer is rewritten; None when there is no index."""
        ref = self._store.head_object(self._pointer_key)
        return None if ref is None else ref.version

    def read_pointer(self) -> Pointer | None:
        """Return the pointer, or None when there is no index. Raises ArtefactError when damaged."""
        if self._store.head_object(self._pointer_key) is None:
            return None
        try:
            return Pointer.model_validate_json(self._store.read_object(self._pointer_key))
        except ValidationError as error:
            raise ArtefactError(f"{self._pointer_key} is damaged") from error

    def write_pointer(self, version: str) -> Pointer:
        """Put `version` in force and delete what is no longer retained."""
        try:
            before = self.read_pointer()
        except ArtefactError:
            before = None  # the new pointer heals it
        earlier = [name for name in (before.retained if before else ()) if name != version]
        retained = (*earlier, version)[-self._retained_versions :]
        pointer = Pointer(version=version, retained=retained)
        ref = self._store.write_object(
            self._pointer_key, pointer.model_dump_json(indent=1).encode()
        )
        dropped = set(earlier) - set(retained)
        for stored in list(self._store.list_objects(self._versions_folder)):
            name = stored.key.removeprefix(f"{self._versions_folder}/").split("/", 1)[0]
            is_old = stored.last_modified < ref.last_modified - _LEFT_OVER_AFTER
            if name in dropped or (name not in retained and is_old):
                self._store.delete_object(stored.key)
        return pointer

    def write_version(self, artefact: Artefact) -> None:
        """Store a version, manifest last. Writing the same version again changes nothing."""
        bodies = {
            "chunks.jsonl": _dump_chunks(artefact.chunks),
            "vectors.npz": _dump_arrays({"vectors": artefact.vectors}),
            "lexical.npz": _dump_arrays(artefact.lexical),
        }
        manifest = _Manifest(
            format=FORMAT,
            corpus_version=artefact.corpus_version,
            embedder=artefact.embedder,
            chunk_count=len(artefact.chunks),
            sha256={name: hashlib.sha256(body).hexdigest() for name, body in bodies.items()},
        )
        for name, body in bodies.items():
            self._store.write_object(self._key(artefact.version, name), body)
        self._store.write_object(
            self._key(artefact.version, "manifest.json"),
            manifest.model_dump_json(indent=1).encode(),
        )

    def has_version(self, version: str) -> bool:
        """True when the version was written to its end."""
        return self._store.head_object(self._key(version, "manifest.json")) is not None

    def read_version(self, version: str) -> Artefact:
        """Read a version and check it. Raises ArtefactError when it cannot be used."""
        try:
            manifest = _Manifest.model_validate_json(
                self._store.read_object(self._key(version, "manifest.json"))
            )
            bodies = {name: self._store.read_object(self._key(version, name)) for name in _FILES}
        except PermanentPortError as error:
            raise ArtefactError(f"version {version} is incomplete: {error}") from error
        except ValidationError as error:
            raise ArtefactError(f"version {version}: manifest.json is damaged") from error
        if manifest.format != FORMAT:
            raise ArtefactError(f"version {version} has format {manifest.format}, not {FORMAT}")
        for name, body in bodies.items():
            if hashlib.sha256(body).hexdigest() != manifest.sha256.get(name):
                raise ArtefactError(f"version {version}: {name} is damaged")
        return Artefact(
            corpus_version=manifest.corpus_version,
            embedder=manifest.embedder,
            chunks=_load_chunks(bodies["chunks.jsonl"]),
            vectors=_load_arrays(bodies["vectors.npz"])["vectors"],
            lexical=_load_arrays(bodies["lexical.npz"]),
        )

    @property
    def _pointer_key(self) -> str:
        return f"{self._prefix}/current.json"

    @property
    def _versions_folder(self) -> str:
        return f"{self._prefix}/versions"

    def _key(self, version: str, name: str) -> str:
        return f"{self._versions_folder}/{version}/{name}"


def _dump_chunks(chunks: tuple[ClassChunk, ...]) -> bytes:
    return "".join(f"{json.dumps(asdict(chunk))}\n" for chunk in chunks).encode()


def _load_chunks(body: bytes) -> tuple[ClassChunk, ...]:
    return tuple(_CHUNK.validate_json(line) for line in body.splitlines())


def _dump_arrays(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _load_arrays(body: bytes) -> dict[str, npt.NDArray[Any]]:
    with np.load(io.BytesIO(body), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}
