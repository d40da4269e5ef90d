"""The asset `classified_events`: normalised batches and decisions become rows of the tables.

Belongs here: streaming an hour through the mapping into the tables, and its counts. Does not
belong here: mapping (`events`), SQL (`tables`, adapters).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain

import polars as pl

from ocsf_pipeline.events.execute import EventMapper, MappedEvents
from ocsf_pipeline.logs.parallel import work_ahead
from ocsf_pipeline.logs.records import BATCH_SCHEMA
from ocsf_pipeline.memory import spare_settled_objects
from ocsf_pipeline.ports import EventTables, HourWriter, ObjectStore
from ocsf_pipeline.schema.model import OcsfSchema
from ocsf_pipeline.steps.artefacts import Json, read_json, write_json
from ocsf_pipeline.steps.batches import (
    HourBatches,
    ObjectBatch,
    gather_records,
    load_hour,
    load_quarantine,
)
from ocsf_pipeline.steps.classify import HourDecisions, name_written
from ocsf_pipeline.steps.listings import record_listing
from ocsf_pipeline.steps.mappings import compile_mappings, load_compiler
from ocsf_pipeline.tables.templates import describe_templates
from ocsf_pipeline.tables.views import create_views_sql

Progress = Callable[[str], None]
_CONFIDENCE_BINS = 20


class ConservationError(RuntimeError):
    """Rows were lost or doubled between reading and writing; nothing was written."""


@dataclass
class HourEvents:
    """What one hour became."""

    hour: datetime
    read_count: int = 0
    classified_count: int = 0
    review_count: int = 0
    quarantined_count: int = 0
    invalid_count: int = 0
    is_skipped: bool = False
    """True when the tables held this hour in the same state already."""
    class_counts: Counter[str] = field(default_factory=Counter)
    confidence_bins: list[int] = field(default_factory=lambda: [0] * _CONFIDENCE_BINS)
    reasons: Counter[str] = field(default_factory=Counter)
    unmapped_counts: Counter[str] = field(default_factory=Counter)
    samples: list[dict[str, object]] = field(default_factory=list)

    @property
    def is_conserved(self) -> bool:
        """True when read = classified + review + quarantined."""
        return self.read_count == (
            self.classified_count + self.review_count + self.quarantined_count
        )


def classify_hour(
    artefacts: ObjectStore,
    tables: EventTables,
    schema: OcsfSchema,
    decided: HourDecisions,
    hour: datetime,
    run_id: str,
    *,
    progress: Progress = lambda _text: None,
    workers: int = 2,
    with_datetime: bool = False,
) -> HourEvents:
    """Replace `hour` in the tables by what its batches and `decided` make of it.

    Skips the writing when the tables hold exactly this state. Raises ConservationError when the
    counts do not add up: then nothing of the hour is changed.
    """
    with tables, spare_settled_objects():
        tables.migrate_tables()
        return _classify_hour(
            artefacts, tables, schema, decided, hour, run_id, progress=progress, workers=workers,
            with_datetime=with_datetime,
        )  # fmt: skip


def _classify_hour(
    artefacts: ObjectStore,
    tables: EventTables,
    schema: OcsfSchema,
    decided: HourDecisions,
    hour: datetime,
    run_id: str,
    *,
    progress: Progress,
    workers: int,
    with_datetime: bool,
) -> HourEvents:
    batches = load_hour(artefacts, hour)
    compiler = load_compiler(artefacts, schema, with_datetime)
    state = {
        "version": decided.version,
        "mapping": compiler.version,
        "objects": sorted(f"{item.folder}" for item in batches.objects),
        "schema": schema.version,
    }
    key = name_written(hour)
    listing = [(item.key, item.version) for item in batches.objects]
    before = read_json(artefacts, key)
    is_recorded = before is not None and {name: before.get(name) for name in state} == state
    if before is not None and is_recorded and _holds_hour(tables, hour, len(batches.objects)):
        record_listing(artefacts, hour, listing)
        return _restore(hour, before["counts"])
    mappings = compile_mappings(artefacts, compiler, decided.decisions)
    mapper = EventMapper(schema, decided.decisions, mappings, workers, compiler)
    result = HourEvents(hour)
    with tables.replace_hour(hour, run_id) as writer:
        records = _tell_records(artefacts, batches, progress)
        statuses = _write_events(writer, mapper, records, result)
        for batch in batches.objects:
            _write_account(artefacts, writer, batch, hour, statuses, result)
        writer.commit()
    tables.upsert_templates(describe_templates(decided.decisions))
    write_json(artefacts, key, {**state, "counts": _keep(result)})
    record_listing(artefacts, hour, listing)
    return result


def _holds_hour(tables: EventTables, hour: datetime, object_count: int) -> bool:
    """Whether the tables really hold the hour: somebody may have emptied or replaced them."""
    found = tables.run_query(
        "SELECT count() AS objects FROM batches WHERE hour = {hour:DateTime64(6, 'UTC')}",
        {"hour": hour},
    )
    return int(found["objects"][0]) == object_count


def prepare_tables(tables: EventTables, schema: OcsfSchema) -> list[str]:
    """Apply missing DDL and bring the views per class up to date; return applied DDL files."""
    with tables:
        applied = tables.migrate_tables()
        tables.create_views(create_views_sql(schema))
    return applied


def _tell_records(
    artefacts: ObjectStore, batches: HourBatches, progress: Progress
) -> Iterator[pl.DataFrame]:
    """Yield the hour's records as they are gathered, and tell how many were."""
    count = 0
    for records in gather_records(artefacts, batches.objects):
        count += records.height
        progress(f"mapping {count:,} of {batches.record_count:,} records")
        yield records


