"""The asset `class_ranker`: training it, and which one decides.

Belongs here: where rankers lie, when one is up to date, the one in force. Does not belong here:
training itself (`classify`), what it is trained on (`knowledge`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from ocsf_pipeline.classify.ranker import (
    RANKER_FORMAT,
    Ranker,
    RankerError,
    list_training_texts,
    train_ranker,
)
from ocsf_pipeline.knowledge.examples import LabelledExample
from ocsf_pipeline.ports import ClassIndex, Embedder, ObjectStore, PermanentPortError
from ocsf_pipeline.schema.model import OcsfSchema
from ocsf_pipeline.steps.artefacts import Json, read_json, write_json
from ocsf_pipeline.steps.knowledge import (
    find_chunks_version,
    find_examples_version,
    load_queries,
    load_stored_examples,
)
from ocsf_pipeline.steps.releases import Release, record_release

_RANKER = "classify/class_ranker"
_HITS_PER_QUERY = 60


@dataclass(frozen=True)
class UpdatedRanker:
    """The ranker in force."""

    ranker: Ranker
    example_count: int
    is_changed: bool


@dataclass(frozen=True)
class RankerInForce:
    """Which ranker decides; it is loaded when asked for, since most hours have no new template."""

    version: str
    threshold: float
    """Confidence from which on its answers are accepted, unless a setting says so."""
    load: Callable[[], Ranker]
    """Raises RankerError when what is stored cannot be read."""


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
        "labelled_examples": find_examples_version(artefacts) or "",
        "index": index.name,
        "schema_version": schema.version,
        "ranker_format": RANKER_FORMAT,
        "embedder": embedder.name if embedder else "",
    }
    before = read_json(artefacts, _name_ranker(index.name))
    is_same = before is not None and before["signature"] == signature
    # Going back to an earlier release brings its own ranker back.
    pointer = before if is_same else read_json(artefacts, _name_signature(signature))
    if pointer is None or not _is_sound(artefacts, str(pointer["version"])):
        is_same = False
        pointer = _train(artefacts, schema, index, embedder, examples, signature)
        write_json(artefacts, _name_signature(signature), pointer)
    ranker = _put_in_force(artefacts, index.name, pointer, signature)
    return UpdatedRanker(ranker, len(examples), is_changed=not is_same)


def _train(
    artefacts: ObjectStore,
    schema: OcsfSchema,
    index: ClassIndex,
    embedder: Embedder | None,
    examples: Sequence[LabelledExample],
    signature: Mapping[str, object],
) -> Json:
    """Train and store a ranker; return the pointer to it."""
    queries = load_queries(artefacts)
    texts = list_training_texts(queries)
    hits = index.search_chunks(texts, _HITS_PER_QUERY)
    embeddings = embedder.encode(texts) if embedder else None
    ranker = train_ranker(schema, examples, queries, hits, embeddings)
    artefacts.write_object(f"{_RANKER}/{ranker.version}.npz", ranker.to_bytes())
    return {
        "version": ranker.version, "threshold": float(ranker.threshold), "signature": signature,
        "example_count": len(examples),
    }  # fmt: skip


def _is_sound(artefacts: ObjectStore, version: str) -> bool:
    try:
        _remember_ranker(artefacts, version)
    except (RankerError, PermanentPortError):
        return False
    return True


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
        class_chunks=find_chunks_version(artefacts) or "",
        labelled_examples=find_examples_version(artefacts) or "",
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


def find_ranker(artefacts: ObjectStore, index_name: str) -> RankerInForce:
    """Return the ranker for the results of an index. Raises PermanentPortError without one."""
    pointer = read_json(artefacts, _name_ranker(index_name))
    if pointer is None or pointer["signature"]["ranker_format"] != RANKER_FORMAT:
        raise PermanentPortError(
            f"this release has trained no ranker on results of the index {index_name!r} yet: "
            "materialise `class_ranker` first"
        )
    version = str(pointer["version"])
    return RankerInForce(
        version, float(pointer["threshold"]), partial(_remember_ranker, artefacts, version)
    )


def load_ranker(artefacts: ObjectStore, index_name: str) -> Ranker:
    """Return the ranker of `find_ranker`, loaded."""
    return find_ranker(artefacts, index_name).load()


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
