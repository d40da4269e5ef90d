"""`python -m ocsf_pipeline_tests.measure_trieve`: the ranker on each kind of search result.

Belongs here: one knowledge base, searched by the embedded index and by Trieve's four modes, a
ranker trained on each, and how right it is. Does not belong here: the stand-in (`fakes`), which
takes the server's place: it embeds with the installed model, not with the server's, and has a sum
of shared words for SPLADE and a share of shared words for the cross-encoder.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from ocsf_pipeline import opening, samples
from ocsf_pipeline.adapters.trieve import TrieveClassIndex
from ocsf_pipeline.commands.classify import DecisionMemory
from ocsf_pipeline.commands.evaluate import evaluate_batches, read_labels
from ocsf_pipeline.commands.inputs import InputFormat, read_batches
from ocsf_pipeline.knowledge.packs import SourcePack
from ocsf_pipeline.ports import ClassIndex
from ocsf_pipeline.settings import Settings
from ocsf_pipeline.steps.classify import load_decider
from ocsf_pipeline.steps.knowledge import store_class_chunks, store_examples, update_knowledge_base
from ocsf_pipeline.steps.rankers import update_ranker
from ocsf_pipeline.steps.schema import store_schema
from ocsf_pipeline_tests.fakes.trieve_server import TrieveStandIn, make_place, serve_trieve

_LABELS = Path(samples.__file__).parent / "labels.jsonl"


@dataclass(frozen=True)
class Figures:
    """How right the ranker was on one index's results."""

    index: str
    top1: float
    top3: float
    calibration_error: float
    accepted_share: float
    accepted_accuracy: float | None
    coverage_at_98: float
    fill_seconds: float
    train_seconds: float
    searches_per_s: float


def measure(
    labels: Annotated[Path, typer.Option(help="Labelled logs, JSON Lines.")] = _LABELS,
    every: Annotated[int, typer.Option(min=1, help="Take every n-th source pack.")] = 1,
    workers: Annotated[int, typer.Option(min=1)] = 2,
) -> None:
    """Print JSON: accuracy by index, with what filling, training and searching took."""
    with TemporaryDirectory(prefix="ocsf-trieve-") as folder:
        settings = Settings(data_dir=Path(folder), workers=workers)
        packs = dict(list(opening.open_packs(settings).read_packs().items())[::every])
        measured = [asdict(item) for item in _measure_all(settings, packs, labels)]
    typer.echo(json.dumps({"packs": len(packs), "measured": measured}, indent=1))


def _measure_all(
    settings: Settings, packs: Mapping[str, SourcePack], labels: Path
) -> Iterator[Figures]:
    artefacts = opening.open_artefacts(settings)
    source = opening.open_schema_source(settings)
    schema = store_schema(source, artefacts, settings.schema_version).schema
    store_class_chunks(artefacts, schema)
    store_examples(artefacts, schema, packs)
    yield _measure_one(settings, opening.open_class_index(settings), labels)
    with _serve(settings) as url:
        for mode in ("semantic", "fulltext", "bm25", "hybrid"):
            place = make_place(url, search_mode=mode, stall_s=300.0)
            yield _measure_one(settings, TrieveClassIndex(place), labels)


@contextmanager
def _serve(settings: Settings) -> Iterator[str]:
    stand_in = TrieveStandIn(embedder=opening.open_embedder(settings), is_checking=False)
    with serve_trieve(stand_in) as url:
        yield url


def _measure_one(settings: Settings, index: ClassIndex, labels: Path) -> Figures:
    artefacts, embedder = opening.open_artefacts(settings), opening.open_embedder(settings)
    source = opening.open_schema_source(settings)
    schema = store_schema(source, artefacts, settings.schema_version).schema
    filled = update_knowledge_base(artefacts, index)
    sys.stderr.write(f"{index.name}: filled in {filled.seconds:.0f} s\n")
    started = time.perf_counter()
    update_ranker(artefacts, schema, index, embedder)
    trained = time.perf_counter()
    decider = load_decider(artefacts, index, embedder)
    memory = DecisionMemory(decider, artefacts, lambda text: None)
    expected = read_labels(str(labels))
    batches = read_batches(str(labels), InputFormat(True, "raw"), settings)
    report = evaluate_batches(expected, batches, memory)
    searching = time.perf_counter()
    index.search_chunks([f"user {number} logs on to host" for number in range(200)], 60)
    coverage = {item.precision: item.coverage for item in report.coverage}
    return Figures(
        index=index.name,
        top1=report.overall.top1,
        top3=report.overall.top3,
        calibration_error=report.calibration_error,
        accepted_share=report.accepted_share,
        accepted_accuracy=report.accepted_accuracy,
        coverage_at_98=coverage.get(0.98, 0.0),
        fill_seconds=filled.seconds,
        train_seconds=trained - started,
        searches_per_s=200 / (time.perf_counter() - searching),
    )


if __name__ == "__main__":
    typer.run(measure)
