"""`python -m ocsf_pipeline.bench.overrides LABELS.jsonl …`: what analysts' overrides buy.

Plays an analyst who meets products without a pack: every pack that shares a telling word with the
product's name is left out, some templates of each product are overridden by their labels, knowledge
base and ranker materialise, and the logs of all other templates of these products are decided
again. The same for the products that nobody touched: they must not fall.

Belongs here: choosing products and templates, the rounds, the figures. Does not belong here:
learning (`steps.knowledge`), scoring single logs for people (`ocsf-pipeline evaluate`).
"""

from __future__ import annotations

import json
import random
import re
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import log2
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer

from ocsf_pipeline import opening
from ocsf_pipeline.adapters.embedded_index import EmbeddedClassIndex
from ocsf_pipeline.adapters.object_store import open_object_store
from ocsf_pipeline.classify.queries import LogQuery, build_query
from ocsf_pipeline.commands.evaluate import read_labels
from ocsf_pipeline.knowledge.corrections import Correction, examples_from_corrections
from ocsf_pipeline.knowledge.packs import SourcePack
from ocsf_pipeline.logs.single import normalize_texts
from ocsf_pipeline.ports import ObjectStore
from ocsf_pipeline.settings import Settings
from ocsf_pipeline.steps.batches import summarize_templates
from ocsf_pipeline.steps.classify import Decider, load_decider
from ocsf_pipeline.steps.knowledge import store_class_chunks, store_examples, update_knowledge_base
from ocsf_pipeline.steps.rankers import update_ranker
from ocsf_pipeline.steps.schema import load_schema, store_schema

_COMMON_WORDS = frozenset(
    {"activity", "alerts", "audit", "auth", "cloud", "email", "event", "eventlog", "events",
     "firewall", "gateway", "logs", "network", "proxy", "secure", "security", "server", "service",
     "system", "traffic", "waf", "web", "endpoint", "identity", "threat", "protection", "data"}
)  # fmt: skip
_SHORTEST_WORD = 3
Figures = dict[str, Any]


class Pick(StrEnum):
    """Which templates the analyst takes first."""

    review = "review"
    """As the review queue orders them: uncertain ones with many events."""
    random = "random"


@dataclass(frozen=True)
class Log:
    """One labelled log and the template it is of."""

    source: str
    template_id: str
    class_uid: int
    acceptable: frozenset[int]


@dataclass(frozen=True)
class Logs:
    """All labelled logs and one row per template."""

    logs: tuple[Log, ...]
    templates: pl.DataFrame
    """TEMPLATE_SCHEMA of steps.logs without times."""


def measure_overrides(
    labels: Annotated[list[Path], typer.Argument(help="JSON Lines as `evaluate` reads them.")],
    budget: Annotated[list[int] | None, typer.Option(help="Overrides per product.")] = None,
    products: Annotated[int, typer.Option(help="The products with most templates.")] = 8,
    pick: Annotated[Pick, typer.Option(help="Which templates are overridden first.")] = Pick.review,
    seed: Annotated[int, typer.Option(help="Of --pick random.")] = 0,
) -> None:
    """Measure what overrides buy on products without packs, and print JSON."""
    settings = opening.load_settings()
    logs = read_logs(labels)
    budgets = sorted(budget or [10, 25, 50])
    taught = choose_products(logs.logs, products, min(budgets))
    packs = opening.open_packs(settings).read_packs()
    kept = leave_out_packs(packs, taught)
    _tell(f"{len(taught)} products; {len(packs) - len(kept)} of {len(packs)} packs left out")
    rounds = Rounds(settings, logs, kept)
    before = rounds.decide({})
    order = order_templates(logs.logs, before, pick, seed)
    figures: Figures = {
        "products": taught,
        "packs_left_out": len(packs) - len(kept),
        "pick": pick.value,
        "each_product": [],
        "all_products_together": [],
    }
    for count in budgets:
        for kind in ("each_product", "all_products_together"):
            choose = choose_in_each if kind == "each_product" else choose_in_all
            overrides = choose(logs.logs, order, taught, count)
            if not overrides:
                _tell(f"{count} overrides: no product has so many templates and one to measure")
                continue
            after = rounds.decide(overrides)
            found = compare_round(logs.logs, taught, overrides, before, after, count)
            figures[kind].append(found)
            _tell(f"{count} overrides, {kind}: {json.dumps(found['rest'])}")
    typer.echo(json.dumps(figures, indent=1))


