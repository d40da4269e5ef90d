"""Labelled examples: logs whose class is known, from source packs and from analysts.

Belongs here: the example record, taking examples out of packs, merging analysts' overrides,
checking labels against a schema. Does not belong here: making queries out of raw logs (`classify`
hands that in as a function), chunks (`chunks`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ocsf_pipeline.knowledge.packs import SourcePack
from ocsf_pipeline.schema.model import OcsfSchema

QueryMaker = Callable[[Sequence[str]], Sequence[str]]
"""Raw logs in, one query text each out, in the same order."""

_QUERY_CHARS = 1_000


@dataclass(frozen=True)
class LabelledExample:
    """One raw log whose class is known."""

    example_id: str
    """Derived from product, event and raw text: relabelling an example keeps its id."""
    product: str
    """The pack's product; empty for an override of a log whose product is not known."""
    event_name: str
    class_uid: int
    activity_id: int
    acceptable: tuple[int, ...]
    """Other classes that are right too; never `class_uid` itself."""
    raw: str
    query: str
    """The text by which logs like this one are found."""
    origin: Literal["pack", "override"]


def cut_raw(raws: Sequence[str]) -> list[str]:
    """Return the first 1,000 characters of each raw log: the plainest query maker."""
    return [raw[:_QUERY_CHARS] for raw in raws]


def make_example_id(origin: str, product: str, event_name: str, raw: str) -> str:
    """Return the stable id of an example, e.g. `example:pack:okta:9f86d081884c7d65`."""
    digest = hashlib.sha256(json.dumps([product, event_name, raw]).encode()).hexdigest()[:16]
    return f"example:{origin}:{product or 'any'}:{digest}"


def load_examples(
    packs: Mapping[str, SourcePack], make_queries: QueryMaker = cut_raw
) -> list[LabelledExample]:
    """Return the examples of all packs, by id.

    `make_queries` is called once with every raw log, so that it can work on columns.
    """
    labelled = [
        (pack, event, raw)
        for pack in packs.values()
        for event in pack.events
        for raw in event.examples
    ]
    queries = make_queries([raw for _, _, raw in labelled])
    examples = {
        example.example_id: example
        for example in (
            LabelledExample(
                example_id=make_example_id("pack", pack.product, event.name, raw),
                product=pack.product,
                event_name=event.name,
                class_uid=event.class_uid,
                activity_id=event.activity_id,
                acceptable=tuple(uid for uid in event.acceptable if uid != event.class_uid),
                raw=raw,
                query=query,
                origin="pack",
            )
            for (pack, event, raw), query in zip(labelled, queries, strict=True)
        )
    }
    return [examples[example_id] for example_id in sorted(examples)]


def merge_examples(
    packs: Iterable[LabelledExample], overrides: Iterable[LabelledExample]
) -> list[LabelledExample]:
    """Return both, by id; an override takes the place of a pack's example of the same query."""
    decided = {example.example_id: example for example in overrides}
    settled = {example.query for example in decided.values()}
    kept = {item.example_id: item for item in packs if item.query not in settled}
    merged = {**kept, **decided}
    return [merged[example_id] for example_id in sorted(merged)]


@dataclass(frozen=True)
class LabelProblem:
    """An example whose label the schema does not know."""

    example: LabelledExample
    reason: str
    """What is wrong and what to do, naming product and event."""


def split_by_label(
    examples: Iterable[LabelledExample], schema: OcsfSchema
) -> tuple[list[LabelledExample], list[LabelProblem]]:
    """Return the examples that `schema` can hold, and the others with the reason.

    Unknown and deprecated classes and unknown activities are problems: a deprecated class must
    not be proposed through an example either.
    """
    usable: list[LabelledExample] = []
    problems: list[LabelProblem] = []
    for example in examples:
        reason = _find_label_problem(example, schema)
        if reason:
            problems.append(LabelProblem(example, reason))
        else:
            usable.append(example)
    return usable, problems


def _find_label_problem(example: LabelledExample, schema: OcsfSchema) -> str:
    where = f"{example.product or 'override'}, event {example.event_name!r}"
    event_class = schema.find_class(example.class_uid)
    if event_class is None:
        return f"{where}: OCSF {schema.version} has no class {example.class_uid}; correct the label"
    if event_class.deprecation is not None:
        advice = event_class.deprecation.message or "choose another class"
        return f"{where}: class {example.class_uid} ({event_class.caption}) is deprecated: {advice}"
    if example.activity_id not in event_class.activities:
        known = ", ".join(map(str, event_class.activities))
        return (
            f"{where}: class {example.class_uid} ({event_class.caption}) has no activity "
            f"{example.activity_id}; choose one of {known}"
        )
    return ""
