"""Normalised batches as they lie among the artefacts: one folder per object at one version.

Belongs here: the manifest of an hour, the parts of a batch, reading them back. Does not belong
here: which objects to read and when (`logs`), what records mean.

Parts of large objects are cut by template: logs of a template lie together, and its range says
which templates a part may hold. So an hour can be read range by range, each template's logs of all
objects at once, without holding the hour.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

import polars as pl

from ocsf_pipeline.logs.layout import format_hour_folder, parse_hour
from ocsf_pipeline.logs.records import NORMALIZED_SCHEMA, QUARANTINE_SCHEMA, UTC_TIME, Columns
from ocsf_pipeline.ports import ObjectStore
from ocsf_pipeline.steps.artefacts import read_frame, read_json, write_frame, write_json

BATCH_FOLDER = "logs"
_DIGITS = "0123456789abcdef"
_PART_NAME = re.compile(r"part-\d+(?:-([0-9a-f])-[0-9a-f])?\.parquet")
"""`part-00003.parquet` holds any template, `part-00003-4-7.parquet` those whose id begins so."""
_RANGE_ROWS = 4_000
"""Records that are worth a part of their own."""
_WHOLE_RANGE_ROWS = 125_000
"""Up to so many records of a range are mapped together: each of its templates costs once."""
_PIECE_ROWS = 50_000
"""Where ranges are larger, each is mapped in pieces, which cost less memory and no more time."""
_PIECED_HOUR_ROWS = 1_250_000
"""Above it the larger ranges of an hour are above what is mapped whole."""
_GATHERED_BYTES = 200 << 20
_RANGE_WORTH_ROWS = 50_000
"""Records of whole ranges that are worth mapping together."""

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
    parts: tuple[str, ...]
    """Names of the parts in `folder`."""
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


def format_batch_folder(hour: datetime) -> str:
    """Return the folder of an hour's batches."""
    return format_hour_folder(BATCH_FOLDER, hour)


def name_manifest(hour: datetime) -> str:
    """Return the key of the list of the objects in force."""
    return f"{format_batch_folder(hour)}/manifest.json"


def write_records(
    artefacts: ObjectStore, folder: str, number: int, records: pl.DataFrame
) -> list[str]:
    """Store records (NORMALIZED_SCHEMA) as the parts of one number; return the parts' names."""
    ordered = _drop_repeated_fields(records).sort("template_id", maintain_order=True)
    names = []
    for name, part in _cut_ranges(ordered, number):
        write_frame(artefacts, f"{folder}/{name}", part)
        names.append(name)
    return names


def _cut_ranges(ordered: pl.DataFrame, number: int) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield name and records of each part: as many ranges as there are records for."""
    range_count = 1
    while range_count < len(_DIGITS) and ordered.height >= 2 * range_count * _RANGE_ROWS:
        range_count *= 2
    if range_count == 1:
        yield f"part-{number:05d}.parquet", ordered
        return
    step = len(_DIGITS) // range_count
    firsts = list(_DIGITS[::step])
    starts = ordered.get_column("template_id").search_sorted(pl.Series(firsts[1:])).to_list()
    for place, (start, stop) in enumerate(pairwise([0, *starts, ordered.height])):
        if start < stop:
            last = _DIGITS[(place + 1) * step - 1]
            yield f"part-{number:05d}-{firsts[place]}-{last}.parquet", ordered[start:stop]


def _drop_repeated_fields(records: pl.DataFrame) -> pl.DataFrame:
    """Leave out `fields` where it repeats `raw`, as for compact JSON: half of what is written."""
    is_repeated = pl.col("fields") == pl.col("raw")
    return records.with_columns(
        pl.when(is_repeated).then(None).otherwise(pl.col("fields")).alias("fields")
    )


def iterate_records(artefacts: ObjectStore, batch: ObjectBatch) -> Iterator[pl.DataFrame]:
    """Yield the records (NORMALIZED_SCHEMA) of one object, part by part."""
    for name in batch.parts:
        yield read_part(artefacts, batch, name)


def gather_records(
    artefacts: ObjectStore, objects: Sequence[ObjectBatch]
) -> Iterator[pl.DataFrame]:
    """Yield the records of all objects in batches worth mapping: each costs by its templates.

    First parts that may hold any template, then range by range.
    """
    parts = sorted(
        ((_begin_range(name), batch, name) for batch in objects for name in batch.parts),
        key=lambda item: item[0],
    )
    record_count = sum(batch.record_count for batch in objects)
    most = _WHOLE_RANGE_ROWS if record_count <= _PIECED_HOUR_ROWS else _PIECE_ROWS
    held: list[pl.DataFrame] = []
    for place, (begin, batch, name) in enumerate(parts):
        held.append(read_part(artefacts, batch, name))
        rows = sum(part.height for part in held)
        is_last = place + 1 == len(parts)
        ends_range = begin != "" and not is_last and parts[place + 1][0] != begin
        if (
            is_last
            or rows >= most
            or (ends_range and rows >= _RANGE_WORTH_ROWS)
            or sum(part.estimated_size() for part in held) >= _GATHERED_BYTES
        ):
            yield pl.concat(held)
            held = []


def _begin_range(name: str) -> str:
    """Return the digit with which a part's range begins; nothing where it holds any template."""
    found = _PART_NAME.fullmatch(name)
    return (found.group(1) or "") if found else ""


