"""Where the pipeline keeps what it made, as objects: names, frames, JSON, pointers.

Belongs here: reading and writing artefacts through the ObjectStore port. Does not belong here: what
they hold. Content lies under names that never change; a small pointer, written last, says which
content is in force, so that a kill at any point leaves the old state or the new one.
"""

from __future__ import annotations

import io
import json
from typing import Any

import polars as pl

from ocsf_pipeline.ports import ObjectStore

Json = dict[str, Any]


def write_frame(store: ObjectStore, key: str, frame: pl.DataFrame) -> None:
    """Store a frame as Parquet."""
    buffer = io.BytesIO()
    # The lowest level of zstd takes no longer than LZ4 here, and a third of the bytes.
    frame.write_parquet(buffer, compression="zstd", compression_level=1, statistics=False)
    store.write_object(key, buffer.getvalue())


def read_frame(store: ObjectStore, key: str, columns: list[str] | None = None) -> pl.DataFrame:
    """Read a frame written by `write_frame`."""
    return pl.read_parquet(io.BytesIO(store.read_object(key)), columns=columns)


def write_json(store: ObjectStore, key: str, document: Json) -> None:
    """Store a small JSON document, keys sorted, so that equal content is equal bytes."""
    store.write_object(key, json.dumps(document, sort_keys=True, indent=1).encode())


def read_json(store: ObjectStore, key: str) -> Json | None:
    """Return the JSON document under `key`, or None when there is none."""
    body = store.try_read_object(key)
    if body is None:
        return None
    document: Json = json.loads(body)
    return document


def has_object(store: ObjectStore, key: str) -> bool:
    """Whether there is an object under `key`."""
    return store.head_object(key) is not None
