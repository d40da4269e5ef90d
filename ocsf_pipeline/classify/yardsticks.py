"""What a classifier must beat: plainer ways on the same logs, and published figures.

Belongs here: the plain hybrid search over class descriptions, the commonest class, the figures of
others with where they come from. Does not belong here: our own answers' metrics (`evaluate`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import bm25s
import numpy as np

from ocsf_pipeline.classify.evaluate import Label, Yardstick
from ocsf_pipeline.knowledge.chunks import ClassChunk
from ocsf_pipeline.knowledge.fusion import fuse_ranks
from ocsf_pipeline.ports import Embedder

PUBLISHED = (
    Yardstick("hybrid search over class descriptions; 137 other products", 0.32, 0.49, False),
    Yardstick("logistic regression on MiniLM and TF-IDF; 137 other products", 0.61, 0.83, False),
    Yardstick("a frontier LLM with the list of classes; 137 other products", 0.99, None, False),
)
_RAW_CHARS = 1_000
_DEPTH = 40


def measure_yardsticks(
    labels: Sequence[Label],
    raws: Sequence[str],
    chunks: Sequence[ClassChunk],
    embedder: Embedder,
) -> tuple[Yardstick, ...]:
    """Return what plain ways reach on these logs, then the published figures.

    `raws` are the logs of `labels`; `chunks` the texts about classes. Costs one embedding per log.
    """
    return (_guess_commonest(labels), _search(labels, raws, chunks, embedder), *PUBLISHED)


def _guess_commonest(labels: Sequence[Label]) -> Yardstick:
    common = [uid for uid, _ in Counter(label.class_uid for label in labels).most_common(3)]
    return _score("always the commonest class", labels, [common] * len(labels))


def _search(
    labels: Sequence[Label],
    raws: Sequence[str],
    chunks: Sequence[ClassChunk],
    embedder: Embedder,
) -> Yardstick:
    """BM25 and embeddings of the raw log against the texts, fused by reciprocal rank."""
    cut = [raw[:_RAW_CHARS] for raw in raws]
    texts = [chunk.text for chunk in chunks]
    dense = embedder.encode(cut) @ embedder.encode(texts).T
    positions, _ = fuse_ranks(dense, _score_words(cut, texts), min(_DEPTH, len(texts)))
    found = [list(dict.fromkeys(chunks[at].class_uid for at in row))[:3] for row in positions]
    return _score("plain hybrid search over class descriptions", labels, found)


def _score_words(
    queries: Sequence[str], texts: Sequence[str]
) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    scorer = bm25s.BM25()
    scorer.index(bm25s.tokenize(list(texts), stopwords="en", show_progress=False),
                 show_progress=False)  # fmt: skip
    scores = np.zeros((len(queries), len(texts)), dtype=np.float32)
    tokens = bm25s.tokenize(list(queries), stopwords="en", return_ids=False, show_progress=False)
    for row, words in enumerate(tokens):
        known = scorer.get_tokens_ids(sorted(set(words)))
        if known:
            scores[row] = scorer.get_scores_from_ids(known)
    return scores


def _score(name: str, labels: Sequence[Label], found: Sequence[Sequence[int]]) -> Yardstick:
    def share(depth: int) -> float:
        return float(np.mean([
            bool(label.acceptable & {*uids[:depth]})
            for label, uids in zip(labels, found, strict=True)
        ]))  # fmt: skip

    return Yardstick(name, share(1), share(3), True)
