"""What carried a decision -> evidence that an analyst can read: fields, the runner-up, examples.

Belongs here: finding the fields of a log behind the ranker's terms, naming the nearest examples,
the evidence's JSON. Does not belong here: what weighs how much (`model`), showing evidence
(`commands`, the tables). Values of logs are quoted short and without control characters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from ocsf_pipeline.classify.leaves import Leaf
from ocsf_pipeline.classify.words import OBJECTS, VERBS, spell_key, split_words
from ocsf_pipeline.ports import Candidate
from ocsf_pipeline.schema.model import OcsfSchema

Term = tuple[str, str, float]
"""(part of the query, term, weight), as `Ranker.explain` gives them."""
TERM_COUNT = 12
"""Terms to ask the ranker for: several of them often come from one field."""
_FIELDS_SHOWN = 5
_NEAREST_SHOWN = 3
_INSTEAD_WORDS = 3
_MAX_LEAVES = 80
_VALUE_CHARS = 200
_SHOWN_CHARS = 100
_PART_NAMES = {
    "head": "event name",
    "names": "named by",
    "concepts": "says",
    "message": "message",
    "values": "value",
    "keys": "field",
    "kinds": "kind of value",
    "source": "source",
}
_WORD = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True)
class Explained:
    """What is known about one decision."""

    candidates: Sequence[Candidate]
    """Best first; the first is the decision."""
    terms: Sequence[Term]
    """What spoke for the decided class, heaviest first."""
    instead: Sequence[Term]
    """What spoke for the runner-up."""
    nearest: Sequence[Mapping[str, object]]
    """Hits on examples, nearest first."""
    note: str = ""
    """What a re-ranker said, or why it said nothing."""


def write_evidence(
    known: Explained,
    leaves: Sequence[Leaf],
    schema: OcsfSchema,
    example_names: Mapping[str, str],
) -> str:
    """Return the evidence as JSON: [{kind, text, weight}], fields first, then examples.

    `leaves` are those of the log that was decided; `example_names` gives the event's name by
    example id. Weights of fields are shares of the ranker's score, those of examples are cosines.
    """
    evidence = _explain_fields(known.terms, [_read_place(leaf) for leaf in leaves[:_MAX_LEAVES]])
    evidence += _explain_instead(known)
    evidence += [_explain_example(hit, schema, example_names) for hit in known.nearest]
    if known.note:
        evidence.append(_item("reranker", make_printable(known.note), 0.0))
    return json.dumps(evidence, ensure_ascii=False)


def gather_nearest(hits: pl.DataFrame) -> dict[int, list[dict[str, object]]]:
    """Return the nearest examples of each query by its number: one per product and class."""
    near = hits.with_columns(nearness=pl.coalesce("dense_score", "rerank_score", pl.lit(0.0)))
    examples = near.filter(pl.col("kind") == "example")
    nearest = (
        examples.sort("query_no", "rank")
        .unique(["query_no", "product", "class_uid", "activity_id"], keep="first")
        .sort("query_no", "rank")
        .group_by("query_no", maintain_order=True)
        .head(_NEAREST_SHOWN)
    )
    found: dict[int, list[dict[str, object]]] = {}
    for hit in nearest.iter_rows(named=True):
        found.setdefault(hit["query_no"], []).append(hit)
    return found


@dataclass(frozen=True)
class _Place:
    """One field of the log, with all that it says."""

    leaf: Leaf
    name: str
    value: str
    key_words: frozenset[str]
    words: frozenset[str]
    concepts: frozenset[str]


def _read_place(leaf: Leaf) -> _Place:
    value = str(leaf.value)[:_VALUE_CHARS]
    key = leaf.path[-1] if leaf.path else "message"
    key_words = {*spell_key(key.rsplit(".", 1)[-1]), *split_words(key)}
    words = {*split_words(value), *_WORD.findall(value.lower())}
    # An event's number is one word with its key.
    glued = {"".join((*spell_key(key), value))} if value.isdigit() else set()
    concepts = {table[word] for word in words | key_words for table in (VERBS, OBJECTS)
                if word in table}  # fmt: skip
    return _Place(
        leaf, ".".join(leaf.path) or "message", value, frozenset(key_words),
        frozenset(words | key_words | glued), frozenset(concepts),
    )  # fmt: skip


def _explain_fields(terms: Sequence[Term], places: Sequence[_Place]) -> list[dict[str, object]]:
    """Put the terms of one field together; what no field holds stands by itself."""
    grouped: dict[str, tuple[str, _Place | None, dict[str, None], float]] = {}
    for part, term, weight in terms:
        place = _find_place(part, term, places)
        said = _spell_term(term)
        name = place.name if place else f"{part}:{said}"
        first, _place, words, total = grouped.get(name, (part, place, {}, 0.0))
        words[said] = None
        grouped[name] = (first, place, words, total + weight)
    ordered = sorted(grouped.values(), key=lambda item: -item[3])[:_FIELDS_SHOWN]
    return [
        _item(_PART_NAMES.get(part, part), _spell_field(place, words), weight)
        for part, place, words, weight in ordered
    ]


def _spell_field(place: _Place | None, words: Iterable[str]) -> str:
    said = _leave_out_contained(list(words))
    if place is None:
        return ", ".join(said)
    return f"{place.name}: {_quote(place.value)} ({', '.join(said)})"


def _leave_out_contained(words: Sequence[str]) -> list[str]:
    """Drop `enrolled` beside `type is enrolled`: it says nothing more."""
    return [
        word
        for word in words
        if not any(word != other and f" {word} " in f" {other} " for other in words)
    ]


def _find_place(part: str, term: str, places: Sequence[_Place]) -> _Place | None:
    """Return the shortest field that holds every word of a term."""
    if part == "source":
        return None
    if part == "kinds":
        fitting = [place for place in places if term in place.leaf.kinds]
    elif part == "concepts":
        wanted = set(_spell_term(term).split())
        fitting = [place for place in places if wanted <= place.concepts]
    else:
        wanted = set(_WORD.findall(term.lower()))
        fitting = [
            place for place in places
            if wanted <= (place.key_words if part == "keys" else place.words)
        ]  # fmt: skip
    return min(fitting, key=lambda place: len(place.value), default=None)


def _explain_instead(known: Explained) -> list[dict[str, object]]:
    """Say what comes second and what spoke for it."""
    if len(known.candidates) < 2:
        return []
    second = known.candidates[1]
    words = _leave_out_contained(
        list(dict.fromkeys(_spell_term(term) for _part, term, _weight in known.instead))
    )[:_INSTEAD_WORDS]
    because = f", for: {', '.join(words)}" if words else ""
    return [_item("instead of", f"{second.class_name} ({second.class_uid}){because}", second.score)]


def _explain_example(
    hit: Mapping[str, object], schema: OcsfSchema, example_names: Mapping[str, str]
) -> dict[str, object]:
    event_class = schema.find_class(int(str(hit["class_uid"])))
    meant = event_class.caption if event_class else str(hit["class_uid"])
    activity = hit.get("activity_id")
    if event_class and activity is not None and int(str(activity)) in event_class.activities:
        meant = f"{meant}, {event_class.activities[int(str(activity))].caption}"
    name = example_names.get(str(hit["chunk_id"]), "")
    known_as = f"{hit['product'] or 'override'} {_quote(name)}".strip() if name else (
        f"{hit['product'] or 'override'}"
    )  # fmt: skip
    return _item("example", f"{known_as}: {meant}", float(str(hit["nearness"])))


def _item(kind: str, text: str, weight: float) -> dict[str, object]:
    return {"kind": kind, "text": text, "weight": round(weight, 4)}


def make_printable(text: str) -> str:
    """Return `text` on one line, without control characters: logs are written by attackers."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _quote(text: str) -> str:
    plain = make_printable(text)
    return plain if len(plain) <= _SHOWN_CHARS else plain[: _SHOWN_CHARS - 1] + "…"


def _spell_term(term: str) -> str:
    sign, colon, concept = term.partition(":")
    return concept if colon and sign in ("h", "n", "m", "k") else term.replace("=", " is ")
