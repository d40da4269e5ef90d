"""What the tables hold of an hour, told by the listing it was made of: one small record per hour.

Belongs here: digests of listings, and keeping them. Does not belong here: comparing them with the
object store (`drops`). The record is written last, when the hour's rows are visible: an hour that
was read but not written does not count as done.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime

from ocsf_pipeline.ports import ObjectStore
from ocsf_pipeline.steps.artefacts import read_json, write_json


def digest_listing(entries: Iterable[tuple[str, str]]) -> str:
    """Return a digest of (key, version) pairs in any order; '' for none."""
    ordered = sorted(entries)
    if not ordered:
        return ""
    return hashlib.sha256(json.dumps(ordered).encode()).hexdigest()[:16]


def record_listing(
    artefacts: ObjectStore, hour: datetime, entries: Iterable[tuple[str, str]]
) -> None:
    """Remember that the tables hold `hour` as these (key, version) pairs make it."""
    digest = digest_listing(entries)
    if read_listing(artefacts, hour) != digest:
        write_json(artefacts, _name(hour), {"listing": digest})


def read_listing(artefacts: ObjectStore, hour: datetime) -> str | None:
    """Return the digest of what the tables hold of `hour`; None when it was never written."""
    document = read_json(artefacts, _name(hour))
    return None if document is None else str(document["listing"])


def _name(hour: datetime) -> str:
    return f"events/listings/{hour.astimezone(UTC):%Y-%m-%d-%H}.json"
