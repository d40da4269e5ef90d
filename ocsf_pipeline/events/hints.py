"""What source packs say about mapping: fields, sentences and words of one product.

Belongs here: the hints' form inside the stage, and deciding which pack's hints a template gets.
Does not belong here: the packs' file format (`knowledge.packs`), compiling rules (`mapping`).

Hints of a product are used only where the evidence is strong that a log is that product's: its
sample has the fields or the text by which the pack says that it is recognised, or most of the
nearest labelled examples are of that product.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ocsf_pipeline.events.names import join_words
from ocsf_pipeline.knowledge.packs import PackMapping, SourcePack

ALL_WEIGHT = 0.7
"""Cosine of the best from which it is enough that all nearest examples are of one product."""
MOST_WEIGHT = 0.8
"""Cosine of the best from which it is enough that most of them are: right in 97 of 100 cases."""


@dataclass(frozen=True)
class ProductHints:
    """What one pack knows about mapping its product's logs."""

    product: str
    name: str
    vendor: str
    recognised_by: tuple[tuple[str, ...], ...] = ()
    """Alternatives; each is a set of field paths and `"quoted"` texts that must all be there."""
    fields: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    """Field path to attributes, each as alternative paths, best first; none: no attribute."""
    texts: tuple[tuple[str, Mapping[str, str]], ...] = ()
    """Phrase, and attributes that every log of the phrase has."""
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Enum attribute, or field path, to the product's words for its values."""
    sets: Mapping[str, str] = field(default_factory=dict)
    """Attribute path to the value that every log of the product has."""

    @property
    def version(self) -> str:
        """Changes with the content."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:12]


def make_hints(packs: Iterable[SourcePack]) -> dict[str, ProductHints]:
    """Return the hints of packs by product; a pack without any still names its product."""
    known = {pack.product: pack for pack in packs}
    made = {}
    for pack in known.values():
        said = _merge_like(pack.mapping, known)
        made[pack.product] = ProductHints(
            product=pack.product,
            name=pack.name,
            vendor=pack.vendor,
            recognised_by=tuple(tuple(item) for item in said.recognised_by),
            fields={
                path: tuple(map(_split_alternatives, targets.split("+"))) if targets else ()
                for path, targets in said.fields.items()
            },
            texts=tuple((item.phrase, dict(item.set)) for item in said.texts),
            words={name: dict(words) for name, words in said.words.items()},
            sets=dict(said.set),
        )
    return made


def _merge_like(said: PackMapping, packs: Mapping[str, SourcePack]) -> PackMapping:
    """Return a pack's mapping over that of the pack that it is like."""
    base = packs.get(said.like)
    if base is None:
        return said
    below = base.mapping
    return PackMapping(
        recognised_by=said.recognised_by or below.recognised_by,
        fields={**below.fields, **said.fields},
        texts=(*said.texts, *below.texts),
        words={**below.words, **said.words},
        set={**below.set, **said.set},
    )


def _split_alternatives(targets: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in targets.split("|") if part.strip())


def hints_version(hints: Mapping[str, ProductHints]) -> str:
    """Return a version of all hints together."""
    parts = [hints[name].version for name in sorted(hints)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


def hints_to_json(hints: Mapping[str, ProductHints]) -> str:
    """Return hints as JSON text."""
    return json.dumps([asdict(hints[name]) for name in sorted(hints)], ensure_ascii=False)


def hints_from_json(text: str) -> dict[str, ProductHints]:
    """Read what `hints_to_json` wrote."""
    read = {}
    for item in json.loads(text):
        item["recognised_by"] = tuple(tuple(part) for part in item["recognised_by"])
        item["fields"] = {
            path: tuple(map(tuple, targets)) for path, targets in item["fields"].items()
        }
        item["texts"] = tuple((phrase, dict(sets)) for phrase, sets in item["texts"])
        read[item["product"]] = ProductHints(**item)
    return read


@dataclass(frozen=True)
class Origin:
    """What is known of where a template's logs come from."""

    format: str = ""
    vendor: str = ""
    product: str = ""
    nearest: tuple[tuple[str, float], ...] = ()
    """Products of the nearest labelled examples with their cosine."""


def read_origin(decision: Mapping[str, Any]) -> Origin:
    """Return the origin of a row of DECISION_SCHEMA."""
    evidence = json.loads(decision.get("evidence") or "[]")
    nearest = tuple(
        # `product event's name: class`; the classify stage writes it for people too.
        (str(item["text"]).partition(" ")[0].rstrip(":"), float(item["weight"]))
        for item in evidence
        if item.get("kind") == "example"
    )
    return Origin(
        str(decision.get("format") or ""), str(decision.get("vendor") or ""),
        str(decision.get("product") or ""), nearest,
    )  # fmt: skip


def choose_product(
    hints: Mapping[str, ProductHints], origin: Origin, paths: Sequence[str], texts: Sequence[str]
) -> tuple[ProductHints, str] | None:
    """Return the hints that apply to a template, and why; None without strong evidence.

    `paths`: dotted paths of the sample's fields; `texts`: its values.
    """
    known = [(product, weight) for product, weight in origin.nearest if product in hints]
    signed = [item.product for item in hints.values() if item.recognised_by]
    nearest = [item for item, _weight in known]
    for product in dict.fromkeys([*nearest, *_named(hints, origin), *signed]):
        if _is_recognised(hints[product], paths, texts):
            return hints[product], "recognised by its fields"
    for product in dict.fromkeys(nearest):
        weights = [weight for item, weight in known if item == product]
        is_all = len(weights) == len(origin.nearest) > 1
        is_most = 2 * len(weights) > len(origin.nearest)
        wanted = ALL_WEIGHT if is_all else MOST_WEIGHT
        if is_most and max(weights) >= wanted and not hints[product].recognised_by:
            return hints[product], f"nearest examples, {max(weights):.2f}"
    return None


def _named(hints: Mapping[str, ProductHints], origin: Origin) -> list[str]:
    said = {join_words(origin.product), join_words(f"{origin.vendor} {origin.product}")} - {""}
    return [item.product for item in hints.values() if join_words(item.name) in said]


def _is_recognised(hints: ProductHints, paths: Sequence[str], texts: Sequence[str]) -> bool:
    def holds(sign: str) -> bool:
        if sign.startswith('"'):
            return any(sign.strip('"') in text for text in texts)
        return sign in paths

    return any(all(map(holds, signs)) for signs in hints.recognised_by)


def find_words(hints: ProductHints, name: str, targets: Sequence[str]) -> dict[str, str] | None:
    """Return the product's words for the enum that a field or an attribute gives."""
    found: dict[str, str] = {}
    for key in (*reversed(targets), name):
        found.update(hints.words.get(key, {}))
    return found or None
