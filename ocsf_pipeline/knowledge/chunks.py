"""Class chunks: the texts that the knowledge base is made of, one idea each, all about one class.

Belongs here: the chunk record, and building chunks from the schema and from labelled examples.
Does not belong here: storing or searching them (adapters), reading pack files (`packs`).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from ocsf_pipeline.knowledge.examples import LabelledExample
from ocsf_pipeline.knowledge.words import split_name, strip_html
from ocsf_pipeline.schema.model import (
    OTHER_ACTIVITY,
    UNKNOWN_ACTIVITY,
    Attribute,
    EventClass,
    OcsfSchema,
)

ChunkKind = Literal["overview", "activity", "attributes", "example"]

MAX_ATTRIBUTES = 24
"""More names than this blur a class: they are the ones that many classes share."""
_COMMON_SHARE = 0.34
"""An attribute that more than this share of the classes has says nothing about any of them."""
_REQUIREMENT_WEIGHT = {"required": 1.0, "recommended": 0.8, "optional": 0.5}


@dataclass(frozen=True)
class ClassChunk:
    """One text about one OCSF class."""

    chunk_id: str
    """Stable over rebuilds: derived from what the chunk is about, never from its position."""
    class_uid: int
    kind: ChunkKind
    text: str
    content_hash: str
    """SHA-256 over everything above and below; two chunks are the same when it is the same."""
    activity_id: int | None = None
    product: str | None = None
    """The source pack that an example came from."""


def make_chunk(
    chunk_id: str,
    class_uid: int,
    kind: ChunkKind,
    text: str,
    *,
    activity_id: int | None = None,
    product: str | None = None,
) -> ClassChunk:
    """Return a chunk with its content hash."""
    content = json.dumps([chunk_id, class_uid, kind, text, activity_id, product])
    return ClassChunk(
        chunk_id=chunk_id,
        class_uid=class_uid,
        kind=kind,
        text=text,
        content_hash=hashlib.sha256(content.encode()).hexdigest(),
        activity_id=activity_id,
        product=product,
    )


def build_class_chunks(schema: OcsfSchema) -> list[ClassChunk]:
    """Return the chunks of every live class, by class uid: overview, activities, attributes.

    Deprecated classes get none, so that they are never proposed.
    """
    classes = schema.live_classes
    shared = Counter(name for item in classes for name in item.attributes)
    chunks: list[ClassChunk] = []
    for event_class in classes:
        chunks.append(_build_overview(event_class))
        chunks.extend(_build_activities(event_class))
        attributes = _build_attributes(event_class, shared, len(classes))
        if attributes is not None:
            chunks.append(attributes)
    return chunks


def examples_to_chunks(
    examples: Iterable[LabelledExample], per_event: int | None = None
) -> list[ClassChunk]:
    """Return one chunk per example, by id; its text is the example's query.

    Examples of one product, class and activity whose queries are equal give one chunk. With
    `per_event`, each event of a pack gives at most so many; overrides are never left out.
    """
    chunks: dict[tuple[object, ...], ClassChunk] = {}
    taken: Counter[tuple[str, str, int]] = Counter()
    for example in sorted(examples, key=lambda item: item.example_id):
        if not example.query.strip():
            continue  # nothing to find it by
        key = (example.product, example.class_uid, example.activity_id, example.query)
        event = (example.product, example.event_name, example.class_uid)
        is_enough = per_event is not None and taken[event] >= per_event
        if key not in chunks and (example.origin == "override" or not is_enough):
            taken[event] += 1
            chunks[key] = make_chunk(
                example.example_id,
                example.class_uid,
                "example",
                example.query,
                activity_id=example.activity_id,
                product=example.product or None,
            )
    return list(chunks.values())


def corpus_version(chunks: Iterable[ClassChunk]) -> str:
    """Return the version of a corpus: 16 hex digits over its ids and content hashes, any order."""
    return hash_corpus((chunk.chunk_id, chunk.content_hash) for chunk in chunks)


def hash_corpus(id_hashes: Iterable[tuple[str, str]]) -> str:
    """Return `corpus_version` of a corpus of which only ids and content hashes are at hand."""
    digest = hashlib.sha256()
    for chunk_id, content_hash in sorted(id_hashes):
        digest.update(f"{json.dumps(chunk_id)} {content_hash}\n".encode())
    return digest.hexdigest()[:16]


def _build_overview(event_class: EventClass) -> ClassChunk:
    text = f"{event_class.caption}. {strip_html(event_class.description)}"
    if event_class.category_name and event_class.category_name not in text:
        text = f"{text} Category: {event_class.category_name}."
    return make_chunk(f"class:{event_class.uid}:overview", event_class.uid, "overview", text)


def _build_activities(event_class: EventClass) -> list[ClassChunk]:
    return [
        make_chunk(
            f"class:{event_class.uid}:activity:{activity_id}",
            event_class.uid,
            "activity",
            f"{event_class.caption}: {meaning.caption}. {strip_html(meaning.description)}".strip(),
            activity_id=activity_id,
        )
        for activity_id, meaning in event_class.activities.items()
        if activity_id not in (UNKNOWN_ACTIVITY, OTHER_ACTIVITY) and meaning.deprecation is None
    ]


def _build_attributes(
    event_class: EventClass, shared: Counter[str], class_count: int
) -> ClassChunk | None:
    """Name the attributes that set the class apart, most telling first.

    Those of a profile are left out: events of many classes may add them.
    """
    weighted = [
        (_weigh_attribute(attribute, shared[name], class_count), name)
        for name, attribute in event_class.attributes.items()
        if attribute.deprecation is None and not attribute.profiles
    ]
    telling = sorted(
        (item for item in weighted if item[0] > 0), key=lambda item: (-item[0], item[1])
    )
    words = _unique(split_name(name) for _, name in telling)[:MAX_ATTRIBUTES]
    if not words:
        return None
    return make_chunk(
        f"class:{event_class.uid}:attributes",
        event_class.uid,
        "attributes",
        f"{event_class.caption} attributes: {', '.join(words)}.",
    )


def _weigh_attribute(attribute: Attribute, class_uses: int, class_count: int) -> float:
    """Rarity over the classes times how firmly the class asks for it; 0 when common."""
    if class_uses > max(1.0, _COMMON_SHARE * class_count):
        return 0.0
    return math.log(1 + class_count / class_uses) * _REQUIREMENT_WEIGHT[attribute.requirement]


def _unique(items: Iterable[str]) -> Sequence[str]:
    return list(dict.fromkeys(items))
