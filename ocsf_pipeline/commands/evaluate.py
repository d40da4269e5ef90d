"""`ocsf-pipeline evaluate`: decisions against labels, as tables, JSON, Markdown or HTML.

Belongs here: reading labels, showing the report. Does not belong here: the metrics
(`classify.evaluate`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ocsf_pipeline.classify.evaluate import (
    Accuracy,
    Label,
    Prediction,
    Report,
    read_decisions,
    score_predictions,
)
from ocsf_pipeline.classify.yardsticks import measure_yardsticks
from ocsf_pipeline.commands.classify import DecisionMemory
from ocsf_pipeline.commands.common import CommandError, Terminal
from ocsf_pipeline.commands.evaluate_events import (
    evaluate_events,
    format_mapping_report,
    read_expected,
    show_mapping_report,
)
from ocsf_pipeline.commands.inputs import InputFormat, LogBatch, read_batches
from ocsf_pipeline.knowledge.chunks import build_class_chunks
from ocsf_pipeline.samples.labels import find_benchmark
from ocsf_pipeline.settings import Settings
from ocsf_pipeline.steps.benchmark import write_baseline
from ocsf_pipeline.steps.evaluation_report import format_report, list_figures, list_yardsticks
from ocsf_pipeline.steps.pictures import draw_report
from ocsf_pipeline.steps.reports import draw_bar

_PLACE = "PICTURE-{}-HERE"
_SHOWN_GROUPS = 10
_HTML_HEAD = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Evaluation</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
svg { max-width: 100%; height: auto }
table { border-collapse: collapse } td, th { border: 1px solid #ccc; padding: .2rem .6rem }
</style>
"""


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` was asked for."""

    labels: str
    """A path; empty for the benchmark that ships."""
    field: str
    expected_field: str
    report: str | None
    baseline: Path | None
    is_json: bool
    with_yardsticks: bool


Opener = Callable[[str], tuple[Terminal, Settings, DecisionMemory]]
"""Opens what classifying the named input needs; may take minutes."""


def run_evaluation(asked: Evaluation, open_memory: Opener) -> None:
    """Measure, write what was asked for, and print; labels are read before anything is opened."""
    if asked.report is not None:
        check_report_path(asked.report)
    path = asked.labels or str(find_benchmark())
    labels = read_labels(path)
    events = read_expected(path, asked.expected_field)
    terminal, settings, memory = open_memory(path)
    batches = list(read_batches(path, InputFormat(True, asked.field), settings))
    measured = evaluate_batches(labels, batches, memory)
    if asked.with_yardsticks:
        measured = add_yardsticks(measured, labels, batches, memory)
    mapped = evaluate_events(events, asked.expected_field, batches, memory) if events else None
    names = {uid: item.caption for uid, item in memory.decider.schema.classes_by_uid.items()}
    if asked.baseline is not None:
        write_baseline(measured, memory.decider, asked.baseline)
        terminal.say(f"wrote {asked.baseline}")
    if asked.report is not None:
        more = format_mapping_report(mapped) if mapped else ""
        write_report(measured, asked.report, names, more)
        terminal.say(f"wrote {asked.report}")
    if asked.is_json:
        whole = {**measured.to_dict(), "mapping": mapped.to_dict() if mapped else None}
        terminal.write_lines([json.dumps(whole, indent=1)])
        return
    show_report(measured, names, terminal.out)
    if mapped:
        show_mapping_report(mapped, terminal.out)


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


def add_yardsticks(
    report: Report, labels: list[Label], batches: Sequence[LogBatch], memory: DecisionMemory
) -> Report:
    """Return the report with what plainer ways reach on the same logs; embeds every log."""
    raws = {
        labels[place].label_id: raw
        for batch in batches
        for place, raw in batch.records.select("position", "raw").iter_rows()
    }
    embedder = memory.decider.embedder
    if embedder is None:
        return report
    chunks = build_class_chunks(memory.decider.schema)
    texts = [raws.get(label.label_id, "") for label in labels]
    return replace(report, yardsticks=measure_yardsticks(labels, texts, chunks, embedder))


def write_report(report: Report, path: str, class_names: Mapping[int, str], more: str = "") -> None:
    """Write the report, and `more` below it, as `.md` or `.html`; another name is an error.

    HTML holds its pictures; those of Markdown lie beside it as `NAME.PICTURE.svg`.
    """
    target = Path(path)
    drawn = draw_report(report, class_names)
    is_html = target.suffix.lower() in (".html", ".htm")
    pictures = {
        name: _PLACE.format(name) if is_html else f"![{name}]({target.stem}.{name}.svg)"
        for name in drawn
    }
    text = format_report(report, class_names, pictures)
    markdown = "# Evaluation\n\n" + "\n\n".join(filter(None, (text, more))) + "\n"
    files = {target: markdown}
    if is_html:
        rendered = str(MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown))
        for name, svg in drawn.items():
            rendered = rendered.replace(_PLACE.format(name), svg)
        files = {target: _HTML_HEAD + rendered}
    else:
        files |= {target.with_name(f"{target.stem}.{name}.svg"): svg for name, svg in drawn.items()}
    try:
        for file, body in files.items():
            file.write_text(body, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror}; check the folder") from error


def check_report_path(path: str) -> None:
    """Refuse a report of a kind that cannot be written, before the work is done."""
    if Path(path).suffix.lower() not in (".md", ".html", ".htm"):
        raise CommandError(f"--report {path}: end the name in .md or .html", 2)


def show_report(report: Report, class_names: Mapping[int, str], console: Console) -> None:
    """Print the figures that matter first; the whole of it is in the written report."""
    table = Table("figure", "value", title=f"{report.overall.count:,} labelled logs")
    for name, value in list_figures(report):
        table.add_row(name, _show(value))
    console.print(table)
    held = Table("held against", "top-1", "top-3", title="Yardsticks")
    for name, top1, top3 in list_yardsticks(report):
        held.add_row(name, _show(top1), _show(top3))
    console.print(held)
    bars = Table("confidence", "logs", "right", "", title="Calibration")
    for item in report.bins:
        if item.count:
            bars.add_row(
                f"{item.low:.1f} to {item.high:.1f}", f"{item.count:,}", f"{item.accuracy:.2f}",
                draw_bar(item.accuracy),
            )  # fmt: skip
    console.print(bars)
    named = {class_names.get(uid, str(uid)): item for uid, item in report.by_class.items()}
    for title, groups in (
        ("Formats", report.by_format), ("Weakest classes", named),
        ("Weakest products", report.by_source),
    ):  # fmt: skip
        _show_groups(title, groups, console)
    wrong = Table("expected", "decided", "logs", "products", title="Most frequent confusions")
    for pair in report.confusions[:10]:
        wrong.add_row(
            class_names.get(pair.expected, str(pair.expected)),
            class_names.get(pair.predicted, "unreadable"),
            str(pair.count),
            escape(", ".join(pair.sources[:4])),
        )
    if report.confusions:
        console.print(wrong)


def _show_groups(title: str, groups: Mapping[str, Accuracy], console: Console) -> None:
    weakest = sorted(groups.items(), key=lambda item: (item[1].top1, -item[1].count, item[0]))
    table = Table("", "logs", "top-1", "top-3", title=title)
    for name, item in weakest[:_SHOWN_GROUPS]:
        table.add_row(
            escape(name or "(none)"), f"{item.count:,}", _show(item.top1), _show(item.top3)
        )
    console.print(table)


def _show(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"
