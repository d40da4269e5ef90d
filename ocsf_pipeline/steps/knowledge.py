"""The assets `class_chunks`, `labelled_examples` and `knowledge_base`.

Belongs here: where chunks and examples lie, and when they are up to date. Does not belong here:
making them (`knowledge`), holding the index (adapters), what is learned from them (`rankers`).
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import polars as pl

from ocsf_pipeline.classify.queries import LogQuery, build_query
from ocsf_pipeline.knowledge.chunks import (
    ClassChunk,
    build_class_chunks,
    corpus_version,
    examples_to_chunks,
)
from ocsf_pipeline.knowledge.examples import (
    LabelledExample,
    LabelProblem,
    load_examples,
    merge_examples,
    split_by_label,
)
from ocsf_pipeline.knowledge.packs import SourcePack
from ocsf_pipeline.knowledge.plan import IndexPlan, IndexState, plan_index
from ocsf_pipeline.logs.single import normalize_texts
from ocsf_pipeline.ports import ClassIndex, ObjectStore, PermanentPortError
from ocsf_pipeline.schema.model import OcsfSchema
from ocsf_pipeline.steps.artefacts import (
    has_object,
    read_frame,
    read_json,
    write_frame,
    write_json,
)
from ocsf_pipeline.steps.releases import read_pin

_CHUNKS = "knowledge/class_chunks"
_EXAMPLES = "knowledge/labelled_examples"


@dataclass(frozen=True)
class StoredRows:
    """Rows put in force under a version."""

    version: str
    count: int
    is_changed: bool


@dataclass(frozen=True)
class StoredExamples:
    """Examples put in force, and those that the schema cannot hold."""

    rows: StoredRows
    examples: tuple[LabelledExample, ...]
    problems: tuple[LabelProblem, ...]


@dataclass(frozen=True)
class UpdatedIndex:
    """What updating the knowledge base did."""

    index_name: str
    plan: IndexPlan
    state: IndexState
    kind_counts: Mapping[str, int]
    """Chunks that the index should hold, by kind."""
    seconds: float
    """How long reading, changing and waiting took."""

    def list_changes(self) -> list[tuple[str, str, int]]:
        """Return (what was done, kind of chunk, chunks), for people; kinds of removed are by id."""
        done = Counter(("stored", str(chunk.kind)) for chunk in self.plan.upserts)
        done.update(("removed", chunk_id.partition(":")[0]) for chunk_id in self.plan.deletes)
        return [(what, kind, count) for (what, kind), count in sorted(done.items())]


def store_class_chunks(artefacts: ObjectStore, schema: OcsfSchema) -> StoredRows:
    """Build the chunks of every live class and put them in force."""
    chunks = build_class_chunks(schema)
    return _store_rows(artefacts, _CHUNKS, corpus_version(chunks), _frame_records(chunks))


def store_examples(
    artefacts: ObjectStore,
    schema: OcsfSchema,
    packs: Mapping[str, SourcePack],
    overrides: Sequence[LabelledExample] = (),
    override_queries: Mapping[str, LogQuery] | None = None,
) -> StoredExamples:
    """Make labelled examples of packs and overrides and put them in force.

    `override_queries` are queries by raw text that are known already.
    """
    queries: dict[str, LogQuery] = {}

    def make_queries(raws: Sequence[str]) -> list[str]:
        built = build_queries(raws)
        queries.update(zip(raws, built, strict=True))
        return [query.text for query in built]

    loaded = merge_examples(load_examples(packs, make_queries), overrides)
    usable, problems = split_by_label(loaded, schema)
    queries.update(override_queries or {})
    missing = [item.raw for item in usable if item.raw not in queries]
    queries.update(zip(missing, build_queries(missing), strict=True))
    frame = _frame_records(usable).hstack(
        _frame_records([queries[item.raw] for item in usable]).rename(lambda name: f"query_{name}")
    )
    digest = hashlib.sha256(frame.write_json().encode()).hexdigest()[:16]
    rows = _store_rows(artefacts, _EXAMPLES, digest, frame)
    return StoredExamples(rows, tuple(usable), tuple(problems))


def build_queries(raws: Sequence[str]) -> list[LogQuery]:
    """Return the query of each raw log, read the way that logs of an object are read."""
    records = normalize_texts(raws).records
    built = {
        row["position"]: build_query(
            row["fields"], row["raw"], row["format"], row["vendor"], row["product"]
        )
        for row in records.iter_rows(named=True)
    }
    return [
        built.get(position) or build_query("", raw, "text") for position, raw in enumerate(raws)
    ]


def update_knowledge_base(artefacts: ObjectStore, index: ClassIndex) -> UpdatedIndex:
    """Make the index hold exactly the chunks and examples in force, changing only what differs."""
    started = time.perf_counter()
    chunks = load_corpus(artefacts)
    plan = plan_index(index.read_state(), chunks)
    kinds: Counter[str] = Counter(chunk.kind for chunk in chunks)
    state = index.apply_plan(plan)
    return UpdatedIndex(index.name, plan, state, kinds, time.perf_counter() - started)


def update_knowledge_bases(
    artefacts: ObjectStore, indexes: Sequence[ClassIndex]
) -> list[UpdatedIndex]:
    """Do so for every copy; the last first, so that a stand-by is ready before it is needed."""
    return [update_knowledge_base(artefacts, index) for index in reversed(indexes)][::-1]


def load_corpus(artefacts: ObjectStore) -> list[ClassChunk]:
    """Return everything that the knowledge base should hold now."""
    return build_corpus(load_class_chunks(artefacts), load_stored_examples(artefacts))


def build_corpus(
    chunks: Sequence[ClassChunk], examples: Sequence[LabelledExample]
) -> list[ClassChunk]:
    """Return everything that the knowledge base should hold."""
    return [*chunks, *examples_to_chunks(examples)]


def load_class_chunks(artefacts: ObjectStore) -> list[ClassChunk]:
    """Return the class chunks in force."""
    frame = _load_rows(artefacts, _CHUNKS, "class_chunks")
    return [ClassChunk(**row) for row in frame.iter_rows(named=True)]


def load_stored_examples(artefacts: ObjectStore) -> list[LabelledExample]:
    """Return the labelled examples in force."""
    frame = _load_rows(artefacts, _EXAMPLES, "labelled_examples")
    names = [item.name for item in fields(LabelledExample)]
    return [
        LabelledExample(**{**row, "acceptable": tuple(row["acceptable"])})
        for row in frame.select(names).iter_rows(named=True)
    ]


def load_example_names(artefacts: ObjectStore) -> dict[str, str]:
    """Return the event's name of each example in force by its id; none before there are any."""
    version = _version_in_force(artefacts, _EXAMPLES)
    if version is None:
        return {}
    key = f"{_EXAMPLES}/{version}.parquet"
    return dict(read_frame(artefacts, key, ["example_id", "event_name"]).iter_rows())