def read_part(artefacts: ObjectStore, batch: ObjectBatch, name: str) -> pl.DataFrame:
    """Return the records (NORMALIZED_SCHEMA) of one part."""
    part = read_frame(artefacts, f"{batch.folder}/{name}", NORMALIZED_SCHEMA.names())
    return part.with_columns(pl.col("fields").fill_null(pl.col("raw")))


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


def write_object_templates(
    artefacts: ObjectStore, folder: str, summaries: list[pl.DataFrame]
) -> None:
    """Store the templates of one object, merged from those of its frames."""
    write_frame(artefacts, f"{folder}/templates.parquet", merge_templates(summaries))


def load_hour_templates(artefacts: ObjectStore, hour: datetime) -> pl.DataFrame:
    """Return the templates of `hour` (TEMPLATE_SCHEMA)."""
    batches = load_hour(artefacts, hour).objects
    return merge_templates(
        [read_frame(artefacts, f"{batch.folder}/templates.parquet") for batch in batches]
    )


def write_quarantine(artefacts: ObjectStore, folder: str, frames: list[pl.DataFrame]) -> None:
    """Store what could not be read of one object, if there is any."""
    if frames:
        write_frame(artefacts, f"{folder}/quarantine.parquet", pl.concat(frames))


def load_quarantine(artefacts: ObjectStore, batch: ObjectBatch) -> pl.DataFrame:
    """Return the quarantine rows of one object."""
    if not batch.quarantined_count:
        return pl.DataFrame(schema=QUARANTINE_SCHEMA)
    return read_frame(artefacts, f"{batch.folder}/quarantine.parquet")


def write_manifest(artefacts: ObjectStore, batches: HourBatches) -> None:
    """Put exactly these objects in force."""
    document = {"objects": [asdict(item) for item in batches.objects]}
    write_json(artefacts, name_manifest(batches.hour), document)


def load_hour(artefacts: ObjectStore, hour: datetime) -> HourBatches:
    """Return what is in force for `hour`; no objects where it was never normalised."""
    document = read_json(artefacts, name_manifest(hour)) or {}
    return HourBatches(hour, tuple(map(_read_batch, document.get("objects", []))))


def _read_batch(entry: Mapping[str, Any]) -> ObjectBatch:
    """Return a batch from a manifest; earlier releases numbered the parts from 0 on."""
    members = dict(entry)
    count = members.pop("part_count", 0)
    named = members.pop("parts", [f"part-{number:05d}.parquet" for number in range(count)])
    return ObjectBatch(**members, parts=tuple(named))


def list_hours(store: ObjectStore, prefix: str = BATCH_FOLDER) -> list[datetime]:
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
