"""Training a ranker on labelled examples.

Belongs here: rows, targets, folds, and the order in which the parts of a ranker are fitted. Does
not belong here: the parts themselves (`vectors`, `ridge`, `combine`), where examples come from.

Everything that decides how far a leg or an answer is trusted is fitted on predictions for logs that
the model had not seen, in three views: of products that it had not seen, of events that it had not
seen of products that it had, and of events that it had seen. That is what it will meet.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import csr_matrix, diags

from ocsf_pipeline.classify.combine import (
    Calibrator,
    Combiner,
    find_leaders,
    fit_calibrator,
    fit_combiner,
    read_signs,
)
from ocsf_pipeline.classify.hit_features import drop_hits, score_hits
from ocsf_pipeline.classify.model import (
    SAID,
    VARIANTS,
    WHOLE,
    Ranker,
    RankerError,
    stack_legs,
)
from ocsf_pipeline.classify.noise import NOISE, build_noise_queries
from ocsf_pipeline.classify.queries import LogQuery
from ocsf_pipeline.classify.ridge import solve_dual, solve_ridge
from ocsf_pipeline.classify.training_rows import (
    TrainingRows,
    gather_rows,
    name_event,
    name_owner,
    split_folds,
)
from ocsf_pipeline.classify.vectors import QueryVectorizer, fit_vectorizer
from ocsf_pipeline.knowledge.examples import LabelledExample
from ocsf_pipeline.schema.model import OcsfSchema

WANTED_PRECISION = 0.98
_DAMPING = 1.0
_DENSE_DAMPING = 3.0
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
_SMALLEST_WEIGHT = 0.003

Floats = npt.NDArray[np.float32]
Positions = npt.NDArray[np.intp]


def list_training_texts(queries: Sequence[LogQuery]) -> list[str]:
    """Return the texts whose hits and vectors `train_ranker` needs: the queries', then noise."""
    return [query.text for query in (*queries, *build_noise_queries())]


def train_ranker(
    schema: OcsfSchema,
    examples: Sequence[LabelledExample],
    queries: Sequence[LogQuery],
    hits: pl.DataFrame,
    embeddings: Floats | None = None,
) -> Ranker:
    """Train on labelled examples; the same input gives the same ranker.

    `queries[i]` is the query of `examples[i]`, `hits` the search result of
    `list_training_texts(queries)` (possibly empty), `embeddings` float32 [texts, dimensions] of
    the same texts. Raises RankerError when the examples are of fewer than two live classes.
    """
    live = {item.uid for item in schema.live_classes}
    class_uids = tuple(sorted({item.class_uid for item in examples} & live))
    if len(class_uids) < 2:
        raise RankerError(
            f"examples of {len(class_uids)} live classes cannot train a ranker; add source packs"
        )
    rows = gather_rows(examples, queries, class_uids)
    # Words of the examples that are thinned out are words all the same.
    names = slice(rows.example_count, None)
    vectorizer = fit_vectorizer(
        [*queries, *rows.queries[names]], [*map(name_owner, examples), *rows.owners[names]]
    )
    vectors = vectorizer.transform(rows.queries)
    pairs, captions = _list_pairs(rows.examples, schema)
    folds = _split_rows(rows)
    text, weights = _fit_text_leg(rows, vectorizer, vectors, folds)
    pair_weights = _fit_activities(rows, vectorizer, vectors, pairs, len(captions))
    dense = None
    if embeddings is not None:
        dense, weights["dense"] = _fit_dense_leg(rows, embeddings, folds)
    near, noise_near = _score_hits(rows, examples, hits, class_uids)
    noise = build_noise_queries()
    combiners, calibrators, threshold = _fit_combination(
        _build_views(rows, vectorizer, text, near, dense),
        _score_noise(noise, vectorizer, weights, embeddings, noise_near),
    )
    return _round(
        Ranker(
            schema_version=schema.version,
            class_uids=class_uids,
            vectorizer=vectorizer,
            leg_weights=weights,
            combiners=combiners,
            calibrators=calibrators,
            threshold=threshold,
            pairs=pairs,
            pair_weights=pair_weights[:, : len(pairs)],
            caption_weights=pair_weights[:, len(pairs) :],
        )
    )


def _round(ranker: Ranker) -> Ranker:
    """Return the ranker as its bytes give it: before and after storing it answers the same."""
    return Ranker.from_bytes(ranker.to_bytes())


