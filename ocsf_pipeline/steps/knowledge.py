"""The assets `class_chunks`, `labelled_examples`, `knowledge_base` and `class_ranker`.

Belongs here: where chunks, examples and the ranker lie, and when they are up to date. Does not
belong here: making them (`knowledge`, `classify`), holding the index (adapters).
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import polars as pl

from ocsf_pipeline.classify.queries import LogQuery, build_query
from ocsf_pipeline.classify.ranker import (
    RANKER_FORMAT,
    Ranker,
    list_training_texts,
    train_ranker,
)
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
from ocsf_pipeline.ports import ClassIndex, Embedder, ObjectStore, PermanentPortError
from ocsf_pipeline.schema.model import OcsfSchema
from ocsf_pipeline.steps.artefacts import (
    Json,
    has_object,
    read_frame,
    read_json,
    write_frame,
    write_json,
)
from ocsf_pipeline.steps.releases import Release, read_pin, record_release

_CHUNKS = "knowledge/class_chunks"
_EXAMPLES = "knowledge/labelled_examples"
_RANKER = "classify/class_ranker"
_HITS_PER_QUERY = 60


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


@dataclass(frozen=True)
class UpdatedRanker:
    """The ranker in force."""

    ranker: Ranker
    example_count: int
    is_changed: bool


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


def update_ranker(
    artefacts: ObjectStore, schema: OcsfSchema, index: ClassIndex, embedder: Embedder | None
) -> UpdatedRanker:
    """Train the ranker on the examples in force, unless it was trained on the same before.

    A ranker is good for the results of one index, so each index has its own; the one updated last
    is the one in force.
    """
    examples = load_stored_examples(artefacts)
    signature = {
        "corpus_version": index.read_version() or "",
        # Acceptable classes are trained on, and the corpus holds nothing of them.
        "labelled_examples": _version_in_force(artefacts, _EXAMPLES) or "",
        "index": index.name,
        "schema_version": schema.version,
        "ranker_format": RANKER_FORMAT,
        "embedder": embedder.name if embedder else "",
    }
    pointer = read_json(artefacts, _name_ranker(index.name))
    if pointer is not None and pointer["signature"] == signature:
        write_json(artefacts, f"{_RANKER}/current.json", pointer)
        ranker = load_ranker(artefacts, index.name)
        _record_release(artefacts, signature, ranker, len(examples))
        return UpdatedRanker(ranker, len(examples), is_changed=False)
    earlier = read_json(artefacts, _name_signature(signature))
    if earlier is not None and has_object(artefacts, f"{_RANKER}/{earlier['version']}.npz"):
        # Going back to an earlier release brings its own ranker back.
        ranker = _put_in_force(artefacts, index.name, earlier, signature)
        return UpdatedRanker(ranker, len(examples), is_changed=True)
    queries = load_queries(artefacts)
    texts = list_training_texts(queries)
    hits = index.search_chunks(texts, _HITS_PER_QUERY)
    embeddings = embedder.encode(texts) if embedder else None
    ranker = train_ranker(schema, examples, queries, hits, embeddings)
    artefacts.write_object(f"{_RANKER}/{ranker.version}.npz", ranker.to_bytes())
    pointer = {"version": ranker.version, "signature": signature, "example_count": len(examples)}
    write_json(artefacts, _name_signature(signature), pointer)
    ranker = _put_in_force(artefacts, index.name, pointer, signature)
    return UpdatedRanker(ranker, len(examples), is_changed=True)


def _put_in_force(
    artefacts: ObjectStore, index_name: str, pointer: Json, signature: Mapping[str, object]
) -> Ranker:
    write_json(artefacts, _name_ranker(index_name), pointer)
    write_json(artefacts, f"{_RANKER}/current.json", pointer)
    ranker = load_ranker(artefacts, index_name)
    _record_release(artefacts, signature, ranker, int(pointer["example_count"]))
    return ranker


def update_rankers(
    artefacts: ObjectStore,
    schema: OcsfSchema,
    indexes: Sequence[ClassIndex],
    embedder: Embedder | None,
) -> UpdatedRanker:
    """Train a ranker for every copy where it lacks; return that of the first, put in force last."""
    return [update_ranker(artefacts, schema, index, embedder) for index in reversed(indexes)][-1]


def _name_signature(signature: Mapping[str, object]) -> str:
    text = json.dumps(signature, sort_keys=True)
    return f"{_RANKER}/by_signature/{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"


def _record_release(
    artefacts: ObjectStore, signature: Mapping[str, object], ranker: Ranker, example_count: int
) -> None:
    release = Release(
        version=str(signature["corpus_version"]),
        index_name=str(signature["index"]),
        ranker_version=ranker.version,
        schema_version=str(signature["schema_version"]),
        class_chunks=_version_in_force(artefacts, _CHUNKS) or "",
        labelled_examples=_version_in_force(artefacts, _EXAMPLES) or "",
        example_count=example_count,
        threshold=float(ranker.threshold),
    )
    record_release(artefacts, release)


def has_ranker(artefacts: ObjectStore, index_name: str) -> bool:
    """Whether a ranker for the results of an index can be used, and with it all that hours need.

    After an upgrade that brings another embedder, or another format of rankers, none can.
    """
    pointer = read_json(artefacts, _name_ranker(index_name))
    return pointer is not None and pointer["signature"]["ranker_format"] == RANKER_FORMAT


def load_ranker(artefacts: ObjectStore, index_name: str) -> Ranker:
    """Return the ranker for the results of an index. Raises PermanentPortError without one."""
    pointer = read_json(artefacts, _name_ranker(index_name))
    if pointer is None:
        raise PermanentPortError(
            f"no ranker is trained on results of the index {index_name!r} yet: materialise "
            "`class_ranker` first"
        )
    return _remember_ranker(artefacts, str(pointer["version"]))


def _name_ranker(index_name: str) -> str:
    """Return the key of the pointer to the ranker of an index."""
    digest = hashlib.sha256(index_name.encode()).hexdigest()[:16]
    return f"{_RANKER}/index-{digest}.json"


# Rankers never change under their version, and three assets of every hour want the same one.
_RANKERS: dict[str, Ranker] = {}


def _remember_ranker(artefacts: ObjectStore, version: str) -> Ranker:
    if version not in _RANKERS:
        ranker = Ranker.from_bytes(artefacts.read_object(f"{_RANKER}/{version}.npz"))
        _RANKERS.clear()
        _RANKERS[version] = ranker
    return _RANKERS[version]


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


def _version_in_force(artefacts: ObjectStore, folder: str) -> str | None:
    """Return the version that knowledge is made of: the newest, unless a release is pinned."""
    pinned = read_pin(artefacts)
    if pinned is not None:
        return pinned.class_chunks if folder == _CHUNKS else pinned.labelled_examples
    pointer = read_json(artefacts, f"{folder}/current.json")
    return str(pointer["version"]) if pointer else None
