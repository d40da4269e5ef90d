"""The object stores that the settings name.

Belongs here: choosing an ObjectStore. Does not belong here: other adapters (`opening`), which
bring clients and libraries of models with them; the endpoint of `ingest` starts without.
"""

from __future__ import annotations

from pathlib import Path

from ocsf_pipeline.adapters.durable_folder import DurableFolder
from ocsf_pipeline.adapters.object_store import open_object_store
from ocsf_pipeline.ports import ObjectStore
from ocsf_pipeline.settings import Settings


def open_objects(settings: Settings) -> ObjectStore:
    """Return the store that raw logs are dropped into."""
    return open_object_store(settings.resolved_objects_url)


def open_ingest_objects(settings: Settings) -> ObjectStore:
    """Return the same store for writing what was pushed: a write that returns is durable."""
    url = settings.resolved_objects_url
    if "://" not in url or url.startswith("file://"):
        return DurableFolder(Path(url.removeprefix("file://")).expanduser())
    return open_objects(settings)


def open_artefacts(settings: Settings) -> ObjectStore:
    """Return the store of everything that the pipeline makes for itself."""
    return open_object_store(settings.resolved_artefacts_url)
