"""The metrics, on answers small enough to count by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ocsf_pipeline.classify.evaluate import (
    Label,
    Prediction,
    measure_calibration,
    measure_coverage,
    score_predictions,
)


def label(number: int, class_uid: int, *others: int, activity: int | None = None) -> Label:
    return Label(
        str(number), class_uid, frozenset({class_uid, *others}), f"p{number % 2}", "json", activity
    )


def answer(
    number: int, confidence: float, *candidates: int, activity: int = 0, accepted: bool = False
) -> Prediction:
    return Prediction(str(number), candidates[0], confidence, candidates, activity, accepted)


LABELS = [
    label(0, 3002, activity=1),
    label(1, 4001, activity=6),
    label(2, 2004, 4002),
    label(3, 6003),
]
ANSWERS = [
    answer(0, 0.9, 3002, 3001, activity=1, accepted=True),
    answer(1, 0.8, 4001, 4002, activity=2, accepted=True),
    answer(2, 0.7, 4002, 2004, accepted=True),
    answer(3, 0.2, 3004, 3005, 6003),
]


def test_accuracy_is_lenient_and_strict() -> None:
    report = score_predictions(LABELS, ANSWERS)
    assert report.overall.count == 4
    assert report.overall.top1 == 0.75
    assert report.overall.top1_strict == 0.5
    assert report.overall.top3 == 1.0
    assert report.accepted_share == 0.75
    assert report.accepted_accuracy == 1.0
    assert report.activity_accuracy == 0.5
    assert report.activity_count == 2
    assert report.macro_f1 == pytest.approx(0.75)
    assert report.by_source["p0"].top1 == 1.0
    assert report.by_class[6003].top1 == 0.0
    assert [(item.expected, item.predicted, item.count) for item in report.confusions] == [
        (6003, 3004, 1)
    ]


def test_the_report_is_plain_data() -> None:
    report = score_predictions(LABELS, ANSWERS)
    plain = json.loads(json.dumps(report.to_dict()))
    assert plain["overall"]["top1"] == 0.75
    assert plain["curve"][0] == [0.25, 1.0]
    assert plain["curve"][-1] == [1.0, 0.75]


def test_calibration_error_is_the_mean_gap() -> None:
    confidence = np.array([0.95, 0.95, 0.15, 0.15])
    right = np.array([True, True, False, True])
    bins, error = measure_calibration(confidence, right)
    assert error == pytest.approx(0.5 * 0.05 + 0.5 * 0.35)
    assert sum(item.count for item in bins) == 4
    assert measure_calibration(np.array([1.0]), np.array([True]))[1] == 0.0


def test_coverage_takes_all_answers_of_one_confidence_or_none() -> None:
    confidence = np.array([0.9, 0.8, 0.8, 0.1])
    right = np.array([True, True, False, False])
    assert measure_coverage(confidence, right, 0.95).coverage == 0.25
    found = measure_coverage(confidence, right, 0.6)
    assert (found.coverage, found.threshold) == (0.75, 0.8)
    none = measure_coverage(np.array([0.5]), np.array([False]), 0.95)
    assert (none.coverage, none.threshold) == (0.0, None)


def test_labels_without_answers_are_refused() -> None:
    with pytest.raises(ValueError, match="no prediction"):
        score_predictions(LABELS, ANSWERS[:2])
    with pytest.raises(ValueError, match="no labels"):
        score_predictions([], [])
