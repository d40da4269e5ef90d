"""The asset `normalized_logs`: the objects of one hour become normalised batches.

Belongs here: which objects to read, what is up to date. Does not belong here: reading formats
(`logs` of the package), how batches are stored (`batches`).

Under `logs/<hour>/`: one folder per object at one version (`part-*.parquet`, `templates.parquet`,
`quarantine.parquet`), and `manifest.json`, written last, which names the objects that are in force.
A late or rewritten object costs its own reading only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import polars as pl

from ocsf_pipeline.logs.layout import format_hour_folder
from ocsf_pipeline.logs.normalize import ObjectContext, TemplateRegistry
from ocsf_pipeline.logs.parallel import map_in_order, open_pool, read_object_in_parallel
from ocsf_pipeline.logs.read import ObjectSummary, ReadLimits
from ocsf_pipeline.ports import ObjectChangedError, ObjectRef, ObjectStore
from ocsf_pipeline.steps.batches import (
    HourBatches,
    ObjectBatch,
    format_batch_folder,
    load_hour,
    name_manifest,
    summarize_templates,
    write_manifest,
    write_object_templates,
    write_quarantine,
    write_records,
)

NORMALIZER_VERSION = "3"
"""Part of every batch's name: raise it when the same bytes must be read differently."""
_PART_ROWS = 150_000
_CHANGES = 4
_MOST_AT_ONCE = 8
_BYTES_AT_ONCE = 4 << 20
_LEFT_OVER = timedelta(hours=6)
_DEFAULT_LIMITS = ReadLimits()
Progress = Callable[[str], None]


def normalize_hour(
    objects: ObjectStore,
    artefacts: ObjectStore,
    hour: datetime,
    *,
    prefix: str = "",
    limits: ReadLimits = _DEFAULT_LIMITS,
    registry: TemplateRegistry | None = None,
    progress: Progress = lambda _text: None,
    workers: int = 2,
    keeps_deleted: bool = False,
) -> HourBatches:
    """Normalise the objects of `hour` that are new or changed; put exactly those in force.

    With `keeps_deleted`, objects that were normalised before and are gone now stay in force: a
    bucket's retention has deleted them, nobody wants their events to vanish.

    An object that changes while it is read is looked at again, and one that is gone by then is left
    out, whatever the listing said: some stores' listings lag behind. Raises ObjectChangedError for
    an object that does not stand still.
    """
    registry = registry or TemplateRegistry()
    before = load_hour(artefacts, hour).objects
    known = {item.folder: item for item in before}
    refs = list(objects.list_objects(format_hour_folder(prefix, hour)))

    def normalize(ref: ObjectRef) -> ObjectBatch:
        context = ObjectContext(ref.key, ref.version, hour, ref.last_modified)
        folder = f"{format_batch_folder(hour)}/{NORMALIZER_VERSION}-{context.uid_prefix}"
        if folder in known:
            return known[folder]
        progress(f"reading {ref.key} ({ref.size_bytes:,} bytes), one of {len(refs)} objects")
        return _normalize_object(
            objects, artefacts, ref, context, folder, registry, limits, workers, pool
        )

    def take(ref: ObjectRef) -> ObjectBatch | None:
        return _take_newest(objects, ref, normalize)

    with open_pool(workers) as pool:
        taken = map_in_order(take, refs, _count_at_once(refs))
        batches = [batch for batch in taken if batch is not None]
    read = sum(batch.folder not in known for batch in batches)
    if keeps_deleted:
        present = {item.key for item in batches}
        batches.extend(item for item in before if item.key not in present)
    result = HourBatches(hour, tuple(batches), read)
    if read or len(batches) != len(known):
        write_manifest(artefacts, result)
        in_force = {item.folder for item in batches}
        _delete_stale(artefacts, hour, in_force, set(known) - in_force)
    return result


def _count_at_once(refs: Sequence[ObjectRef]) -> int:
    """Return how many objects to read side by side: two, so that none waits for another's end.

    More of small ones, whose time is mostly spent waiting for the store.
    """
    largest = max((ref.size_bytes for ref in refs), default=0)
    return min(len(refs), max(2, min(_MOST_AT_ONCE, _BYTES_AT_ONCE // max(1, largest))))


def _take_newest(
    objects: ObjectStore, ref: ObjectRef, normalize: Callable[[ObjectRef], ObjectBatch]
) -> ObjectBatch | None:
    """Normalise the object at its newest version; None when it is gone."""
    for _attempt in range(_CHANGES - 1):
        try:
            return normalize(ref)
        except ObjectChangedError:
            current = objects.head_object(ref.key)
            if current is None:
                return None
            ref = current
    return normalize(ref)


def _normalize_object(
    objects: ObjectStore,
    artefacts: ObjectStore,
    ref: ObjectRef,
    context: ObjectContext,
    folder: str,
    registry: TemplateRegistry,
    limits: ReadLimits,
    workers: int,
    pool: ThreadPoolExecutor,
) -> ObjectBatch:
    summary = ObjectSummary()
    part_names: list[str] = []
    part_count = 0
    rows: list[pl.DataFrame] = []
    quarantine: list[pl.DataFrame] = []
    templates: list[pl.DataFrame] = []

    def flush() -> None:
        nonlocal part_count
        if rows:
            part_names.extend(write_records(artefacts, folder, part_count, pl.concat(rows)))
            part_count += 1
            rows.clear()

    pieces = objects.stream_object(ref)
    for frame in read_object_in_parallel(pieces, context, registry, summary, limits, workers, pool):
        if not frame.records.is_empty():
            rows.append(frame.records)
            templates.append(summarize_templates(frame.records))
        if not frame.quarantine.is_empty():
            quarantine.append(frame.quarantine)
        if sum(len(part) for part in rows) >= _PART_ROWS:
            flush()
    flush()
    write_object_templates(artefacts, folder, templates)
    write_quarantine(artefacts, folder, quarantine)
    return ObjectBatch(
        key=ref.key, version=ref.version, folder=folder, size_bytes=summary.size_bytes,
        text_bytes=summary.text_bytes, read_count=summary.read_count,
        record_count=summary.record_count, quarantined_count=summary.quarantined_count,
        parts=tuple(part_names), digest=summary.digest,
    )  # fmt: skip


def _delete_stale(
    artefacts: ObjectStore, hour: datetime, kept: set[str], replaced: set[str]
) -> None:
    """Remove batches of object versions that are no longer in force, and leftovers of kills.

    A leftover is what nobody refers to for longer than a run may take: another run of this hour,
    given up by Dagster and still at work, may be about to refer to it.
    """
    manifest = artefacts.head_object(name_manifest(hour))
    for ref in list(artefacts.list_objects(format_batch_folder(hour))):
        folder = ref.key.rsplit("/", 1)[0]
        if manifest is None or folder in kept or ref.key == manifest.key:
            continue
        if folder in replaced or manifest.last_modified - ref.last_modified > _LEFT_OVER:
            artefacts.delete_object(ref.key)