def read_logs(paths: Iterable[Path]) -> Logs:
    """Read the labelled logs of all files, each text once, and find their templates."""
    texts: dict[str, Any] = {}
    for path in paths:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        for label, line in zip(read_labels(str(path)), lines, strict=True):
            texts.setdefault(json.loads(line)["raw"], label)
    records = normalize_texts(list(texts)).records
    labels = list(texts.values())
    logs = tuple(
        Log(labels[at].source, template_id, labels[at].class_uid, labels[at].acceptable)
        for at, template_id in records.select("position", "template_id").iter_rows()
    )
    return Logs(logs, summarize_templates(records))


def choose_products(logs: Sequence[Log], count: int, smallest: int) -> list[str]:
    """Return the products with most templates, of those with more than `smallest`."""
    templates: dict[str, set[str]] = defaultdict(set)
    for log in logs:
        templates[log.source].add(log.template_id)
    sizes = {source: len(ids) for source, ids in templates.items() if len(ids) > smallest}
    return sorted(sizes, key=lambda source: (-sizes[source], source))[:count]


def leave_out_packs(
    packs: Mapping[str, SourcePack], sources: Iterable[str]
) -> dict[str, SourcePack]:
    """Return the packs that share no telling word with the names of `sources`."""
    words = {word for source in sources for word in _split_name(source)}
    return {name: pack for name, pack in packs.items() if not words & _split_name(name)}


def _split_name(name: str) -> set[str]:
    found = re.split(r"[^a-z0-9]+", name.lower())
    return {word for word in found if len(word) >= _SHORTEST_WORD} - _COMMON_WORDS


class Rounds:
    """Builds knowledge with some overrides, as their next materialisation does, and decides."""

    def __init__(self, settings: Settings, logs: Logs, packs: Mapping[str, SourcePack]) -> None:
        self._settings = settings
        self._logs = logs
        self._packs = packs

    def decide(self, overrides: Mapping[str, int]) -> dict[str, tuple[int, float, str]]:
        """Return (class_uid, confidence, status) by template; `overrides` are classes by it."""
        with tempfile.TemporaryDirectory(prefix="ocsf-overrides-") as folder:
            artefacts = open_object_store(folder)
            decided = self._learn(artefacts, overrides).decide(self._logs.templates)
        columns = decided.select("template_id", "class_uid", "confidence", "status")
        return {row[0]: (row[1], row[2], row[3]) for row in columns.iter_rows()}

    def _learn(self, artefacts: ObjectStore, overrides: Mapping[str, int]) -> Decider:
        source = opening.open_schema_source(self._settings)
        store_schema(source, artefacts, self._settings.schema_version)
        schema = load_schema(artefacts)
        store_class_chunks(artefacts, schema)
        corrections, queries = self._correct(overrides)
        examples = examples_from_corrections(corrections)
        store_examples(artefacts, schema, self._packs, examples, queries)
        embedder = opening.open_embedder(self._settings)
        index = EmbeddedClassIndex(artefacts, embedder)
        update_knowledge_base(artefacts, index)
        update_ranker(artefacts, schema, index, embedder)
        return load_decider(artefacts, index, embedder, self._settings.accept_threshold)

    def _correct(
        self, overrides: Mapping[str, int]
    ) -> tuple[list[Correction], dict[str, LogQuery]]:
        corrections, queries = [], {}
        rows = self._logs.templates.filter(pl.col("template_id").is_in(list(overrides)))
        for row in rows.iter_rows(named=True):
            query = build_query(
                row["sample_fields"], row["sample_raw"], row["format"], row["vendor"],
                row["product"],
            )  # fmt: skip
            queries[row["sample_raw"]] = query
            corrections.append(
                Correction(
                    override_id=row["template_id"], class_uid=overrides[row["template_id"]],
                    activity_id=0, product=row["product"] or row["vendor"] or "", event_type="",
                    raw=row["sample_raw"], query=query.text,
                )
            )  # fmt: skip
        return corrections, queries


