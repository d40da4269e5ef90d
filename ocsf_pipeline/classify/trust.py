"""How far the legs and the answers of a ranker are trusted.

Belongs here: the views of logs that the model had not seen, what the legs are worth on them, and
from which confidence on answers are accepted. Does not belong here: fitting the legs (`training`),
the parts that weigh them (`combine`).

Everything here is fitted on three views: of products that the model had not seen, of events that it
had not seen of products that it had, and of events that it had seen. That is what it will meet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ocsf_pipeline.classify.combine import (
    Calibrator,
    Combiner,
    find_leaders,
    fit_calibrator,
    fit_combiner,
    read_signs,
)
from ocsf_pipeline.classify.model import VARIANTS, stack_legs
from ocsf_pipeline.classify.queries import LogQuery
from ocsf_pipeline.classify.text_leg import TextLeg
from ocsf_pipeline.classify.training_rows import TrainingRows, name_event, split_folds
from ocsf_pipeline.classify.vectors import QueryVectorizer

WANTED_PRECISION = 0.98
_CERTAINTY = 1.645
"""Standard errors between what was found right and what is promised: 19 times out of 20."""
_FEW_OWNERS = 3
"""Products with a class, at which leaving one out takes half of what is known of the class."""
_LEAST_SUPPORT = 0.05
"""Of a class that one product alone has: with few packs, there may be no other."""
_POPULARITY = 0.5
"""For confidence, examples weigh by the number of products with their class to the power of this:
packs list the odd beside the common, each once, but what arrives is mostly what many send."""
_NOISE_SHARE = 0.04

Floats = npt.NDArray[np.float32]
Positions = npt.NDArray[np.intp]

PRODUCT, EVENT, KNOWN = range(3)
"""Views: the product is left out; the event is; the example alone is."""


@dataclass(frozen=True)
class View:
    """What the legs say of logs that the model had not seen in one way."""

    text: Floats
    """[rows, classes]"""
    near: Floats | None
    """[rows, classes, hit legs]"""
    dense: Floats | None
    familiarity: Floats
    targets: Floats
    weights: Floats
    owner_counts: Floats
    """Per row, how many products have examples of its class."""

    def stack(self, variant: str) -> Floats:
        """Return what `variant` combines."""
        return stack_legs(self.text, self.near, self.dense, variant)


def score_noise(
    noise: Sequence[LogQuery],
    vectorizer: QueryVectorizer,
    text_leg: TextLeg,
    near: Floats | None,
    dense: Floats | None,
) -> View:
    """Return what the legs say of texts that are nothing of the kind, by models that know all.

    `near` and `dense` are the scores of these texts.
    """
    text = text_leg.score(vectorizer.transform(noise))
    count = len(noise)
    return View(
        text,
        near,
        dense,
        vectorizer.measure_familiarity(noise),
        np.zeros_like(text),
        np.full(count, _NOISE_SHARE / count, dtype=np.float32),
        np.zeros(count, dtype=np.float32),
    )


def split_rows(rows: TrainingRows) -> tuple[list[Positions], ...]:
    """Return, per view, which examples are left out together."""
    owners = rows.owners[: rows.example_count]
    return (
        split_folds(owners),
        split_folds([name_event(item) for item in rows.examples]),
        list(rows.find_siblings()[:, None]),
    )


def build_views(
    rows: TrainingRows,
    vectorizer: QueryVectorizer,
    text: list[Floats],
    near: list[Floats] | None,
    dense: list[Floats] | None,
) -> list[View]:
    """Return the views, weighed within each."""
    count, spare, siblings = rows.example_count, rows.spare, rows.find_siblings()
    owner_counts = _count_owners(rows)
    familiarity = vectorizer.measure_familiarity(rows.queries[:count])
    spare_familiarity = vectorizer.measure_familiarity(spare.queries)
    class_counts = dict(zip((item.class_uid for item in rows.examples), owner_counts, strict=True))
    spare_counts = np.array([class_counts[item.class_uid] for item in spare.examples], np.float32)
    targets, weights = rows.targets[:count], rows.weights[:count]
    known = [
        np.concatenate([own[siblings], other])
        for own, other in (
            (familiarity, spare_familiarity), (targets, spare.targets), (weights, spare.weights),
            (owner_counts, spare_counts),
        )
    ]  # fmt: skip
    told = (
        (familiarity, targets, weights * _measure_support(owner_counts), owner_counts),
        (familiarity, targets, weights, owner_counts),
        known,
    )
    views = [
        View(
            text[view],
            near[view] if near is not None else None,
            dense[view] if dense is not None else None,
            *told[view],
        )
        for view in (PRODUCT, EVENT, KNOWN)
    ]
    return [view for view in views if len(view.weights)]


def fit_combination(
    views: Sequence[View], noise: View
) -> tuple[dict[str, Combiner], dict[str, Calibrator], float]:
    """Fit a combiner and a calibrator for each variant; the threshold is that of the richest.

    The legs are weighed by what is hard: on events that are known, they all are right.
    """
    hard = views[:KNOWN]
    targets = np.concatenate([view.targets for view in hard])
    targets = targets / targets.sum(axis=1, keepdims=True)
    hard_weights = _share_equally([view.weights for view in hard])
    sent = _share_equally([view.weights * view.owner_counts**_POPULARITY for view in views])
    is_right = np.concatenate([view.targets for view in views]) > 0
    combiners: dict[str, Combiner] = {}
    calibrators: dict[str, Calibrator] = {}
    threshold = 1.0
    for variant in VARIANTS:
        if ("hits" in variant and noise.near is None) or (
            "dense" in variant and noise.dense is None
        ):
            continue
        stacks = [view.stack(variant) for view in (*views, noise)]
        combiner = fit_combiner(np.concatenate(stacks[:KNOWN]), targets, hard_weights)
        answers = [combiner.combine(stack) for stack in stacks]
        signs = np.concatenate(
            [
                read_signs(answer, view.familiarity, stack)
                for answer, view, stack in zip(answers, (*views, noise), stacks, strict=True)
            ]
        )
        leaders = np.concatenate([find_leaders(answer) for answer in answers])
        count = len(is_right)
        right = is_right[np.arange(count), leaders[:count, 0]]
        calibrator = fit_calibrator(
            signs,
            leaders,
            is_right.shape[1],
            np.append(right, np.zeros(len(noise.weights), dtype=bool)),
            np.append(sent, noise.weights),
        )
        confidence = calibrator.rate(signs[:count], leaders[:count])
        threshold = choose_threshold(confidence, right, sent)
        combiners[variant], calibrators[variant] = combiner, calibrator
    return combiners, calibrators, threshold


def _share_equally(weights: Sequence[Floats]) -> Floats:
    """Return the weights of several views one after the other; each view has the same share."""
    return np.concatenate([item / item.sum() / len(weights) for item in weights])


def _count_owners(rows: TrainingRows) -> Floats:
    """Return, per example, how many products have examples of its class."""
    owners = rows.owners[: rows.example_count]
    users: dict[int, set[str]] = {}
    for example, owner in zip(rows.examples, owners, strict=True):
        users.setdefault(example.class_uid, set()).add(owner)
    return np.array([len(users[item.class_uid]) for item in rows.examples], dtype=np.float32)


def _measure_support(owner_counts: Floats) -> Floats:
    """Return, per example, the share of its class that is left when its product is left out.

    Where hardly another product has the class, an answer on the product left out is bound to be
    wrong, which says nothing about products whose events are of known classes.
    """
    others = owner_counts - 1
    return np.asarray((others + _LEAST_SUPPORT) / (others + _FEW_OWNERS), dtype=np.float32)


def choose_threshold(confidence: Floats, right: npt.NDArray[np.bool_], weights: Floats) -> float:
    """Return the lowest confidence from which on answers were right often enough, chance aside."""
    order = np.argsort(-confidence, kind="stable")
    # With few products the surest answers may weigh nothing.
    total = np.maximum(np.cumsum(weights[order]), 1e-12)
    shares = np.cumsum((right * weights)[order]) / total
    # As many answers of equal weight would tell as much.
    counts = total**2 / np.maximum(np.cumsum(weights[order] ** 2), 1e-24)
    errors = np.sqrt(shares * np.maximum(1 - shares, 0) / np.maximum(counts, 1))
    reached = np.flatnonzero(shares - _CERTAINTY * errors >= WANTED_PRECISION)
    return float(confidence[order[reached[-1]]]) if len(reached) else 1.0
