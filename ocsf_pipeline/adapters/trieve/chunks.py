"""A class chunk as Trieve stores it, and back: names, tags, metadata, seals.

Belongs here: the two shapes and what tells that somebody else touched a chunk. Does not belong
here: requests (`dataset`).

What is read back comes from `metadata`: tags of an updated chunk keep the old ones as well.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ocsf_pipeline.knowledge.chunks import ClassChunk

CHUNK_TAG = "ocsf-pipeline-chunk"
"""On every chunk of ours: only these are searched, compared and removed."""
MARKER_TAG = "ocsf-pipeline-version"
MARKER_ID = "ocsf-pipeline-version"
"""Tracking id of the one chunk that says which corpus the dataset holds as a whole."""
_PREFIX = "ocsf:"
_PLAIN_ID = re.compile(r"[A-Za-z0-9._:\-]{1,200}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
MAX_TEXT_CHARS = 12_000
"""Dense vectors see no more; what the corpus holds is far shorter."""

Json = dict[str, Any]
OURS: Json = {"must": [{"field": "tag_set", "match_any": [CHUNK_TAG]}]}
"""The filter of every search and of every listing."""


@dataclass(frozen=True)
class StoredChunk:
    """One chunk of ours as the server gives it back."""

    server_id: str
    tracking_id: str
    chunk_id: str
    build_id: str
    content_hash: str
    """Of the chunk that was sent; empty when what is stored is no longer that."""


def name_tracking_id(chunk_id: str) -> str:
    """Return the tracking id of a chunk: its own id where that is safe in a path, else a hash."""
    if _PLAIN_ID.fullmatch(chunk_id):
        return _PREFIX + chunk_id
    return f"{_PREFIX}sha256:{hashlib.sha256(chunk_id.encode()).hexdigest()}"


def name_build(chunks: Iterable[ClassChunk]) -> str:
    """Return the id of a batch: the same chunks give the same id, also after a crash."""
    hashes = sorted(chunk.content_hash for chunk in chunks)
    return hashlib.sha256(json.dumps(hashes).encode()).hexdigest()[:24]


def clean_text(text: str, longest: int) -> str:
    """Return text that every part of the server stores: no control characters, cut."""
    return _CONTROL.sub(" ", text[:longest])


def make_payload(chunk: ClassChunk, build_id: str) -> Json:
    """Return the body that stores `chunk`.

    The text is escaped, so that a log that looks like HTML is one text and no tree of elements:
    the server would index the text of each nested element again.
    """
    metadata: Json = {
        "chunk_id": chunk.chunk_id,
        "class_uid": chunk.class_uid,
        "kind": chunk.kind,
        "activity_id": chunk.activity_id,
        "product": chunk.product,
        "content_hash": chunk.content_hash,
        "build_id": build_id,
    }
    # An empty text would be dropped without a word.
    text = html.escape(clean_text(chunk.text, MAX_TEXT_CHARS), quote=False).strip() or chunk.kind
    return {
        "chunk_html": text,
        "tracking_id": name_tracking_id(chunk.chunk_id),
        "upsert_by_tracking_id": True,
        "tag_set": [CHUNK_TAG],
        "metadata": {**metadata, "seal": _seal(text, metadata)},
    }


def make_marker(corpus_version: str, chunk_count: int) -> Json:
    """Return the body of the chunk that says that the dataset holds a corpus as a whole."""
    return {
        "chunk_html": "The version of the corpus that this dataset holds.",
        "tracking_id": MARKER_ID,
        "upsert_by_tracking_id": True,
        "tag_set": [MARKER_TAG],
        "metadata": {"corpus_version": corpus_version, "chunk_count": chunk_count},
    }


def read_stored(document: Json) -> StoredChunk | None:
    """Return what a chunk of the server is to us; None when it has no tracking id of ours."""
    tracking_id = str(document.get("tracking_id") or "")
    if not tracking_id.startswith(_PREFIX):
        return None
    metadata = document.get("metadata")
    if not isinstance(metadata, dict):
        metadata = {}
    chunk_id = str(metadata.get("chunk_id") or "")
    is_named_right = name_tracking_id(chunk_id) == tracking_id
    sealed = str(metadata.get("seal")) == _seal(str(document.get("chunk_html") or ""), metadata)
    return StoredChunk(
        server_id=str(document["id"]),
        tracking_id=tracking_id,
        chunk_id=chunk_id if is_named_right else tracking_id.removeprefix(_PREFIX),
        build_id=str(metadata.get("build_id") or ""),
        content_hash=str(metadata.get("content_hash")) if sealed and is_named_right else "",
    )


def filter_build(build_id: str) -> Json:
    """Return the filter for the chunks of one batch; the server evaluates it on the vectors' side.

    So it finds a chunk only once its vectors are stored, and not one of which only the text is.
    """
    return {"must": [*OURS["must"], {"field": "metadata.build_id", "match_any": [build_id]}]}


def cut_batches(chunks: Sequence[ClassChunk], size: int) -> list[tuple[ClassChunk, ...]]:
    """Return the chunks in batches of at most `size`."""
    return [tuple(chunks[start : start + size]) for start in range(0, len(chunks), size)]


def _seal(text: str, metadata: Json) -> str:
    """Return a digest of all that was sent and matters; it tells edits, not forgeries."""
    names = ("chunk_id", "class_uid", "kind", "activity_id", "product", "content_hash")
    sealed = json.dumps([text, *(metadata.get(name) for name in names)])
    return hashlib.sha256(sealed.encode()).hexdigest()[:32]
