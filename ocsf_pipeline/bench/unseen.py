"""`python -m ocsf_pipeline.bench.unseen`: how well products are classified that no pack knows.

Belongs here: leaving out what the packs know of the labelled products, training without it,
deciding by all that is left. Does not belong here: training (`classify`), metrics
(`classify.evaluate`), decisions with all packs (`ocsf-pipeline evaluate`).
"""

from __future__ import annotations

import fnmatch
import json
import os
import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import polars as pl
import typer

from ocsf_pipeline import opening
from ocsf_pipeline.bench.measure import tell
from ocsf_pipeline.classify.evaluate import Label, Prediction, Report, score_predictions
from ocsf_pipeline.classify.queries import LogQuery
from ocsf_pipeline.classify.ranker import Ranker, list_training_texts, train_ranker
from ocsf_pipeline.commands.evaluate import read_labels, show_report
from ocsf_pipeline.commands.knowledge import open_decider
from ocsf_pipeline.knowledge.examples import LabelledExample
from ocsf_pipeline.opening import load_settings
from ocsf_pipeline.schema.model import OcsfSchema
from ocsf_pipeline.steps.knowledge import build_queries, load_queries, load_stored_examples

_HITS = 60
_HITS_TO_CHOOSE_FROM = 200
"""More than are used: those of the products left out fall away."""
_COMMON_WORDS = frozenset(
    """
    audit events event alerts alert security logs log data network cloud linux windows firewall waf
    email web http dns access aws azure google microsoft cisco
    """.split()  # noqa: SIM905 - read and edited as words
)

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Known:
    """Everything that rankers are trained on, searched for and embedded once."""

    schema: OcsfSchema
    examples: Sequence[LabelledExample]
    queries: Sequence[LogQuery]
    hits: pl.DataFrame
    embeddings: Floats

    def train_without(self, products: Collection[str]) -> Ranker:
        """Train as the asset does, with everything of `products` left out."""
        kept = [at for at, item in enumerate(self.examples) if item.product not in products]
        noise = range(len(self.examples), len(self.embeddings))
        chosen = [*kept, *noise]
        return train_ranker(
            self.schema,
            [self.examples[at] for at in kept],
            [self.queries[at] for at in kept],
            choose_hits(self.hits, chosen, products),
            self.embeddings[chosen],
        )


def choose_hits(
    hits: pl.DataFrame, rows: Sequence[int], without: Collection[str], limit: int = _HITS
) -> pl.DataFrame:
    """Return the best `limit` hits of the queries `rows`, numbered anew, without some products."""
    places = pl.DataFrame(
        {"query_no": rows, "place": range(len(rows))},
        schema={"query_no": pl.UInt32, "place": pl.UInt32},
    )
    is_left_out = pl.col("product").is_in(list(without)).fill_null(value=False)
    kept = hits.filter(~is_left_out).join(places, on="query_no")
    best = kept.filter(pl.col("rank").rank("ordinal").over("query_no") <= limit)
    return best.with_columns(query_no="place").select(hits.columns)


def relate_products(
    sources: Collection[str], products: Collection[str]
) -> dict[str, frozenset[str]]:
    """Return, per source of labels, the products of packs that tell of it, or of a sibling.

    Those that `related_packs.json` lists; else those that share a telling word of its name.
    """
    told = json.loads((files("ocsf_pipeline.bench") / "related_packs.json").read_text("utf-8"))
    found = {}
    for source in sources:
        if source in told:
            found[source] = match_products(told[source], products)
            continue
        words = set(source.lower().split("_")) - _COMMON_WORDS
        found[source] = frozenset(name for name in products if words & set(name.split("_")))
    return found


def match_products(patterns: Sequence[str], products: Collection[str]) -> frozenset[str]:
    """Return the `products` that fit any of `patterns`, which may hold `*`."""
    return frozenset(name for pattern in patterns for name in fnmatch.filter(products, pattern))


def group_sources(
    related: Mapping[str, frozenset[str]], sizes: Mapping[str, int], count: int
) -> list[list[str]]:
    """Return `count` groups of about equal size; sources that share a pack stay together."""
    groups: list[list[str]] = [[] for _ in range(count)]
    for source in sorted(related, key=lambda name: (-sizes[name], name)):
        fitting = (
            group for group in groups if any(related[name] & related[source] for name in group)
        )
        smallest = min(groups, key=lambda group: sum(sizes[name] for name in group))
        next(fitting, smallest).append(source)
    return [group for group in groups if group]