def load_queries(artefacts: ObjectStore) -> list[LogQuery]:
    """Return the queries of the examples in force, in the same order."""
    frame = _load_rows(artefacts, _EXAMPLES, "labelled_examples")
    names = [item.name for item in fields(LogQuery)]
    return [
        LogQuery(**{name: row[f"query_{name}"] for name in names})
        for row in frame.iter_rows(named=True)
    ]


def _frame_records(records: Sequence[object]) -> pl.DataFrame:
    """Return a frame of dataclass records; tuples become lists."""
    if not records:
        return pl.DataFrame()
    names = [item.name for item in fields(records[0])]  # type: ignore[arg-type]
    columns = {}
    for name in names:
        values = [getattr(record, name) for record in records]
        if isinstance(values[0], tuple):
            columns[name] = pl.Series(name, [list(v) for v in values], dtype=pl.List(pl.Int64))
        else:
            columns[name] = pl.Series(name, values, strict=False)
    return pl.DataFrame(columns)


def _store_rows(
    artefacts: ObjectStore, folder: str, version: str, frame: pl.DataFrame
) -> StoredRows:
    key = f"{folder}/{version}.parquet"
    if not has_object(artefacts, key):
        write_frame(artefacts, key, frame)
    before = read_json(artefacts, f"{folder}/current.json")
    pointer = {"version": version, "count": len(frame)}
    if before != pointer:
        write_json(artefacts, f"{folder}/current.json", pointer)
    return StoredRows(version, len(frame), before != pointer)


def _load_rows(artefacts: ObjectStore, folder: str, asset: str) -> pl.DataFrame:
    version = _version_in_force(artefacts, folder)
    if version is None:
        raise PermanentPortError(f"`{asset}` is not materialised yet: materialise it first")
    return read_frame(artefacts, f"{folder}/{version}.parquet")


def find_chunks_version(artefacts: ObjectStore) -> str | None:
    """Return the version of the class chunks in force; None before there are any."""
    return _version_in_force(artefacts, _CHUNKS)


def find_examples_version(artefacts: ObjectStore) -> str | None:
    """Return the version of the labelled examples in force; None before there are any."""
    return _version_in_force(artefacts, _EXAMPLES)


def _version_in_force(artefacts: ObjectStore, folder: str) -> str | None:
    """Return the version that knowledge is made of: the newest, unless a release is pinned."""
    pinned = read_pin(artefacts)
    if pinned is not None:
        return pinned.class_chunks if folder == _CHUNKS else pinned.labelled_examples
    pointer = read_json(artefacts, f"{folder}/current.json")
    return str(pointer["version"]) if pointer else None
