"""Labels and decisions -> a report: accuracy, calibration, coverage, confusions, activities.

Belongs here: the metrics. Does not belong here: making decisions, reading files, tables and
pictures (`steps`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

BIN_COUNT = 10
COVERAGE_PRECISIONS = (0.95, 0.98, 0.99)
_MAX_CONFUSIONS = 25
_MAX_POINTS = 60


@dataclass(frozen=True)
class Label:
    """What one log is."""

    label_id: str
    class_uid: int
    acceptable: frozenset[int]
    """Classes that count as right; always holds `class_uid`."""
    source: str = ""
    format: str = ""
    activity_id: int | None = None
    """None when it is not known."""


@dataclass(frozen=True)
class Prediction:
    """What was decided for one log."""

    label_id: str
    class_uid: int
    confidence: float
    candidates: tuple[int, ...]
    """Class uids, best first; the first is `class_uid`."""
    activity_id: int = 0
    is_accepted: bool = False


@dataclass(frozen=True)
class Accuracy:
    """Shares of right answers among `count` labels."""

    count: int
    top1: float
    top3: float
    top5: float
    top1_strict: float
    """Right only when the decided class is the label's own, not merely acceptable."""


@dataclass(frozen=True)
class CalibrationBin:
    """Answers whose confidence lies in [low, high)."""

    low: float
    high: float
    count: int
    mean_confidence: float
    accuracy: float


@dataclass(frozen=True)
class Coverage:
    """The largest share that can be accepted at a precision."""

    precision: float
    """Wanted share of right answers among the accepted."""
    coverage: float
    threshold: float | None
    """Confidence from which on answers are accepted; None when no threshold reaches it."""


@dataclass(frozen=True)
class Confusion:
    """How often one class was taken for another."""

    expected: int
    predicted: int
    count: int
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Yardstick:
    """What something plainer, or dearer, reaches."""

    name: str
    top1: float
    top3: float | None
    is_measured: bool
    """True: on these labels. False: a published figure, on other logs."""


