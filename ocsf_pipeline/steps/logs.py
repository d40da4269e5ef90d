"""The asset `normalized_logs`: the objects of one hour become normalised batches.

Belongs here: which objects to read, where their batches lie, what is up to date. Does not belong
here: reading formats (`logs`).

Under `logs/<hour>/`: one folder per object at one version (`part-*.parquet`, `templates.parquet`,
`quarantine.parquet`), and `manifest.json`, written last, which names the objects that are in force.
A late or rewritten object costs its own reading only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from ocsf_pipeline.logs.layout import format_hour_folder, parse_hour
from ocsf_pipeline.logs.normalize import ObjectContext, TemplateRegistry
from ocsf_pipeline.logs.parallel import map_in_order, read_object_in_parallel
from ocsf_pipeline.logs.read import ObjectSummary, ReadLimits
from ocsf_pipeline.logs.records import NORMALIZED_SCHEMA, QUARANTINE_SCHEMA, UTC_TIME, Columns
from ocsf_pipeline.ports import ObjectChangedError, ObjectRef, ObjectStore
from ocsf_pipeline.steps.artefacts import read_frame, read_json, write_frame, write_json

NORMALIZER_VERSION = "3"
"""Part of every batch's name: raise it when the same bytes must be read differently."""
_FOLDER = "logs"
_PART_ROWS = 150_000
_CHANGES = 4
_MOST_AT_ONCE = 8
_BYTES_AT_ONCE = 4 << 20
_LEFT_OVER = timedelta(hours=6)
_DEFAULT_LIMITS = ReadLimits()
Progress = Callable[[str], None]

_TEMPLATE: Columns = {
    "template_id": pl.String,
    "format": pl.String,
    "vendor": pl.String,
    "product": pl.String,
    "sample_fields": pl.String,
    "sample_raw": pl.String,
    "count": pl.UInt64,
    "first_seen": UTC_TIME,
    "last_seen": UTC_TIME,
}
TEMPLATE_SCHEMA = pl.Schema(_TEMPLATE)
_SAMPLE_CHARS = 16_000


@dataclass(frozen=True)
class ObjectBatch:
    """One object at one version, normalised."""

    key: str
    version: str
    folder: str
    size_bytes: int
    text_bytes: int
    read_count: int
    record_count: int
    quarantined_count: int
    part_count: int
    digest: str


@dataclass(frozen=True)
class HourBatches:
    """The normalised batches of one hour."""

    hour: datetime
    objects: tuple[ObjectBatch, ...]
    read_objects: int = 0
    """Objects that had to be read in this run; the others were up to date."""

    @property
    def version(self) -> str:
        """Equal for equal objects at equal versions."""
        folders = "\n".join(sorted(item.folder for item in self.objects))
        return hashlib.sha256(folders.encode()).hexdigest()[:16]

    @property
    def record_count(self) -> int:
        """Normalised records of the hour."""
        return sum(item.record_count for item in self.objects)

    @property
    def quarantined_count(self) -> int:
        """Quarantined items of the hour."""
        return sum(item.quarantined_count for item in self.objects)


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
    before = _read_manifest(artefacts, hour)
    known = {item.folder: item for item in before}
    refs = list(objects.list_objects(format_hour_folder(prefix, hour)))

    def normalize(ref: ObjectRef) -> ObjectBatch:
        context = ObjectContext(ref.key, ref.version, hour, ref.last_modified)
        folder = f"{_hour_folder(hour)}/{NORMALIZER_VERSION}-{context.uid_prefix}"
        if folder in known:
            return known[folder]
        progress(f"reading {ref.key} ({ref.size_bytes:,} bytes), one of {len(refs)} objects")
        return _normalize_object(
            objects, artefacts, ref, context, folder, registry, limits, workers
        )

    def take(ref: ObjectRef) -> ObjectBatch | None:
        return _take_newest(objects, ref, normalize)

    taken = map_in_order(take, refs, _count_at_once(refs))
    batches = [batch for batch in taken if batch is not None]
    read = sum(batch.folder not in known for batch in batches)
    if keeps_deleted:
        present = {item.key for item in batches}
        batches.extend(item for item in before if item.key not in present)
    result = HourBatches(hour, tuple(batches), read)
    if read or len(batches) != len(known):
        document = {"objects": [asdict(item) for item in batches]}
        write_json(artefacts, f"{_hour_folder(hour)}/manifest.json", document)
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
) -> ObjectBatch:
    summary = ObjectSummary()
    parts = 0
    rows: list[pl.DataFrame] = []
    quarantine: list[pl.DataFrame] = []
    templates: list[pl.DataFrame] = []

    def flush() -> None:
        nonlocal parts
        if rows:
            write_frame(artefacts, _part_key(folder, parts), _drop_repeated_fields(pl.concat(rows)))
            parts += 1
            rows.clear()

    pieces = objects.stream_object(ref)
    for frame in read_object_in_parallel(pieces, context, registry, summary, limits, workers):
        if not frame.records.is_empty():
            rows.append(frame.records)
            templates.append(summarize_templates(frame.records))
        if not frame.quarantine.is_empty():
            quarantine.append(frame.quarantine)
        if sum(len(part) for part in rows) >= _PART_ROWS:
            flush()
    flush()
    merged = merge_templates(templates)
    write_frame(artefacts, f"{folder}/templates.parquet", merged)
    if quarantine:
        write_frame(artefacts, f"{folder}/quarantine.parquet", pl.concat(quarantine))
    return ObjectBatch(
        key=ref.key, version=ref.version, folder=folder, size_bytes=summary.size_bytes,
        text_bytes=summary.text_bytes, read_count=summary.read_count,
        record_count=summary.record_count, quarantined_count=summary.quarantined_count,
        part_count=parts, digest=summary.digest,
    )  # fmt: skip


