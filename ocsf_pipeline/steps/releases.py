"""Releases of what is known, and going back to one.

A release is a pair of texts about the classes and labelled examples that knowledge base and ranker
were made of together. All of them stay. `pin_release` says that the next materialisation of
`knowledge_base` and `class_ranker` shall be of an earlier one; hours then follow as after any other
change. It works for every ClassIndex, since the index is made to hold what the release held.

Belongs here: the records of releases, the pin. Does not belong here: making knowledge
(`knowledge`), what a release changes in decisions (`reclassify`).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime

from ocsf_pipeline.ports import ObjectStore, PermanentPortError
from ocsf_pipeline.steps.artefacts import read_json, write_json

_RELEASES = "knowledge/releases"
_PIN = "knowledge/pin.json"


@dataclass(frozen=True)
class Release:
    """What knowledge base and ranker were made of at one time."""

    version: str
    """Of the corpus: the knowledge_version of decisions and events."""
    index_name: str
    """Of the copy of the knowledge base that the ranker is for."""
    ranker_version: str
    schema_version: str
    class_chunks: str
    """Version of that asset."""
    labelled_examples: str
    """Version of that asset."""
    example_count: int
    threshold: float
    """Confidence from which on the ranker's decisions are accepted, unless a setting says so."""


@dataclass(frozen=True)
class ListedRelease:
    """A release and when it was made."""

    release: Release
    made_at: datetime
    is_in_force: bool
    is_pinned: bool


def record_release(artefacts: ObjectStore, release: Release) -> None:
    """Remember a release and that it is in force; safe to repeat."""
    key = f"{_RELEASES}/{release.version}-{release.ranker_version}.json"
    document = asdict(release)
    if read_json(artefacts, key) != document:
        write_json(artefacts, key, document)
    write_json(artefacts, "knowledge/release.json", document)


def list_releases(artefacts: ObjectStore) -> list[ListedRelease]:
    """Return all releases, the newest first."""
    in_force = read_json(artefacts, "knowledge/release.json")
    pinned = read_json(artefacts, _PIN) or {}
    found = [
        ListedRelease(
            Release(**document),
            ref.last_modified,
            is_in_force=document == in_force,
            is_pinned=document == pinned,
        )
        for ref in artefacts.list_objects(_RELEASES)
        if (document := read_json(artefacts, ref.key)) is not None
    ]
    return sorted(found, key=lambda item: item.made_at, reverse=True)


def find_release(artefacts: ObjectStore, version: str, index_name: str | None = None) -> Release:
    """Return the newest release, of that index, whose version begins with `version`.

    Raises PermanentPortError when there is none, or when several versions begin so.
    """
    releases = [
        item.release
        for item in list_releases(artefacts)
        if index_name in (None, item.release.index_name)
    ]
    matches = [item for item in releases if version and item.version.startswith(version)]
    if len({item.version for item in matches}) != 1:
        known = ", ".join(dict.fromkeys(item.version for item in releases)) or "none"
        raise PermanentPortError(f"no single release begins with {version!r}; there are: {known}")
    return matches[0]


def pin_release(artefacts: ObjectStore, version: str, schema_version: str) -> Release:
    """Hold knowledge base and ranker at a release from their next materialisation on.

    Raises PermanentPortError when it was made for another OCSF schema than the one in force.
    """
    release = find_release(artefacts, version)
    if release.schema_version != schema_version:
        raise PermanentPortError(
            f"release {release.version} was made for OCSF {release.schema_version}, and "
            f"{schema_version} is in force: set OCSF_PIPELINE_SCHEMA_VERSION to it and "
            "materialise `ocsf_schema` first"
        )
    write_json(artefacts, _PIN, asdict(release))
    return release


def unpin_release(artefacts: ObjectStore) -> bool:
    """Follow the newest chunks and examples again; return whether a release was pinned."""
    was_pinned = read_json(artefacts, _PIN) is not None
    artefacts.delete_object(_PIN)
    return was_pinned


def read_pin(artefacts: ObjectStore) -> Release | None:
    """Return the release that is pinned, or None."""
    document = read_json(artefacts, _PIN)
    return Release(**document) if document else None


def name_pin(artefacts: ObjectStore) -> str:
    """Return a text that changes whenever the pin does, for sensors."""
    ref = artefacts.head_object(_PIN)
    stamp = [ref.version, ref.last_modified.isoformat()] if ref else []
    return hashlib.sha256(json.dumps(stamp).encode()).hexdigest()[:16]
