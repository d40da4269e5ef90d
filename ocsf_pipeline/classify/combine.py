"""Scores of several legs -> one probability per class, and how far to trust the best of them.

Belongs here: the conditional logit over legs, the calibration of confidence, both as plain arrays.
Does not belong here: the legs (`ridge`, `hit_features`), deciding by a threshold (`decide`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, hstack

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Leaders = npt.NDArray[np.intp]
"""[rows, 2], columns of the best class and of the second."""
_HIGHEST = 0.9995
"""No confidence is above: what was seen is finite."""


@dataclass(frozen=True)
class Combiner:
    """A conditional logit: probability of a class by its own scores in all legs."""

    leg_weights: Floats
    """[legs]"""
    class_offsets: Floats
    """[classes]"""

    def combine(self, scores: Floats) -> Floats:
        """Return probabilities [rows, classes] from `scores` [rows, classes, legs]."""
        return softmax(np.asarray(scores @ self.leg_weights + self.class_offsets, dtype=np.float32))


@dataclass(frozen=True)
class Calibrator:
    """A logistic regression of whether the best class is right on how it came out on top.

    Some classes are told apart with ease and others are not, so it also asks which class came out
    on top, and which one second.
    """

    weights: Floats
    """[signs + 1], the last is the constant."""
    centre: Floats
    spread: Floats
    class_offsets: Floats
    """[2, classes], of the best class and of the second."""

    def rate(self, signs: Floats, leaders: Leaders) -> Floats:
        """Return confidences [rows] from `signs` [rows, signs] and `find_leaders`."""
        scaled = (signs - self.centre) / self.spread
        odds = scaled @ self.weights[:-1] + self.weights[-1]
        odds = odds + self.class_offsets[0, leaders[:, 0]] + self.class_offsets[1, leaders[:, 1]]
        return np.asarray(np.minimum(_sigmoid(odds), _HIGHEST), dtype=np.float32)


def fit_combiner(
    scores: Floats, targets: Floats, row_weights: Floats, damping: float = 1e-3
) -> Combiner:
    """Fit by maximum likelihood; rows of `targets` are distributions over the classes."""
    _, classes, legs = scores.shape
    weights = (row_weights / row_weights.sum()).astype(np.float32)
    expected_scores = np.einsum("r,rc,rcl->l", weights, targets, scores)
    expected_classes = weights @ targets

    def measure(flat: Doubles) -> tuple[float, Doubles]:
        leg_weights, offsets = flat[:legs].astype(np.float32), flat[legs:].astype(np.float32)
        logits = scores @ leg_weights + offsets
        top = logits.max(axis=1, keepdims=True)
        powers = np.exp(logits - top)
        totals = powers.sum(axis=1, keepdims=True)
        log_probabilities = logits - top - np.log(totals)
        loss = -float(weights @ (targets * log_probabilities).sum(axis=1))
        weighted = (powers / totals) * weights[:, None]
        gradient = np.concatenate(
            [
                np.einsum("rc,rcl->l", weighted, scores) - expected_scores,
                weighted.sum(axis=0) - expected_classes + damping * offsets,
            ]
        )
        loss += 0.5 * damping * float(offsets @ offsets)
        return loss, gradient.astype(np.float64)

    start = np.concatenate([np.ones(legs), np.zeros(classes)])
    found = _find_lowest(measure, start, step_count=200)
    return Combiner(found[:legs], found[legs:])


def fit_calibrator(
    signs: Floats,
    leaders: Leaders,
    class_count: int,
    right: npt.NDArray[np.bool_],
    row_weights: Floats,
    damping: float = 1e-3,
) -> Calibrator:
    """Fit the chance of being right to `signs` [rows, signs] and leaders of held-out answers."""
    centre = signs.mean(axis=0)
    spread = np.maximum(signs.std(axis=0), 1e-3)
    rows, sign_count = signs.shape
    design = hstack(
        [
            csr_matrix(((signs - centre) / spread).astype(np.float64)),
            *(
                csr_matrix(
                    (np.ones(rows), leaders[:, place], np.arange(rows + 1)), (rows, class_count)
                )
                for place in (0, 1)
            ),
            csr_matrix(np.ones((rows, 1))),
        ],
        format="csr",
    )
    weights = (row_weights / row_weights.sum()).astype(np.float64)
    truth = right.astype(np.float64)

    def measure(flat: Doubles) -> tuple[float, Doubles]:
        odds = design @ flat
        loss = float(weights @ (np.logaddexp(0, odds) - truth * odds))
        gradient = design.T @ (weights * (_sigmoid(odds) - truth))
        loss += 0.5 * damping * float(flat[:-1] @ flat[:-1])
        gradient[:-1] += damping * flat[:-1]
        return loss, gradient

    start = np.zeros(design.shape[1])
    found = _find_lowest(measure, start)
    return Calibrator(
        np.append(found[:sign_count], found[-1:]),
        centre.astype(np.float32),
        spread.astype(np.float32),
        found[sign_count:-1].reshape(2, class_count),
    )


def find_leaders(probabilities: Floats) -> Leaders:
    """Return the columns of the best class and of the second, [rows, 2]."""
    return np.argsort(-probabilities, axis=1, kind="stable")[:, :2]


def read_signs(probabilities: Floats, familiarity: Floats, scores: Floats) -> Floats:
    """Return what tells a sure answer from a guess, [rows, signs].

    Beside how clear the answer is: how high each leg of `scores` [rows, classes, legs] puts it,
    and how far above the class that this leg puts next to it, or first. Legs that agree are seldom
    wrong together.
    """
    ordered = -np.sort(-probabilities, axis=1)
    best, second = ordered[:, 0], ordered[:, 1]
    odds = np.log(best + 1e-6) - np.log(1 - best + 1e-6)
    margin = np.log(best + 1e-6) - np.log(second + 1e-6)
    spread = -(probabilities * np.log(probabilities + 1e-9)).sum(axis=1)
    rows, chosen = np.arange(len(probabilities)), probabilities.argmax(axis=1)
    own = scores[rows, chosen]
    others = scores.copy()
    others[rows, chosen] = -np.inf
    lead = own - others.max(axis=1)
    return np.column_stack([odds, margin, spread, familiarity, own, lead]).astype(np.float32)


def spread_confidence(probabilities: Floats, confidence: Floats) -> Floats:
    """Give the best class of each row its confidence and share the rest in proportion.

    Where the confidence is low, the rest does not go to other classes beyond what they had: the
    row then sums to less than 1, and the remainder means that it may be nothing of the kind.
    """
    best = probabilities.max(axis=1)
    others = np.where(
        confidence > best,
        (1 - confidence) / np.maximum(1 - best, 1e-6),
        confidence / np.maximum(best, 1e-6),
    )
    spread = probabilities * others[:, None]
    rows = np.arange(len(probabilities))
    spread[rows, probabilities.argmax(axis=1)] = confidence
    return np.asarray(spread * np.float32(1 - 1e-6), dtype=np.float32)


def softmax(scores: Floats) -> Floats:
    """Return probabilities per row."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)


def _sigmoid(odds: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -30, 30))), dtype=np.float64)


def _find_lowest(
    measure: Callable[[Doubles], tuple[float, Doubles]], start: Doubles, step_count: int = 15_000
) -> Floats:
    """Return where `measure`, which also gives its gradient, is lowest."""
    # Importing it takes as long as ranking a hundred logs, and only training asks for it.
    from scipy.optimize import minimize

    found = minimize(measure, start, jac=True, method="L-BFGS-B", options={"maxiter": step_count})
    return np.asarray(found.x, dtype=np.float32)
