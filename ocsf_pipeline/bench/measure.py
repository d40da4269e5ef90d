"""The measurements: each a function of a workplace that returns plain figures.

Belongs here: timing the real steps and the parts alone. Does not belong here: processes and
printing (`__main__`), making logs (`generate`).
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from ocsf_pipeline import opening
from ocsf_pipeline.adapters.embedded_index import EmbeddedClassIndex
from ocsf_pipeline.bench.generate import cut_templates, make_objects, next_hour
from ocsf_pipeline.bench.ingest import measure_ingest
from ocsf_pipeline.bench.mapping import measure_mapping
from ocsf_pipeline.bench.scans import measure_scans
from ocsf_pipeline.commands.knowledge import load_known
from ocsf_pipeline.events.compiler import compile_mappings
from ocsf_pipeline.events.execute import EventMapper, MappedEvents
from ocsf_pipeline.logs.layout import format_hour_folder
from ocsf_pipeline.logs.normalize import ObjectContext, TemplateRegistry
from ocsf_pipeline.logs.parallel import read_object_in_parallel
from ocsf_pipeline.logs.read import ObjectSummary, read_raw_frames
from ocsf_pipeline.ports import Embedder, EventTables, ObjectRef, ObjectStore
from ocsf_pipeline.samples.labels import read_sample_logs
from ocsf_pipeline.settings import Settings
from ocsf_pipeline.steps.batches import iterate_records, load_hour, summarize_templates
from ocsf_pipeline.steps.classify import Decider, decide_hour
from ocsf_pipeline.steps.events import classify_hour, prepare_tables
from ocsf_pipeline.steps.logs import normalize_hour

COLD_HOUR = datetime(2026, 3, 2, 10, tzinfo=UTC)
WARM_HOUR = next_hour(COLD_HOUR)
SKEWED_HOUR = next_hour(WARM_HOUR)
_HOURS = (("cold", COLD_HOUR), ("warm", WARM_HOUR), ("skewed", SKEWED_HOUR))
_PREFIX = "logs"
_PER_LOG_SAMPLE = 500
_TEMPLATE_COUNTS = (10, 100, 300)

Figures = dict[str, Any]


@dataclass(frozen=True)
class Workplace:
    """Where one benchmark lies: knowledge from the settings, everything else in a bare folder."""

    settings: Settings
    folder: Path
    event_count: int
    seed: int = 1

    def objects(self) -> ObjectStore:
        """Return the store of the made logs."""
        return opening.open_objects(self._inside())

    def artefacts(self) -> ObjectStore:
        """Return the store of batches and decisions."""
        return opening.open_artefacts(self._inside())

    def tables(self, name: str = "tables") -> EventTables:
        """Return the tables that are written."""
        return opening.open_tables(
            Settings(data_dir=self.folder, tables_dsn=f"chdb://{(self.folder / name).resolve()}")
        )

    def decider(self, *, is_loaded: bool = True) -> Decider:
        """Return the decider of the settings' own knowledge base, by default with all it needs."""
        decider = load_known(self.settings)
        if is_loaded:
            decider.ranker.load()
            decider.index.search_chunks(["warm up"], 1)
        return decider

    def _inside(self) -> Settings:
        return Settings(data_dir=self.folder, workers=self.settings.workers)


@dataclass
class Stopwatch:
    """Wall and CPU seconds by stage."""

    stages: dict[str, Figures] = field(default_factory=dict)

    @contextmanager
    def time(self, stage: str, event_count: int | None = None) -> Iterator[None]:
        """Measure the block under the stage's name."""
        start, cpu = time.perf_counter(), _cpu_seconds()
        yield
        seconds = time.perf_counter() - start
        self.stages[stage] = {"seconds": seconds, "cpu_seconds": _cpu_seconds() - cpu}
        if event_count is not None:
            self.stages[stage]["events_per_s"] = event_count / seconds