def summarize_templates(records: pl.DataFrame) -> pl.DataFrame:
    """Return one row per template of `records`: a sample, a count, first and last time."""
    return records.group_by("template_id", maintain_order=True).agg(
        pl.first("format"),
        pl.first("vendor"),
        pl.first("product"),
        pl.first("fields").str.slice(0, _SAMPLE_CHARS).alias("sample_fields"),
        pl.first("raw").str.slice(0, _SAMPLE_CHARS).alias("sample_raw"),
        pl.len().cast(pl.UInt64).alias("count"),
        pl.min("time").alias("first_seen"),
        pl.max("time").alias("last_seen"),
    )


def merge_templates(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """Merge template summaries: counts add up, the first sample stays."""
    if not frames:
        return pl.DataFrame(schema=TEMPLATE_SCHEMA)
    merged = pl.concat(frames).group_by("template_id", maintain_order=True).agg(
        pl.first("format", "vendor", "product", "sample_fields", "sample_raw"),
        pl.sum("count"), pl.min("first_seen"), pl.max("last_seen"),
    )  # fmt: skip
    return merged.select(TEMPLATE_SCHEMA.names()).cast(dict(TEMPLATE_SCHEMA))  # type: ignore[arg-type]


def load_hour(artefacts: ObjectStore, hour: datetime) -> HourBatches:
    """Return what is in force for `hour`; no objects where it was never normalised."""
    return HourBatches(hour, tuple(_read_manifest(artefacts, hour)))


def load_hour_templates(artefacts: ObjectStore, hour: datetime) -> pl.DataFrame:
    """Return the templates of `hour` (TEMPLATE_SCHEMA)."""
    batches = load_hour(artefacts, hour).objects
    return merge_templates(
        [read_frame(artefacts, f"{batch.folder}/templates.parquet") for batch in batches]
    )


def iterate_records(artefacts: ObjectStore, batch: ObjectBatch) -> Iterator[pl.DataFrame]:
    """Yield the records (NORMALIZED_SCHEMA) of one object, part by part."""
    for number in range(batch.part_count):
        part = read_frame(artefacts, _part_key(batch.folder, number), NORMALIZED_SCHEMA.names())
        yield part.with_columns(pl.col("fields").fill_null(pl.col("raw")))


def _drop_repeated_fields(records: pl.DataFrame) -> pl.DataFrame:
    """Leave out `fields` where it repeats `raw`, as for compact JSON: half of what is written."""
    is_repeated = pl.col("fields") == pl.col("raw")
    return records.with_columns(
        pl.when(is_repeated).then(None).otherwise(pl.col("fields")).alias("fields")
    )


def load_quarantine(artefacts: ObjectStore, batch: ObjectBatch) -> pl.DataFrame:
    """Return the quarantine rows of one object."""
    if not batch.quarantined_count:
        return pl.DataFrame(schema=QUARANTINE_SCHEMA)
    return read_frame(artefacts, f"{batch.folder}/quarantine.parquet")


def list_hours(store: ObjectStore, prefix: str = _FOLDER) -> list[datetime]:
    """Return every hour that has a folder below `prefix`, oldest first.

    Those with normalised batches among the artefacts; with another prefix, those of any store that
    follows the layout.
    """
    root = prefix.strip("/")
    start = f"{root}/" if root else ""
    found = []
    for day in store.list_folders(root):
        if not day.startswith("dt="):
            continue
        for name in store.list_folders(f"{start}{day}"):
            hour = parse_hour(f"{start}{day}/{name}/object")
            if hour is not None:
                found.append(hour)
    return sorted(found)


def _hour_folder(hour: datetime) -> str:
    return format_hour_folder(_FOLDER, hour)


def _part_key(folder: str, number: int) -> str:
    return f"{folder}/part-{number:05d}.parquet"


def _read_manifest(artefacts: ObjectStore, hour: datetime) -> list[ObjectBatch]:
    document: dict[str, Any] = read_json(artefacts, f"{_hour_folder(hour)}/manifest.json") or {}
    return [ObjectBatch(**item) for item in document.get("objects", [])]


def _delete_stale(
    artefacts: ObjectStore, hour: datetime, kept: set[str], replaced: set[str]
) -> None:
    """Remove batches of object versions that are no longer in force, and leftovers of kills.

    A leftover is what nobody refers to for longer than a run may take: another run of this hour,
    given up by Dagster and still at work, may be about to refer to it.
    """
    manifest = artefacts.head_object(f"{_hour_folder(hour)}/manifest.json")
    for ref in list(artefacts.list_objects(_hour_folder(hour))):
        folder = ref.key.rsplit("/", 1)[0]
        if manifest is None or folder in kept or ref.key == manifest.key:
            continue
        if folder in replaced or manifest.last_modified - ref.last_modified > _LEFT_OVER:
            artefacts.delete_object(ref.key)