def measure_unseen(
    known: Known,
    labels: Sequence[Label],
    asked: tuple[Sequence[LogQuery], pl.DataFrame, Floats],
    related: Mapping[str, frozenset[str]],
    group_count: int,
) -> Report:
    """Decide every label by a ranker that knows nothing of its product, and compare.

    `asked` holds the labels' queries, their hits and their vectors.
    """
    places: dict[str, list[int]] = defaultdict(list)
    for at, label in enumerate(labels):
        places[label.source].append(at)
    sizes = {source: len(rows) for source, rows in places.items()}
    predictions: list[Prediction] = []
    for group in group_sources(related, sizes, group_count):
        left_out = frozenset().union(*(related[source] for source in group))
        started = time.perf_counter()
        ranker = known.train_without(left_out)
        tell(f"without {len(left_out)} packs: trained in {time.perf_counter() - started:.0f} s")
        for source in group:
            rows = places[source]
            # Of a group, each source is asked without the packs of all: so was the ranker trained.
            predictions += _decide(ranker, labels, asked, rows, left_out)
    return score_predictions(labels, predictions)


def _decide(
    ranker: Ranker,
    labels: Sequence[Label],
    asked: tuple[Sequence[LogQuery], pl.DataFrame, Floats],
    rows: Sequence[int],
    left_out: Collection[str],
) -> list[Prediction]:
    queries, hits, vectors = asked
    wanted = [queries[at] for at in rows]
    probabilities = ranker.rank_classes(
        wanted, choose_hits(hits, rows, left_out), vectors[list(rows)]
    )
    order = np.argsort(-probabilities, axis=1)[:, :5]
    uids = [ranker.class_uids[row[0]] for row in order]
    activities = ranker.choose_activities(wanted, uids)
    return [
        Prediction(
            label_id=labels[at].label_id,
            class_uid=uids[row],
            confidence=float(probabilities[row, order[row, 0]]),
            candidates=tuple(ranker.class_uids[column] for column in order[row]),
            activity_id=activities[row],
            is_accepted=bool(probabilities[row, order[row, 0]] >= ranker.threshold),
        )
        for row, at in enumerate(rows)
    ]


def run_unseen(
    labels_path: Annotated[Path, typer.Argument(help="JSON Lines: raw, class_uid, source …")],
    related: Annotated[
        Path | None,
        typer.Option(
            help="JSON: source of labels -> packs of its product and siblings, `*` fits any text. "
            "Goes before related_packs.json of this project."
        ),
    ] = None,
    groups: Annotated[int, typer.Option(min=1, help="Rankers that are trained.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="The whole report as JSON.")] = False,
) -> None:
    """Leave out every pack of the labelled products, by groups, and measure the full ranker.

    Of sources that no list relates, packs that share a telling word of the name are left out.
    """
    settings = load_settings(os.environ)
    decider = open_decider(settings, tell)
    artefacts = opening.open_artefacts(settings)
    embedder = opening.open_embedder(settings)
    examples = load_stored_examples(artefacts)
    queries = load_queries(artefacts)
    texts = list_training_texts(queries)
    known = Known(
        decider.schema,
        examples,
        queries,
        decider.index.search_chunks(texts, _HITS_TO_CHOOSE_FROM),
        embedder.encode(texts),
    )
    labels = read_labels(str(labels_path))
    lines = labels_path.read_text(encoding="utf-8").splitlines()
    asked = build_queries([json.loads(line)["raw"] for line in lines if line.strip()])
    asked_texts = [query.text for query in asked]
    products = {item.product for item in examples}
    sources = {label.source for label in labels}
    told = json.loads(related.read_text(encoding="utf-8")) if related else {}
    links = {
        **relate_products(sources, products),
        **{name: match_products(told[name], products) for name in sources & told.keys()},
    }
    report = measure_unseen(
        known,
        labels,
        (
            asked,
            decider.index.search_chunks(asked_texts, _HITS_TO_CHOOSE_FROM),
            embedder.encode(asked_texts),
        ),
        links,
        groups,
    )
    if as_json:
        typer.echo(json.dumps(report.to_dict(), indent=1))
    else:
        from rich.console import Console

        names = {item.uid: item.caption for item in decider.schema.live_classes}
        show_report(report, names, Console())


if __name__ == "__main__":
    typer.run(run_unseen)