def order_templates(
    logs: Sequence[Log], decided: Mapping[str, tuple[int, float, str]], pick: Pick, seed: int
) -> list[str]:
    """Return all templates in the order in which the analyst takes them."""
    counts = Counter(log.template_id for log in logs)
    if pick is Pick.random:
        ids = sorted(counts)
        random.Random(seed).shuffle(ids)  # noqa: S311
        return ids

    def rank(template_id: str) -> tuple[float, str]:
        return -(1 - decided[template_id][1]) * log2(1 + counts[template_id]), template_id

    return sorted(counts, key=rank)


def choose_in_each(
    logs: Sequence[Log], order: Sequence[str], sources: Sequence[str], count: int
) -> dict[str, int]:
    """Return the label's class of the first `count` templates of each product.

    A product with too few templates is left out of the round: nothing would be left to measure.
    """
    chosen: dict[str, int] = {}
    for source in sources:
        labels = _label_templates(logs, [source])
        ids = [template_id for template_id in order if template_id in labels]
        if len(ids) > count:
            chosen.update((template_id, labels[template_id]) for template_id in ids[:count])
    return chosen


def choose_in_all(
    logs: Sequence[Log], order: Sequence[str], sources: Sequence[str], count: int
) -> dict[str, int]:
    """Return the label's class of the first `count` templates of all products together."""
    labels = _label_templates(logs, sources)
    ids = [template_id for template_id in order if template_id in labels]
    return {template_id: labels[template_id] for template_id in ids[:count]}


def _label_templates(logs: Sequence[Log], sources: Sequence[str]) -> dict[str, int]:
    labels: dict[str, int] = {}
    for log in logs:
        if log.source in sources:
            labels.setdefault(log.template_id, log.class_uid)
    return labels


def compare_round(
    logs: Sequence[Log],
    sources: Sequence[str],
    overrides: Mapping[str, int],
    before: Mapping[str, tuple[int, float, str]],
    after: Mapping[str, tuple[int, float, str]],
    count: int,
) -> Figures:
    """Return accuracy before and after on the rest of each product, and on all other products.

    The rest are the logs of templates that nobody overrode, of products of which some were.
    """
    touched = {log.source for log in logs if log.template_id in overrides and log.source in sources}
    rest: dict[str, list[Log]] = defaultdict(list)
    others = [log for log in logs if log.source not in sources]
    for log in logs:
        if log.source in touched and log.template_id not in overrides:
            rest[log.source].append(log)
    every = [log for items in rest.values() for log in items]
    return {
        "budget": count,
        "overrides": len(overrides),
        "rest": _compare(every, before, after),
        "rest_by_product": {
            source: _compare(items, before, after) for source, items in sorted(rest.items())
        },
        "other_products": _compare(others, before, after),
    }


def _compare(
    logs: Sequence[Log],
    before: Mapping[str, tuple[int, float, str]],
    after: Mapping[str, tuple[int, float, str]],
) -> Figures:
    return {
        "logs": len(logs),
        **{f"before_{name}": value for name, value in _score(logs, before).items()},
        **{f"after_{name}": value for name, value in _score(logs, after).items()},
    }


def _score(logs: Sequence[Log], decided: Mapping[str, tuple[int, float, str]]) -> Figures:
    if not logs:
        return {"top1": None, "accepted": None, "accepted_right": None}
    right = [decided[log.template_id][0] in log.acceptable for log in logs]
    accepted = [decided[log.template_id][2] == "accepted" for log in logs]
    both = sum(1 for is_right, is_in in zip(right, accepted, strict=True) if is_right and is_in)
    return {
        "top1": round(sum(right) / len(logs), 4),
        "accepted": round(sum(accepted) / len(logs), 4),
        "accepted_right": round(both / sum(accepted), 4) if any(accepted) else None,
    }


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    typer.run(measure_overrides)
