"""The benchmark, its baseline, its yardsticks, its report."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ocsf_pipeline.classify.evaluate import Label, Report, Yardstick, score_predictions
from ocsf_pipeline.classify.ranker import Ranker
from ocsf_pipeline.classify.yardsticks import measure_yardsticks
from ocsf_pipeline.knowledge.chunks import build_class_chunks
from ocsf_pipeline.samples.labels import read_benchmark_logs
from ocsf_pipeline.steps.benchmark import (
    compare_with_baseline,
    load_baseline,
    pick_figures,
    run_benchmark,
)
from ocsf_pipeline.steps.classify import Decider
from ocsf_pipeline.steps.evaluation_report import format_report
from ocsf_pipeline.steps.pictures import draw_report, embed_picture
from ocsf_pipeline.steps.rankers import RankerInForce
from ocsf_pipeline_tests.classify.conftest import Knowledge
from ocsf_pipeline_tests.classify.test_evaluate import ANSWERS, LABELS
from ocsf_pipeline_tests.fakes.embedder import FakeEmbedder
from ocsf_pipeline_tests.fakes.reranker import FakeReranker


@pytest.fixture(scope="module")
def report(knowledge: Knowledge, ranker: Ranker) -> Report:
    decider = Decider(
        knowledge.schema, RankerInForce(ranker.version, 0.5, lambda: ranker), knowledge.index,
        FakeEmbedder(), 0.5, FakeReranker(),
    )  # fmt: skip
    measured = run_benchmark(decider, read_benchmark_logs()[::4])
    assert decider.reranker is not None
    assert decider.reranker.questions == [], "a benchmark must cost nothing"  # type: ignore[attr-defined]
    return measured


def test_every_log_is_measured(report: Report) -> None:
    assert report.overall.count == len(read_benchmark_logs()[::4])
    assert sum(item.count for item in report.by_source.values()) == report.overall.count


def test_few_packs_are_a_regression_and_the_same_figures_are_none(report: Report) -> None:
    assert any(item.is_regression for item in compare_with_baseline(report))
    same = {"figures": pick_figures(report)}
    assert not any(item.is_regression for item in compare_with_baseline(report, same))


@pytest.mark.parametrize(
    ("figure", "by", "is_worse"),
    [
        ("top1", 0.01, False), ("top1", 0.03, True), ("top1", -0.2, False),
        ("calibration_error", -0.01, False), ("calibration_error", -0.03, True),
        ("calibration_error", 0.05, False), ("accepted_share", 0.06, True),
    ],
)  # fmt: skip
def test_a_figure_may_move_a_little_to_the_worse(
    report: Report, figure: str, by: float, is_worse: bool
) -> None:
    figures = pick_figures(report)
    compared = compare_with_baseline(report, {"figures": {**figures, figure: figures[figure] + by}})
    assert [item.name for item in compared if item.is_regression] == ([figure] if is_worse else [])


def test_the_committed_baseline_is_better_than_its_yardsticks() -> None:
    baseline = load_baseline()
    assert set(baseline["figures"]) >= {"top1", "top3", "calibration_error", "accepted_accuracy"}
    assert baseline["yardsticks"]
    assert all(item["top1"] < baseline["figures"]["top1"] for item in baseline["yardsticks"])


def test_yardsticks_are_measured_on_the_same_logs(knowledge: Knowledge) -> None:
    chunks = build_class_chunks(knowledge.schema)
    labels = [
        Label("0", 3002, frozenset({3002})),
        Label("1", 4003, frozenset({4003, 4001})),
        Label("2", 3002, frozenset({3002})),
    ]
    raws = ["authentication: logon of a user session", "dns query response", ""]
    commonest, search, *published = measure_yardsticks(labels, raws, chunks, FakeEmbedder())
    assert commonest.top1 == pytest.approx(2 / 3)
    assert search.top1 >= 2 / 3
    assert search.is_measured
    assert not any(item.is_measured for item in published)


def test_the_report_holds_every_figure_and_its_pictures() -> None:
    made = replace(
        score_predictions(LABELS, ANSWERS), yardsticks=(Yardstick("a plain way", 0.1, None, True),)
    )
    names = {3002: "Authentication", 6003: "API Activity", 3004: "Entity Management"}
    pictures = draw_report(made, names)
    assert set(pictures) == {"reliability", "coverage", "classes"}
    for svg in pictures.values():
        assert svg.startswith("<svg")
        assert svg.rstrip().endswith("</svg>")
    assert "Authentication" in pictures["classes"]
    assert pictures == draw_report(made, names), "equal figures give equal pictures"
    text = format_report(made, names, {"reliability": embed_picture(pictures["reliability"], "r")})
    for title in ("Overall", "Yardsticks", "Coverage", "Calibration", "Format", "Class", "Product",
                  "Confusions"):  # fmt: skip
        assert f"## {title}" in text
    assert "| a plain way | 0.100 | n/a |" in text
    assert "| API Activity (6003) | Entity Management (3004) | 1 |" in text
    assert "data:image/svg+xml;base64," in text


def test_labels_cannot_become_markup() -> None:
    labels = [replace(label, source="x | <script>alert(1)</script>") for label in LABELS]
    assert "<script>" not in format_report(score_predictions(labels, ANSWERS), {})