def tell(text: str) -> None:
    """Tell progress on stderr."""
    sys.stderr.write(text + "\n")


def measure_generation(place: Workplace) -> Figures:
    """Make all hours; return what they hold."""
    templates = cut_templates([sample.raw for sample in read_sample_logs()])
    objects = place.objects()
    stored: Figures = {"samples": len(templates)}
    for number, (name, hour) in enumerate(_HOURS):
        folder = format_hour_folder(_PREFIX, hour)
        made = {"objects": 0, "events": 0, "bytes": 0, "text_bytes": 0}
        for item in make_objects(
            templates, place.event_count, hour, place.seed + number, is_skewed=name == "skewed"
        ):
            objects.write_object(f"{folder}/{item.name}", item.body)
            made["objects"] += 1
            made["events"] += item.event_count
            made["bytes"] += len(item.body)
            made["text_bytes"] += item.text_bytes
        stored[name] = made
    return stored


def measure_hour(place: Workplace, hour: datetime) -> Figures:
    """Run the real steps over one hour: objects, decisions, rows in the tables.

    As in a run of the pipeline, ranker, index and model are loaded where a template is new.
    """
    watch = Stopwatch()
    with watch.time("prepare"):
        decider = place.decider(is_loaded=hour == COLD_HOUR)
        tables = place.tables()
        prepare_tables(tables, decider.schema)
    objects, artefacts = place.objects(), place.artefacts()
    workers, count = place.settings.workers, place.event_count
    with watch.time("total", count):
        with watch.time("normalize", count):
            batches = normalize_hour(
                objects, artefacts, hour, prefix=_PREFIX, workers=workers, progress=tell
            )
        with watch.time("decide", count):
            decided = decide_hour(artefacts, decider, hour)
        with watch.time("map_and_insert", count):
            events = classify_hour(
                artefacts, tables, decider.schema, decided, hour, "bench",
                workers=workers, progress=tell,
            )  # fmt: skip
    if not events.is_conserved or events.read_count != count:
        raise RuntimeError(f"{count:,} logs went in, {events.read_count:,} were read; a defect")
    total = watch.stages.pop("total")
    decide_seconds = watch.stages["decide"]["seconds"]
    return {
        **total,
        "events": count,
        "bytes": sum(item.size_bytes for item in batches.objects),
        "text_bytes": sum(item.text_bytes for item in batches.objects),
        "templates": len(decided.decisions),
        "new_templates": decided.new_count,
        "new_templates_per_s": decided.new_count / decide_seconds,
        "classified": events.classified_count,
        "review": events.review_count,
        "quarantined": events.quarantined_count,
        "invalid": events.invalid_count,
        "stages": watch.stages,
    }


class EachTextAnew:
    """An embedder to which no two texts of one call are equal, so that nothing is remembered.

    Queries leave out what varies between logs, so those of one template are one text: computed once
    by an embedder that remembers, which is the very saving that `per_log` must do without.
    """

    def __init__(self, inner: Embedder) -> None:
        self._inner = inner

    @property
    def name(self) -> str:
        """The inner embedder's: the index was built with it."""
        return self._inner.name

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Encode each text with its place in the call behind it."""
        return self._inner.encode([f"{text} {place}" for place, text in enumerate(texts)])


def measure_per_log(place: Workplace) -> Figures:
    """Decide each log of a sample by itself, in batches, as if no two shared a template."""
    artefacts, decider = place.artefacts(), place.decider()
    if decider.embedder is not None:
        anew = EachTextAnew(decider.embedder)
        index = EmbeddedClassIndex(opening.open_artefacts(place.settings), anew)
        decider = replace(decider, embedder=anew, index=index)
    batch = load_hour(artefacts, COLD_HOUR).objects[-1]
    records = next(iterate_records(artefacts, batch))
    sample = records.sample(min(_PER_LOG_SAMPLE, len(records)), seed=place.seed)
    alone = summarize_templates(sample.with_columns(pl.col("event_uid").alias("template_id")))
    watch = Stopwatch()
    with watch.time("decide", len(alone)):
        decider.decide(alone)
    return {"sample": len(alone), **watch.stages["decide"]}


def measure_reading(place: Workplace) -> Figures:
    """Time reading alone over the cold hour's objects, templates known as from the hour before."""
    watch = Stopwatch()
    registry = TemplateRegistry()
    _read_objects(place, registry, Stopwatch())
    _read_objects(place, registry, watch)
    return watch.stages


