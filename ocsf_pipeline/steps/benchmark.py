"""The asset `classification_benchmark`: the decider in force on the logs that ship for this.

Belongs here: deciding the benchmark's logs, what must not get worse and by how much. Does not
belong here: metrics (`classify.evaluate`), the logs (`samples`). No re-ranker takes part: the
benchmark is to cost nothing and to be the same tomorrow.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ocsf_pipeline.classify.evaluate import Label, Report, read_decisions, score_predictions
from ocsf_pipeline.logs.single import normalize_texts
from ocsf_pipeline.samples.labels import SampleLog, find_baseline, read_benchmark_logs
from ocsf_pipeline.steps.batches import merge_templates, summarize_templates
from ocsf_pipeline.steps.classify import Decider

_TOLERANCES: Mapping[str, float] = {
    # One of two hundred logs is 0.005: a few may change sides without anything being wrong.
    "top1": -0.02,
    "top3": -0.02,
    "macro_f1": -0.03,
    "calibration_error": 0.02,
    "accepted_share": -0.05,
    "accepted_accuracy": -0.02,
    "activity_accuracy": -0.03,
}
"""Figure -> how far it may move before it counts; negative: downwards, positive: upwards."""


@dataclass(frozen=True)
class Comparison:
    """One figure beside its baseline."""

    name: str
    measured: float
    baseline: float
    limit: float
    """What it must not pass."""

    @property
    def is_regression(self) -> bool:
        """Whether the figure is worse than the limit."""
        tolerance = _TOLERANCES[self.name]
        worse_by = self.limit - self.measured if tolerance < 0 else self.measured - self.limit
        return worse_by > 1e-9


def run_benchmark(decider: Decider, logs: Sequence[SampleLog] | None = None) -> Report:
    """Decide the benchmark's logs and measure. Every log must be readable."""
    chosen = read_benchmark_logs() if logs is None else logs
    labels = [
        Label(
            label_id=str(number), class_uid=log.class_uid,
            acceptable=frozenset({log.class_uid, *log.acceptable}),
            source=log.source, format=log.format, activity_id=log.activity_id,
        )
        for number, log in enumerate(chosen)
    ]  # fmt: skip
    records = normalize_texts([log.raw for log in chosen]).records
    templates = merge_templates([summarize_templates(records)])
    decisions = replace(decider, reranker=None).decide(templates)
    answered = records.select("position", "template_id").join(
        decisions, on="template_id", how="left"
    )
    return score_predictions(labels, read_decisions(answered, "position"))


def pick_figures(report: Report) -> dict[str, float]:
    """Return the figures that the baseline holds."""
    return {
        "top1": report.overall.top1,
        "top3": report.overall.top3,
        "macro_f1": report.macro_f1,
        "calibration_error": report.calibration_error,
        "accepted_share": report.accepted_share,
        "accepted_accuracy": report.accepted_accuracy or 0.0,
        "activity_accuracy": report.activity_accuracy or 0.0,
    }


def compare_with_baseline(
    report: Report, baseline: Mapping[str, Any] | None = None
) -> list[Comparison]:
    """Return every figure beside the committed baseline, or beside the one that is given."""
    held = load_baseline() if baseline is None else baseline
    figures = pick_figures(report)
    return [
        Comparison(name, figures[name], held["figures"][name],
                   held["figures"][name] + _TOLERANCES[name])
        for name in figures
    ]  # fmt: skip


def load_baseline() -> dict[str, Any]:
    """Return the committed baseline: figures, yardsticks and what they were made with."""
    document: dict[str, Any] = json.loads(find_baseline().read_text(encoding="utf-8"))
    return document


def write_baseline(report: Report, decider: Decider, path: Path) -> None:
    """Write a report's figures as the baseline."""
    document = {
        "figures": {name: round(value, 4) for name, value in pick_figures(report).items()},
        "logs": report.overall.count,
        "products": len(report.by_source),
        "schema_version": decider.schema.version,
        "ranker_version": decider.ranker.version,
        "yardsticks": [
            {"name": item.name, "top1": round(item.top1, 4),
             "top3": None if item.top3 is None else round(item.top3, 4)}
            for item in report.yardsticks if item.is_measured
        ],
    }  # fmt: skip
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
