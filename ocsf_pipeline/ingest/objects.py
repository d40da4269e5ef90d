"""How gathered batches lie in one object: its key, its bytes, and the digests that it carries.

Belongs here: the form of objects that this endpoint writes. Does not belong here: writing them
(`gather`), what their lines say.

An object is zstd: first a skippable frame with the digests of its batches, which every zstd reader
passes over, then the lines. So one atomic write makes the batches durable and says which they are;
whoever starts later reads the beginnings and knows a retry of a batch that it never saw.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import zstandard

from ocsf_pipeline.ingest.lines import Lines
from ocsf_pipeline.logs.layout import format_hour_folder

FOLDER = "ingest"
_LEVEL = 3
_DIGEST_BYTES = 16
_SKIPPABLE_MAGIC = 0x184D2A5D
_MARK = b"ocsf-ingest-1\0"
_HEAD = struct.Struct("<II")
_INSTANCE = re.compile(r"/[0-9]{8}T[0-9]{6}\.[0-9]{6}-([0-9a-f]{8})-[0-9]+\.")


@dataclass(frozen=True)
class Batch:
    """One request, decoded."""

    digest: bytes
    lines: Lines


def digest_request(*parts: bytes) -> bytes:
    """Return what identifies a request: who sent it, where to, and its text."""
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()


def encode_object(batches: Sequence[Batch]) -> bytes:
    """Return the object of `batches`: their digests, then their lines, compressed."""
    carried = _MARK + b"".join(batch.digest for batch in batches)
    head = _HEAD.pack(_SKIPPABLE_MAGIC, len(carried)) + carried
    text = b"".join(batch.lines.data for batch in batches)
    return head + zstandard.ZstdCompressor(level=_LEVEL).compress(text)


def measure_head(beginning: bytes) -> int:
    """Return how many bytes from the beginning of an object hold its digests; 0 when none do."""
    if len(beginning) < _HEAD.size:
        return 0
    magic, size = _HEAD.unpack_from(beginning)
    return _HEAD.size + size if magic == _SKIPPABLE_MAGIC else 0


def read_digests(beginning: bytes) -> list[bytes]:
    """Return the digests that an object carries; none for an object of others, or cut off."""
    end = measure_head(beginning)
    carried = beginning[_HEAD.size : end]
    if not end or len(beginning) < end or not carried.startswith(_MARK):
        return []
    digests = carried[len(_MARK) :]
    return [digests[at : at + _DIGEST_BYTES] for at in range(0, len(digests), _DIGEST_BYTES)]


def make_key(prefix: str, now: datetime, instance: str, number: int, is_alone: bool) -> str:
    """Return the key of an object written at `now` (UTC); unique by `instance` and `number`."""
    ending = "log.zst" if is_alone else "ndjson.zst"
    return f"{_minute_folder(prefix, now)}/{now:%Y%m%dT%H%M%S.%f}-{instance}-{number}.{ending}"


def list_minute_folders(prefix: str, since: datetime, until: datetime) -> list[str]:
    """Return the folders that objects written in the time from `since` to `until` lie in."""
    minute = since.astimezone(UTC).replace(second=0, microsecond=0)
    folders = []
    while minute <= until:
        folders.append(_minute_folder(prefix, minute))
        minute += timedelta(minutes=1)
    return folders


def parse_instance(key: str) -> str | None:
    """Return which instance wrote `key`; None for a key of others."""
    match = _INSTANCE.search(key)
    return match[1] if match else None


def _minute_folder(prefix: str, moment: datetime) -> str:
    """Minutes bound what must be listed to find the latest objects; the layout knows hours only."""
    return f"{format_hour_folder(prefix, moment)}/{FOLDER}/{moment:%M}"
