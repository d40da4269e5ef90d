"""`ocsf-pipeline evaluate`: decisions against labels, as tables, JSON, Markdown or HTML.

Belongs here: reading labels, showing the report. Does not belong here: the metrics
(`classify.evaluate`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from rich.console import Console
from rich.table import Table

from ocsf_pipeline.classify.evaluate import (
    Label,
    Prediction,
    Report,
    read_decisions,
    score_predictions,
)
from ocsf_pipeline.commands.classify import DecisionMemory
from ocsf_pipeline.commands.common import CommandError
from ocsf_pipeline.commands.inputs import LogBatch

_HTML_HEAD = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Evaluation</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse } td, th { border: 1px solid #ccc; padding: .2rem .6rem }
</style>
"""


def read_labels(path: str) -> list[Label]:
    """Read JSON Lines with `class_uid`, and optionally acceptable, source, format, activity_id.

    A label's id is its line's number. Raises CommandError naming the first line that is none.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(
            f"cannot read {path} as UTF-8 text: {error}; check the path", 2
        ) from error
    numbered = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not numbered:
        raise CommandError(f"{path} holds no labels; each line is a JSON object with a log", 2)
    return [_read_label(path, number, line) for number, line in numbered]


def _read_label(path: str, number: int, line: str) -> Label:
    try:
        document: dict[str, Any] = json.loads(line)
        class_uid = int(document["class_uid"])
        activity = document.get("activity_id")
        return Label(
            label_id=str(number),
            class_uid=class_uid,
            acceptable=frozenset({class_uid, *map(int, document.get("acceptable") or ())}),
            source=str(document.get("source") or ""),
            format=str(document.get("format") or ""),
            activity_id=None if activity is None else int(activity),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CommandError(
            f"{path}, line {number} is no label ({error!r}): it must be a JSON object with the log "
            "and a numeric class_uid",
            2,
        ) from error


def evaluate_batches(
    labels: list[Label], batches: Iterable[LogBatch], memory: DecisionMemory
) -> Report:
    """Decide the labelled logs and compare; a log that cannot be read counts as wrong."""
    predictions: list[Prediction] = []
    for batch in batches:
        decisions = memory.decide(batch.records)
        joined = batch.records.select("position", "template_id").join(
            decisions, on="template_id", how="left"
        )
        names = {row: labels[row].label_id for row in batch.records["position"].to_list()}
        named = joined.with_columns(joined["position"].replace_strict(names).alias("label_id"))
        predictions += read_decisions(named, "label_id")
        predictions += [Prediction(labels[place].label_id, 0, 0.0, ()) for place in batch.problems]
    return score_predictions(labels, predictions)


def write_report(report: Report, path: str, more: str = "") -> None:
    """Write the report, and `more` below it, as `.md` or `.html`; another name is an error."""
    markdown = "# Evaluation\n\n" + "\n\n".join(filter(None, (report.to_markdown(), more))) + "\n"
    suffix = Path(path).suffix.lower()
    if suffix in (".html", ".htm"):
        renderer = MarkdownIt("commonmark", {"html": False}).enable("table")
        markdown = _HTML_HEAD + str(renderer.render(markdown))
    try:
        Path(path).write_text(markdown, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror}; check the folder") from error


def check_report_path(path: str) -> None:
    """Refuse a report of a kind that cannot be written, before the work is done."""
    if Path(path).suffix.lower() not in (".md", ".html", ".htm"):
        raise CommandError(f"--report {path}: end the name in .md or .html", 2)


def show_report(report: Report, console: Console) -> None:
    """Print the figures that matter first."""
    overall = report.overall
    table = Table("figure", "value", title=f"{overall.count:,} labelled logs")
    figures = {
        "top-1": overall.top1,
        "top-3": overall.top3,
        "top-5": overall.top5,
        "top-1, strict": overall.top1_strict,
        "macro F1": report.macro_f1,
        "expected calibration error": report.calibration_error,
        "accepted": report.accepted_share,
        "right among accepted": report.accepted_accuracy,
        f"activity right ({report.activity_count} known)": report.activity_accuracy,
        **{f"coverage at precision {c.precision:.2f}": c.coverage for c in report.coverage},
    }
    for name, value in figures.items():
        table.add_row(name, "n/a" if value is None else f"{value:.3f}")
    console.print(table)
    wrong = Table("expected", "decided", "logs", "products", title="Most frequent confusions")
    for item in report.confusions[:10]:
        wrong.add_row(
            str(item.expected), str(item.predicted), str(item.count), ", ".join(item.sources[:4])
        )
    if report.confusions:
        console.print(wrong)