def _read_objects(place: Workplace, registry: TemplateRegistry, watch: Stopwatch) -> None:
    """Decompress and split the objects, then do the same and normalise them."""
    objects, workers, count = place.objects(), place.settings.workers, place.event_count
    refs = list(objects.list_objects(format_hour_folder(_PREFIX, COLD_HOUR)))
    with watch.time("decompress_and_split", count):
        for ref in refs:
            for _raw in read_raw_frames(objects.stream_object(ref), _context(ref), ObjectSummary()):
                pass
    with watch.time("normalize", count):
        for ref in refs:
            pieces = objects.stream_object(ref)
            context, summary = _context(ref), ObjectSummary()
            for _frame in read_object_in_parallel(
                pieces, context, registry, summary, workers=workers
            ):
                pass


def measure_parts(place: Workplace) -> Figures:
    """Time each part alone over the cold hour's objects: what no step can be faster than."""
    artefacts, decider, workers = place.artefacts(), place.decider(), place.settings.workers
    watch = Stopwatch()
    _read_objects(place, TemplateRegistry(), watch)
    decided = decide_hour(artefacts, decider, COLD_HOUR).decisions
    mappings = compile_mappings(decider.schema, decided)
    mapper = EventMapper(decider.schema, decided, mappings, workers)
    batches = load_hour(artefacts, COLD_HOUR).objects
    # One object's rows only: kept in memory as they are here, an hour's would not be bounded.
    parts = [part for batch in batches[:1] for part in iterate_records(artefacts, batch)]
    kept = sum(len(part) for part in parts)
    mapped: list[MappedEvents] = []
    with watch.time("map", kept):
        mapped.extend(mapper.map_by_template(pl.concat(parts)))
    tables = place.tables("tables-of-parts")
    prepare_tables(tables, decider.schema)
    with watch.time("insert", kept), tables.replace_hour(COLD_HOUR, "bench") as writer:
        for item in mapped:
            writer.write_rows("events", item.frame)
        writer.commit()
    return watch.stages


def measure_compiled_scans(place: Workplace) -> Figures:
    """Compare the compiled passes with expressions, over one object of bare JSON logs."""
    batch = load_hour(place.artefacts(), COLD_HOUR).objects[0]
    return dict(measure_scans(iterate_records(place.artefacts(), batch)))


def measure_mappings(place: Workplace) -> Figures:
    """Time mapping alone with few and with many templates in a batch."""
    schema = place.decider().schema
    return {
        f"templates_{count}": measure_mapping(schema, place.event_count, count)
        for count in _TEMPLATE_COUNTS
    }


def _context(ref: ObjectRef) -> ObjectContext:
    return ObjectContext(ref.key, ref.version, COLD_HOUR, ref.last_modified)


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


MEASUREMENTS: dict[str, Callable[[Workplace], Figures]] = {
    "generate": measure_generation,
    "cold": lambda place: measure_hour(place, COLD_HOUR),
    "warm": lambda place: measure_hour(place, WARM_HOUR),
    "reading": measure_reading,
    "skewed": lambda place: measure_hour(place, SKEWED_HOUR),
    "per_log": measure_per_log,
    "parts": measure_parts,
    "scans": measure_compiled_scans,
    "ingest": lambda place: measure_ingest(place.folder / "ingest", place.event_count, place.seed),
    "mapping": measure_mappings,
}
"""By name, in the order in which they build on each other."""