def _list_pairs(
    examples: Sequence[LabelledExample], schema: OcsfSchema
) -> tuple[tuple[tuple[int, int, int], ...], list[str]]:
    """Return (class, activity, number of caption) of all that have examples, and the captions."""
    found = sorted({(item.class_uid, item.activity_id) for item in examples})
    names = []
    for class_uid, activity_id in found:
        meaning = schema.list_activities(class_uid).get(activity_id)
        names.append(meaning.caption if meaning else "")
    captions = sorted(set(names))
    return (
        tuple(
            (uid, act, captions.index(name)) for (uid, act), name in zip(found, names, strict=True)
        ),
        captions,
    )


def _fit_text_leg(
    rows: TrainingRows,
    vectorizer: QueryVectorizer,
    vectors: csr_matrix,
    folds: tuple[list[Positions], ...],
) -> tuple[list[Floats], dict[str, Floats]]:
    """Return left-out scores for each view, and the weights of the leg by its name."""
    scaled, scale = _scale_parts(vectorizer, vectors, WHOLE)
    gram = np.asarray((scaled @ scaled.T).toarray(), dtype=np.float32)
    solved = solve_ridge(gram, rows.targets, rows.weights, _DAMPING)
    left_out = [solved.predict_left_out(folding)[: rows.example_count] for folding in folds]
    weights = _drop_small((scaled.T @ solved.dual) * scale)
    spare = np.asarray(vectorizer.transform(rows.spare.queries) @ weights, dtype=np.float32)
    left_out[_KNOWN] = np.concatenate([left_out[_KNOWN][rows.find_siblings()], spare])
    return left_out, {"text": weights}


def _fit_activities(
    rows: TrainingRows,
    vectorizer: QueryVectorizer,
    vectors: csr_matrix,
    pairs: tuple[tuple[int, int, int], ...],
    caption_count: int,
) -> Floats:
    """Return weights [columns, pairs and captions]."""
    count = rows.example_count
    scaled, scale = _scale_parts(vectorizer, csr_matrix(vectors[:count]), SAID)
    gram = np.asarray((scaled @ scaled.T).toarray(), dtype=np.float32)
    targets = _build_activity_targets(rows, pairs, caption_count)
    dual = solve_dual(gram, targets, rows.weights[:count], _DAMPING)
    return _drop_small((scaled.T @ dual) * scale)


def _drop_small(weights: Floats) -> Floats:
    """Return the weights without those too small to turn an answer: zeros take no room."""
    return np.where(np.abs(weights) < _SMALLEST_WEIGHT, 0, weights).astype(np.float32)


def _scale_parts(
    vectorizer: QueryVectorizer, vectors: csr_matrix, parts: Mapping[str, float]
) -> tuple[csr_matrix, Floats]:
    """Return vectors whose dot product weighs each part as asked, and the columns' factors."""
    scale = np.array(
        [np.sqrt(parts.get(part, 0.0)) for part in vectorizer.column_parts], dtype=np.float32
    )
    return csr_matrix(vectors @ diags(scale)), scale[:, None]


def _build_activity_targets(
    rows: TrainingRows, pairs: tuple[tuple[int, int, int], ...], caption_count: int
) -> Floats:
    numbers = {(uid, activity): at for at, (uid, activity, _) in enumerate(pairs)}
    targets = np.zeros((rows.example_count, len(pairs) + caption_count), dtype=np.float32)
    for row, example in enumerate(rows.examples):
        at = numbers[example.class_uid, example.activity_id]
        targets[row, at] = 1
        targets[row, len(pairs) + pairs[at][2]] = 1
    return targets


def _fit_dense_leg(
    rows: TrainingRows, embeddings: Floats, folds: tuple[list[Positions], ...]
) -> tuple[list[Floats], Floats]:
    """Return left-out scores for each view and weights of ridge over embeddings."""
    targets = rows.targets[: rows.example_count]
    weights = rows.weights[: rows.example_count, None]
    vectors = embeddings[rows.positions]

    weighted = vectors * weights
    system = weighted.T @ vectors + _DENSE_DAMPING * np.eye(vectors.shape[1], dtype=np.float32)
    inverse = np.linalg.inv(system.astype(np.float64)).astype(np.float32)
    fitted = inverse @ (weighted.T @ targets)
    projected = vectors @ inverse
    errors = targets - vectors @ fitted
    left_out: list[Floats] = []
    for folding in folds:
        scores = np.zeros_like(targets)
        for fold in folding:
            # What its own rows add to the answer for a fold is solved out of it.
            others = np.eye(len(fold), dtype=np.float32) - projected[fold] @ weighted[fold].T
            scores[fold] = targets[fold] - np.linalg.solve(others, errors[fold])
        left_out.append(scores)
    spare = embeddings[rows.spare.positions] @ fitted
    left_out[_KNOWN] = np.concatenate([left_out[_KNOWN][rows.find_siblings()], spare])
    return left_out, fitted.astype(np.float32)


