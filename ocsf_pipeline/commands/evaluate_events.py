"""`ocsf-pipeline evaluate` on logs with the event that is expected of them.

Belongs here: reading expected events, making ours of the same logs, showing the report. Does not
belong here: the metrics (`events.evaluate`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ocsf_pipeline.commands.classify import DecisionMemory
from ocsf_pipeline.commands.common import CommandError
from ocsf_pipeline.commands.inputs import LogBatch
from ocsf_pipeline.commands.map import EventMaker
from ocsf_pipeline.events.evaluate import AttributeScore, EventPair, MappingReport, score_events

_SHOWN_ATTRIBUTES = 40


def read_expected(path: str, field: str) -> dict[int, dict[str, Any]]:
    """Return the documents of JSON Lines that hold an expected event, by line from 0.

    Empty where no line has one. The file was read before, so that every line is JSON.
    """
    lines = [line for line in Path(path).read_text("utf-8").splitlines() if line.strip()]
    documents = [json.loads(line) for line in lines]
    found = {at: item for at, item in enumerate(documents) if isinstance(item.get(field), dict)}
    if found and len(found) < len(documents):
        missing = next(at for at in range(len(documents)) if at not in found)
        raise CommandError(
            f"{path}, line {missing + 1} has no event in {field!r}, but other lines have; give "
            "every log its expected event, or name another field with --expected",
            2,
        )
    return found


def evaluate_events(
    expected: dict[int, dict[str, Any]],
    field: str,
    batches: Iterable[LogBatch],
    memory: DecisionMemory,
) -> MappingReport:
    """Make events of the logs and compare; for a log that cannot be read all is missing."""
    maker = EventMaker(memory)
    made: dict[int, dict[str, Any]] = {}
    for batch in batches:
        events = maker.make_events(batch.records)
        made.update(zip(batch.records["position"], map(json.loads, events), strict=True))
    return score_events(
        [
            EventPair(str(item.get("source") or ""), item[field], made.get(at))
            for at, item in expected.items()
        ]
    )


def show_mapping_report(report: MappingReport, console: Console) -> None:
    """Print the agreement as tables: all, by product, by attribute."""
    title = f"{report.event_count:,} events beside the expected ones"
    console.print(_table(title, "product", _rows(report)))
    frequent = dict(list(report.by_attribute.items())[:_SHOWN_ATTRIBUTES])
    console.print(_table("The most frequent attributes", "attribute", frequent))
    console.print(f"F1 {report.overall.f1:.3f}, mean over products {report.macro_f1:.3f}")


def format_mapping_report(report: MappingReport) -> str:
    """Return the report as Markdown tables."""
    return "\n\n".join(
        [
            _markdown("Events by product", _rows(report)),
            _markdown("Events by attribute", report.by_attribute),
        ]
    )


def _rows(report: MappingReport) -> dict[str, AttributeScore]:
    return {
        **report.by_source,
        "all": report.overall,
        "all without metadata and message": report.without_metadata,
    }


_HEAD = ("expected", "produced", "right", "precision", "recall", "F1")


def _table(title: str, kind: str, scores: dict[str, AttributeScore]) -> Table:
    table = Table(kind, *_HEAD, title=title)
    for name, score in scores.items():
        table.add_row(name or "(none)", *_cells(score))
    return table


def _markdown(title: str, scores: Any) -> str:
    lines = [f"## {title}", "", "| | " + " | ".join(_HEAD) + " |", "|" + "---|" * 7]
    lines += [
        f"| {name or '(none)'} | {' | '.join(_cells(item))} |" for name, item in scores.items()
    ]
    return "\n".join(lines)


def _cells(score: AttributeScore) -> list[str]:
    counts = [f"{score.expected:,}", f"{score.produced:,}", f"{score.right:,}"]
    return [*counts, *(f"{share:.3f}" for share in (score.precision, score.recall, score.f1))]
