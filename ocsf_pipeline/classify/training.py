"""Training a ranker on labelled examples.

Belongs here: rows, targets, and the order in which the parts of a ranker are fitted. Does not
belong here: the parts themselves (`vectors`, `ridge`, `combine`), how far each is trusted
(`trust`), where examples come from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from scipy.sparse import csr_matrix, diags, vstack

from ocsf_pipeline.classify.hit_features import drop_hits, score_hits
from ocsf_pipeline.classify.model import (
    SAID,
    WHOLE,
    Ranker,
    RankerError,
)
from ocsf_pipeline.classify.noise import NOISE, build_noise_queries
from ocsf_pipeline.classify.queries import LogQuery
from ocsf_pipeline.classify.ridge import build_kernel, solve_dual, solve_ridge
from ocsf_pipeline.classify.text_leg import PAIR_SHARE, TextLeg
from ocsf_pipeline.classify.training_rows import (
    TrainingRows,
    gather_rows,
    name_event,
    name_owner,
)
from ocsf_pipeline.classify.trust import (
    KNOWN,
    Floats,
    Positions,
    build_views,
    fit_combination,
    score_noise,
    split_rows,
)
from ocsf_pipeline.classify.vectors import QueryVectorizer, fit_vectorizer
from ocsf_pipeline.knowledge.examples import LabelledExample
from ocsf_pipeline.schema.model import OcsfSchema

_TEXT_DAMPING = 0.5
_ACTIVITY_DAMPING = 1.0
_DENSE_DAMPING = 3.0
_SMALLEST_WEIGHT = 0.003
_BLOCK_COLUMNS = 10_000


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
    folds = split_rows(rows)
    text, text_leg = _fit_text_leg(rows, vectorizer, vectors, folds)
    activity_weights = _fit_activities(rows, vectorizer, vectors, pairs, len(captions))
    noise = build_noise_queries()
    dense, dense_weights, noise_dense = None, None, None
    if embeddings is not None:
        dense, dense_weights = _fit_dense_leg(rows, embeddings, folds)
        noise_dense = embeddings[-len(noise) :] @ dense_weights
    near, noise_near = _score_hits(rows, examples, hits, class_uids)
    combiners, calibrators, threshold = fit_combination(
        build_views(rows, vectorizer, text, near, dense),
        score_noise(noise, vectorizer, text_leg, noise_near, noise_dense),
    )
    return _round(
        Ranker(
            schema_version=schema.version,
            class_uids=class_uids,
            vectorizer=vectorizer,
            text_leg=text_leg,
            dense_weights=dense_weights,
            combiners=combiners,
            calibrators=calibrators,
            threshold=threshold,
            pairs=pairs,
            activity_weights=activity_weights,
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
) -> tuple[list[Floats], TextLeg]:
    """Return left-out scores for each view, and the leg."""
    scaled, scale = _scale_parts(vectorizer, vectors, WHOLE)
    kernel = build_kernel(scaled, PAIR_SHARE)
    solved = solve_ridge(kernel, rows.targets, rows.weights, _TEXT_DAMPING)
    left_out = [solved.predict_left_out(folding)[: rows.example_count] for folding in folds]
    leg = TextLeg(csr_matrix(scaled @ diags(scale[:, 0])), solved.dual)
    spare = leg.score(vectorizer.transform(rows.spare.queries))
    left_out[KNOWN] = np.concatenate([left_out[KNOWN][rows.find_siblings()], spare])
    return left_out, leg


def _fit_activities(
    rows: TrainingRows,
    vectorizer: QueryVectorizer,
    vectors: csr_matrix,
    pairs: tuple[tuple[int, int, int], ...],
    caption_count: int,
) -> csr_matrix:
    """Return weights [columns, pairs and captions]."""
    count = rows.example_count
    scaled, scale = _scale_parts(vectorizer, csr_matrix(vectors[:count]), SAID)
    targets = _build_activity_targets(rows, pairs, caption_count)
    dual = solve_dual(build_kernel(scaled), targets, rows.weights[:count], _ACTIVITY_DAMPING)
    columns = csr_matrix(scaled.T)
    blocks = []
    # By blocks: as one dense matrix it would be some hundred megabytes, nearly all of them zeros.
    for start in range(0, len(scale), _BLOCK_COLUMNS):
        block = slice(start, start + _BLOCK_COLUMNS)
        blocks.append(_drop_small((columns[block] @ dual) * scale[block]))
    return csr_matrix(vstack(blocks, format="csr"))


def _drop_small(weights: Floats) -> csr_matrix:
    """Return the weights without those too small to turn an answer."""
    return csr_matrix(np.where(np.abs(weights) < _SMALLEST_WEIGHT, 0, weights), dtype=np.float32)


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
    left_out[KNOWN] = np.concatenate([left_out[KNOWN][rows.find_siblings()], spare])
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