def _score_hits(
    rows: TrainingRows,
    examples: Sequence[LabelledExample],
    hits: pl.DataFrame,
    class_uids: tuple[int, ...],
) -> tuple[list[Floats] | None, Floats | None]:
    """Return the hit scores of each view, without what it leaves out; the noise's.

    Hits of the noise are those numbered from `len(examples)` on.
    """
    if hits.is_empty():
        return None, None
    siblings = rows.find_siblings()
    spare = rows.spare.positions
    left_out: tuple[tuple[Positions, dict[str, str]], ...] = (
        (rows.positions, {item.example_id: name_owner(item) for item in examples}),
        (
            rows.positions,
            {item.example_id: json.dumps(name_event(item)) for item in examples},
        ),
        (np.concatenate([rows.positions[siblings], spare]), {}),
    )
    of_noise = hits.filter(pl.col("query_no") >= len(examples)).with_columns(
        pl.col("query_no") - pl.lit(len(examples), dtype=pl.UInt32)
    )
    scores = []
    for positions, groups in left_out:
        places = pl.DataFrame(
            {
                "query_no": positions.astype(np.uint32),
                "row": np.arange(len(positions), dtype=np.uint32),
            }
        )
        own = hits.join(places, on="query_no").with_columns(query_no="row").drop("row")
        kept = drop_hits(own, [examples[at].example_id for at in positions], groups)
        scores.append(score_hits(kept, len(positions), class_uids))
    return scores, score_hits(of_noise, len(NOISE), class_uids)


@dataclass(frozen=True)
class _View:
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


def _score_noise(
    noise: Sequence[LogQuery],
    vectorizer: QueryVectorizer,
    weights: Mapping[str, Floats],
    embeddings: Floats | None,
    near: Floats | None,
) -> _View:
    """Return what the legs say of texts that are nothing of the kind, by models that know all."""
    text = np.asarray(vectorizer.transform(noise) @ weights["text"], dtype=np.float32)
    count = len(noise)
    return _View(
        text,
        near,
        None if embeddings is None else embeddings[-count:] @ weights["dense"],
        vectorizer.measure_familiarity(noise),
        np.zeros_like(text),
        np.full(count, _NOISE_SHARE / count, dtype=np.float32),
        np.zeros(count, dtype=np.float32),
    )


_PRODUCT, _EVENT, _KNOWN = range(3)
"""Views: the product is left out; the event is; the example alone is."""


def _split_rows(rows: TrainingRows) -> tuple[list[Positions], ...]:
    """Return, per view, which examples are left out together."""
    owners = rows.owners[: rows.example_count]
    return (
        split_folds(owners),
        split_folds([name_event(item) for item in rows.examples]),
        list(rows.find_siblings()[:, None]),
    )


def _build_views(
    rows: TrainingRows,
    vectorizer: QueryVectorizer,
    text: list[Floats],
    near: list[Floats] | None,
    dense: list[Floats] | None,
) -> list[_View]:
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
        _View(
            text[view],
            near[view] if near is not None else None,
            dense[view] if dense is not None else None,
            *told[view],
        )
        for view in (_PRODUCT, _EVENT, _KNOWN)
    ]
    return [view for view in views if len(view.weights)]


def _fit_combination(
    views: Sequence[_View], noise: _View
) -> tuple[dict[str, Combiner], dict[str, Calibrator], float]:
    """Fit a combiner and a calibrator for each variant; the threshold is that of the richest.

    The legs are weighed by what is hard: on events that are known, they all are right.
    """
    hard = views[:_KNOWN]
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
        combiner = fit_combiner(np.concatenate(stacks[:_KNOWN]), targets, hard_weights)
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