@dataclass(frozen=True)
class Report:
    """Everything that is measured on one set of labels."""

    overall: Accuracy
    macro_f1: float
    calibration_error: float
    bins: tuple[CalibrationBin, ...]
    coverage: tuple[Coverage, ...]
    curve: tuple[tuple[float, float], ...]
    """(share accepted, share right of them) from the surest answers to all, at most 60 points."""
    accepted_share: float
    accepted_accuracy: float | None
    """None when nothing was accepted."""
    activity_accuracy: float | None
    """Among answers of the right class whose activity is known; None when there are none."""
    activity_count: int
    by_source: Mapping[str, Accuracy]
    by_class: Mapping[int, Accuracy]
    by_format: Mapping[str, Accuracy]
    confusions: tuple[Confusion, ...]
    yardsticks: tuple[Yardstick, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """Return plain dicts, lists and numbers, ready for JSON."""
        plain: dict[str, object] = json.loads(json.dumps(asdict(self)))
        return plain


def score_predictions(labels: Sequence[Label], predictions: Sequence[Prediction]) -> Report:
    """Compare predictions with labels, matched by `label_id`.

    Raises ValueError when there are no labels, or one has no prediction: a log that got no answer
    must be counted, so hand in what was answered for it.
    """
    if not labels:
        raise ValueError("no labels to evaluate; check that the file is not empty")
    answers = {item.label_id: item for item in predictions}
    missing = [item.label_id for item in labels if item.label_id not in answers]
    if missing:
        raise ValueError(f"{len(missing)} labels have no prediction, first: {missing[0]!r}")
    pairs = [(label, answers[label.label_id]) for label in labels]
    right = np.array([answer.class_uid in label.acceptable for label, answer in pairs])
    confidence = np.array([answer.confidence for _, answer in pairs], dtype=np.float64)
    accepted = np.array([answer.is_accepted for _, answer in pairs])
    bins, error = measure_calibration(confidence, right)
    activity_hits = [
        label.activity_id == answer.activity_id
        for label, answer in pairs
        if label.activity_id is not None and label.class_uid == answer.class_uid
    ]
    return Report(
        overall=_measure_accuracy(pairs),
        macro_f1=_measure_macro_f1(pairs),
        calibration_error=error,
        bins=bins,
        coverage=tuple(
            measure_coverage(confidence, right, precision) for precision in COVERAGE_PRECISIONS
        ),
        curve=_trace_coverage(confidence, right),
        accepted_share=float(accepted.mean()),
        accepted_accuracy=float(right[accepted].mean()) if accepted.any() else None,
        activity_accuracy=float(np.mean(activity_hits)) if activity_hits else None,
        activity_count=len(activity_hits),
        by_source=_group(pairs, lambda label: label.source),
        by_class=_group(pairs, lambda label: label.class_uid),
        by_format=_group(pairs, lambda label: label.format),
        confusions=_list_confusions(pairs),
    )


def read_decisions(decisions: pl.DataFrame, id_column: str = "template_id") -> list[Prediction]:
    """Turn rows shaped as DECISION_SCHEMA (and an id) into predictions."""
    return [
        Prediction(
            label_id=str(row[id_column]),
            class_uid=row["class_uid"],
            confidence=row["confidence"],
            candidates=tuple(item["class_uid"] for item in json.loads(row["candidates"])),
            activity_id=row["activity_id"],
            is_accepted=row["status"] != "review",
        )
        for row in decisions.iter_rows(named=True)
    ]


def measure_calibration(
    confidence: npt.NDArray[np.float64], right: npt.NDArray[np.bool_], bin_count: int = BIN_COUNT
) -> tuple[tuple[CalibrationBin, ...], float]:
    """Return the reliability diagram in equal bins, and the expected calibration error."""
    which = np.minimum((confidence * bin_count).astype(int), bin_count - 1)
    bins = []
    error = 0.0
    for number in range(bin_count):
        inside = which == number
        count = int(inside.sum())
        mean = float(confidence[inside].mean()) if count else 0.0
        accuracy = float(right[inside].mean()) if count else 0.0
        error += count / len(confidence) * abs(mean - accuracy)
        bins.append(
            CalibrationBin(number / bin_count, (number + 1) / bin_count, count, mean, accuracy)
        )
    return tuple(bins), error


def measure_coverage(
    confidence: npt.NDArray[np.float64], right: npt.NDArray[np.bool_], precision: float
) -> Coverage:
    """Return the largest share that a threshold accepts with at least `precision` right."""
    order = np.argsort(-confidence, kind="stable")
    sorted_confidence = confidence[order]
    shares = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    # A threshold accepts all answers of one confidence or none of them.
    is_cut = np.append(sorted_confidence[1:] != sorted_confidence[:-1], True)
    reached = np.flatnonzero((shares >= precision) & is_cut)
    if len(reached) == 0:
        return Coverage(precision, 0.0, None)
    last = int(reached[-1])
    return Coverage(precision, (last + 1) / len(order), float(sorted_confidence[last]))


def _trace_coverage(
    confidence: npt.NDArray[np.float64], right: npt.NDArray[np.bool_]
) -> tuple[tuple[float, float], ...]:
    order = np.argsort(-confidence, kind="stable")
    counts = np.arange(1, len(order) + 1)
    shares = np.cumsum(right[order]) / counts
    shown = np.unique(np.linspace(0, len(order) - 1, min(_MAX_POINTS, len(order))).astype(int))
    return tuple((float(counts[at] / len(order)), float(shares[at])) for at in shown)


_Pairs = Sequence[tuple[Label, Prediction]]


def _measure_accuracy(pairs: _Pairs) -> Accuracy:
    def share(depth: int) -> float:
        return float(
            np.mean([bool(label.acceptable & {*_top(answer, depth)}) for label, answer in pairs])
        )

    return Accuracy(
        count=len(pairs),
        top1=share(1),
        top3=share(3),
        top5=share(5),
        top1_strict=float(
            np.mean([label.class_uid == answer.class_uid for label, answer in pairs])
        ),
    )


def _top(answer: Prediction, depth: int) -> tuple[int, ...]:
    return (answer.candidates or (answer.class_uid,))[:depth]


def _measure_macro_f1(pairs: _Pairs) -> float:
    """Mean F1 over the labels' classes; an acceptable answer counts as the label's own class."""
    hits: Counter[int] = Counter()
    expected: Counter[int] = Counter()
    predicted: Counter[int] = Counter()
    for label, answer in pairs:
        is_right = answer.class_uid in label.acceptable
        counted = label.class_uid if is_right else answer.class_uid
        expected[label.class_uid] += 1
        predicted[counted] += 1
        hits[label.class_uid] += is_right
    scores = [2 * hits[uid] / (expected[uid] + predicted[uid]) for uid in expected]
    return float(np.mean(scores))


_Key = TypeVar("_Key", int, str)


def _group(pairs: _Pairs, key_of: Callable[[Label], _Key]) -> dict[_Key, Accuracy]:
    groups: dict[_Key, list[tuple[Label, Prediction]]] = {}
    for label, answer in pairs:
        groups.setdefault(key_of(label), []).append((label, answer))
    return {key: _measure_accuracy(groups[key]) for key in sorted(groups)}


def _list_confusions(pairs: _Pairs) -> tuple[Confusion, ...]:
    counts: Counter[tuple[int, int]] = Counter()
    sources: dict[tuple[int, int], set[str]] = {}
    for label, answer in pairs:
        if answer.class_uid not in label.acceptable:
            key = (label.class_uid, answer.class_uid)
            counts[key] += 1
            sources.setdefault(key, set()).add(label.source)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_MAX_CONFUSIONS]
    return tuple(
        Confusion(expected, predicted, count, tuple(sorted(sources[expected, predicted])))
        for (expected, predicted), count in ordered
    )