def _write_events(
    writer: HourWriter, mapper: EventMapper, records: Iterator[pl.DataFrame], result: HourEvents
) -> Counter[tuple[str, bool]]:
    """Map and stage all records; return rows by object and whether they wait for review."""
    statuses: Counter[tuple[str, bool]] = Counter()
    # The mapper has threads of its own: what is read and mapped ahead keeps them busy while rows
    # are inserted.
    pieces = chain.from_iterable(mapper.map_by_template(batch) for batch in work_ahead(records))
    for mapped in work_ahead(pieces, depth=2):
        writer.write_rows("events", mapped.frame)
        by_object = mapped.frame.group_by("object_key", pl.col("status") == "review").len()
        for object_key, in_review, count in by_object.iter_rows():
            statuses[str(object_key), bool(in_review)] += int(count)
        _count(mapped, result)
    return statuses


def _write_account(
    artefacts: ObjectStore,
    writer: HourWriter,
    batch: ObjectBatch,
    hour: datetime,
    statuses: Counter[tuple[str, bool]],
    result: HourEvents,
) -> None:
    """Stage an object's quarantine and its row of `batches`.

    Raises ConservationError when its counts do not add up.
    """
    quarantine = load_quarantine(artefacts, batch)
    accepted, review = statuses[batch.key, False], statuses[batch.key, True]
    if batch.read_count != accepted + review + len(quarantine):
        raise ConservationError(
            f"{batch.key}: read {batch.read_count}, but classified {accepted} + review {review} + "
            f"quarantined {len(quarantine)}; nothing of {hour:%Y-%m-%d %H}h was written. Please "
            "report this as a defect."
        )
    if not quarantine.is_empty():
        writer.write_rows("quarantine", quarantine)
        result.reasons.update(quarantine["reason"].to_list())
    counts = {
        "object_key": batch.key,
        "object_version": batch.version,
        "hour": hour,
        "size_bytes": batch.size_bytes,
        "read_count": batch.read_count,
        "classified_count": accepted,
        "review_count": review,
        "quarantined_count": len(quarantine),
        "digest": batch.digest,
    }
    writer.write_rows("batches", pl.DataFrame([counts], schema=BATCH_SCHEMA))
    result.read_count += batch.read_count
    result.classified_count += accepted
    result.review_count += review
    result.quarantined_count += len(quarantine)


def _count(mapped: MappedEvents, result: HourEvents) -> None:
    frame = mapped.frame
    for name, count in frame["class_name"].value_counts().rows():
        result.class_counts[str(name)] += int(count)
    position = (frame["confidence"] * _CONFIDENCE_BINS).floor().cast(pl.Int32)
    for place, count in position.clip(0, _CONFIDENCE_BINS - 1).value_counts().drop_nulls().rows():
        result.confidence_bins[int(place)] += int(count)
    result.invalid_count += mapped.invalid_count
    result.unmapped_counts.update(mapped.unmapped_counts)
    if len(result.samples) < 5:
        wanted = ("time", "class_name", "confidence", "status", "source", "raw_data")
        rows = frame.head(5 - len(result.samples)).select(wanted)
        result.samples.extend(rows.with_columns(pl.col("raw_data").str.slice(0, 160)).to_dicts())


def _keep(result: HourEvents) -> Json:
    return {
        "read": result.read_count,
        "classified": result.classified_count,
        "review": result.review_count,
        "quarantined": result.quarantined_count,
        "invalid": result.invalid_count,
        "classes": dict(result.class_counts),
        "confidence_bins": result.confidence_bins,
        "reasons": dict(result.reasons),
    }


def _restore(hour: datetime, counts: Json) -> HourEvents:
    return HourEvents(
        hour,
        read_count=counts["read"],
        classified_count=counts["classified"],
        review_count=counts["review"],
        quarantined_count=counts["quarantined"],
        invalid_count=counts["invalid"],
        is_skipped=True,
        class_counts=Counter(counts["classes"]),
        confidence_bins=list(counts["confidence_bins"]),
        reasons=Counter(counts["reasons"]),
    )
