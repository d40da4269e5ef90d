"""The lexical half of the embedded index: BM25 by bm25s.

Belongs here: tokens, building, saving and scoring. Does not belong here: dense vectors, fusion.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import bm25s
import numpy as np
import numpy.typing as npt

from ocsf_pipeline.knowledge.words import spell_out

_TOKEN = r"(?u)\b\w\w+\b"  # noqa: S105 - a pattern of words, no secret


class LexicalIndex:
    """BM25 over a fixed list of texts."""

    def __init__(self, scorer: bm25s.BM25) -> None:
        self._scorer = scorer

    @classmethod
    def build(cls, texts: Sequence[str]) -> LexicalIndex:
        """Index `texts`; document i is text i."""
        scorer = bm25s.BM25()
        tokens = bm25s.tokenize(
            [spell_out(text) for text in texts],
            token_pattern=_TOKEN,
            stopwords="en",
            show_progress=False,
        )
        scorer.index(tokens, show_progress=False)
        return cls(scorer)

    def dump(self) -> dict[str, npt.NDArray[np.uint8]]:
        """Return bm25s's own files, as bytes by name."""
        with tempfile.TemporaryDirectory() as folder:
            self._scorer.save(folder, show_progress=False)
            return {
                path.name: np.frombuffer(path.read_bytes(), dtype=np.uint8)
                for path in sorted(Path(folder).iterdir())
            }

    @classmethod
    def load(cls, files: dict[str, npt.NDArray[np.uint8]]) -> LexicalIndex:
        """Return the index that `dump` described."""
        with tempfile.TemporaryDirectory() as folder:
            for name, body in files.items():
                (Path(folder) / Path(name).name).write_bytes(body.tobytes())
            return cls(bm25s.BM25.load(folder, allow_pickle=False, show_progress=False))

    def score(self, queries: Sequence[str], document_count: int) -> npt.NDArray[np.float32]:
        """Return BM25 scores, float32 [queries, documents]; a word counts once per query."""
        scores = np.zeros((len(queries), document_count), dtype=np.float32)
        token_lists = bm25s.tokenize(
            [spell_out(query) for query in queries],
            token_pattern=_TOKEN,
            stopwords="en",
            return_ids=False,
            show_progress=False,
        )
        for row, tokens in enumerate(token_lists):
            known = self._scorer.get_tokens_ids(sorted(set(tokens)))
            if known:
                scores[row] = self._scorer.get_scores_from_ids(known)
        return scores
