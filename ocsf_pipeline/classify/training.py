"""Training a ranker on labelled examples.

Belongs here: rows, targets, folds, and the order in which the parts of a ranker are fitted. Does
not belong here: the parts themselves (`vectors`, `ridge`, `combine`), where examples come from.

Everything that decides how far a leg or an answer is trusted is fitted on predictions for products
that the model had not seen, mixed with some for examples that it had not seen of products that it
had: that is what it will meet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import csr_matrix, diags

from ocsf_pipeline.classify.combine import (
    Calibrator,
    Combiner,
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
from ocsf_pipeline.classify.training_rows import TrainingRows, gather_rows, name_owner, split_folds
from ocsf_pipeline.classify.vectors import QueryVectorizer, fit_vectorizer
from ocsf_pipeline.knowledge.examples import LabelledExample
from ocsf_pipeline.schema.model import OcsfSchema

WANTED_PRECISION = 0.98
_DAMPING = 1.0
_DENSE_DAMPING = 3.0
_UNSEEN_SHARE = 0.5
"""Of what a deployment sends, as much comes from products that no pack knows, in terms of worth."""
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
    seed: int = 0,
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
    folds = split_folds(rows, seed)
    pairs, captions = _list_pairs(rows.examples, schema)
    text, weights = _fit_text_leg(rows, vectorizer, vectors, folds)
    pair_weights = _fit_activities(rows, vectorizer, vectors, pairs, len(captions))
    dense = None
    if embeddings is not None:
        dense, weights["dense"] = _fit_dense_leg(rows, embeddings[rows.positions], folds)
    near, noise_near = _score_hits(rows, hits, class_uids, len(queries))
    noise = build_noise_queries()
    combiners, calibrators, threshold = _fit_combination(
        rows,
        _Legs(text, near, dense, _score_noise(noise, vectorizer, weights, embeddings, noise_near)),
        vectorizer.measure_familiarity(rows.queries[: rows.example_count]),
        vectorizer.measure_familiarity(noise),
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
    folds: tuple[list[Positions], list[Positions]],
) -> tuple[list[Floats], dict[str, Floats]]:
    """Return left-out scores for both foldings, and the weights of the leg by its name."""
    scaled, scale = _scale_parts(vectorizer, vectors, WHOLE)
    gram = np.asarray((scaled @ scaled.T).toarray(), dtype=np.float32)
    solved = solve_ridge(gram, rows.targets, rows.weights, _DAMPING)
    left_out = [solved.predict_left_out(folding)[: rows.example_count] for folding in folds]
    return left_out, {"text": _drop_small((scaled.T @ solved.dual) * scale)}


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
    rows: TrainingRows, vectors: Floats, folds: tuple[list[Positions], list[Positions]]
) -> tuple[list[Floats], Floats]:
    """Return left-out scores for both foldings and weights of ridge over embeddings."""
    targets = rows.targets[: rows.example_count]
    weights = rows.weights[: rows.example_count, None]

    weighted = vectors * weights
    system = weighted.T @ vectors + _DENSE_DAMPING * np.eye(vectors.shape[1], dtype=np.float32)
    answer = weighted.T @ targets
    left_out = []
    for folding in folds:
        scores = np.zeros_like(targets)
        for fold in folding:
            without = np.linalg.solve(
                system - weighted[fold].T @ vectors[fold],
                answer - weighted[fold].T @ targets[fold],
            )
            scores[fold] = vectors[fold] @ without
        left_out.append(scores)
    return left_out, np.linalg.solve(system, answer).astype(np.float32)


def _score_hits(
    rows: TrainingRows, hits: pl.DataFrame, class_uids: tuple[int, ...], query_count: int
) -> tuple[list[Floats] | None, Floats | None]:
    """Return the examples' hit scores without their products, and without themselves; the noise's.

    Hits of the noise are those numbered from `query_count` on.
    """
    if hits.is_empty():
        return None, None
    places = pl.DataFrame(
        {
            "query_no": rows.positions.astype(np.uint32),
            "row": np.arange(rows.example_count, dtype=np.uint32),
        }
    )
    own = hits.join(places, on="query_no").with_columns(query_no="row").drop("row")
    ids = [item.example_id for item in rows.examples]
    products = [item.product for item in rows.examples]
    of_noise = hits.filter(pl.col("query_no") >= query_count).with_columns(
        pl.col("query_no") - pl.lit(query_count, dtype=pl.UInt32)
    )
    return [
        score_hits(
            drop_hits(own, ids, products, whole_product=whole), rows.example_count, class_uids
        )
        for whole in (True, False)
    ], score_hits(of_noise, len(NOISE), class_uids)


def _score_noise(
    noise: Sequence[LogQuery],
    vectorizer: QueryVectorizer,
    weights: Mapping[str, Floats],
    embeddings: Floats | None,
    near: Floats | None,
) -> tuple[Floats, Floats | None, Floats | None]:
    """Return what the legs say of texts that are nothing of the kind: text, hits, dense."""
    text = np.asarray(vectorizer.transform(noise) @ weights["text"], dtype=np.float32)
    dense = None if embeddings is None else embeddings[-len(noise) :] @ weights["dense"]
    return text, near, dense


@dataclass(frozen=True)
class _Legs:
    """Left-out scores [rows, classes, ...] for products, then examples, never seen."""

    text: list[Floats]
    near: list[Floats] | None
    dense: list[Floats] | None
    noise: tuple[Floats, Floats | None, Floats | None]
    """The same of the noise, [texts, classes, ...], by models that know all examples."""

    def stack(self, view: int, variant: str) -> Floats:
        """Return what `variant` combines."""
        return stack_legs(
            self.text[view],
            self.near[view] if self.near is not None else None,
            self.dense[view] if self.dense is not None else None,
            variant,
        )

    def stack_noise(self, variant: str) -> Floats:
        """Return the same for the noise."""
        return stack_legs(*self.noise, variant)


def _fit_combination(
    rows: TrainingRows, legs: _Legs, familiarity: Floats, noise_familiarity: Floats
) -> tuple[dict[str, Combiner], dict[str, Calibrator], float]:
    """Fit a combiner and a calibrator for each variant; the threshold is that of the richest."""
    count = rows.example_count
    targets = rows.targets[:count] / rows.targets[:count].sum(axis=1, keepdims=True)
    is_right = rows.targets[:count] > 0
    owner_counts = _count_owners(rows)
    both = _weigh_views(rows.weights[:count], owner_counts)
    sent = _weigh_views(rows.weights[:count] * owner_counts**_POPULARITY, owner_counts)
    noise_weights = np.full(len(NOISE), _NOISE_SHARE / len(NOISE), dtype=np.float32)
    combiners: dict[str, Combiner] = {}
    calibrators: dict[str, Calibrator] = {}
    threshold = 1.0
    for variant in VARIANTS:
        if ("hits" in variant and legs.near is None) or ("dense" in variant and legs.dense is None):
            continue
        views = [legs.stack(view, variant) for view in (0, 1)]
        combiner = fit_combiner(np.concatenate(views), np.concatenate([targets, targets]), both)
        answers = [combiner.combine(view) for view in views]
        right = np.concatenate(
            [is_right[np.arange(count), item.argmax(axis=1)] for item in answers]
        )
        signs = np.concatenate(
            [
                read_signs(answer, familiarity, view)
                for answer, view in zip(answers, views, strict=True)
            ]
        )
        noise = legs.stack_noise(variant)
        noise_signs = read_signs(combiner.combine(noise), noise_familiarity, noise)
        calibrator = fit_calibrator(
            np.concatenate([signs, noise_signs]),
            np.append(right, np.zeros(len(noise_signs), dtype=bool)),
            np.append(sent, noise_weights),
        )
        threshold = _choose_threshold(calibrator.rate(signs), right, sent)
        combiners[variant], calibrators[variant] = combiner, calibrator
    return combiners, calibrators, threshold


def _weigh_views(weights: Floats, owner_counts: Floats) -> Floats:
    """Return weights of the examples without their products, then of those without themselves."""
    weights = weights / weights.sum()
    unseen = weights * _measure_support(owner_counts)
    seen = weights * (1 - _UNSEEN_SHARE)
    return np.concatenate([unseen / unseen.sum() * _UNSEEN_SHARE, seen]).astype(np.float32)


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


def _choose_threshold(confidence: Floats, right: npt.NDArray[np.bool_], weights: Floats) -> float:
    """Return the lowest confidence from which on answers were right often enough."""
    order = np.argsort(-confidence, kind="stable")
    # With few products the surest answers may weigh nothing.
    total = np.maximum(np.cumsum(weights[order]), 1e-12)
    shares = np.cumsum((right * weights)[order]) / total
    reached = np.flatnonzero(shares >= WANTED_PRECISION)
    return float(confidence[order[reached[-1]]]) if len(reached) else 1.0
