"""Reranker over a sentence-transformers CrossEncoder, on the CPU.

Belongs here: loading the model and rating pairs of (what the log says, what the class is). Does
not belong here: weighing its opinion (`classify.rerank`).

torch takes seconds to import, so it is imported when the first question is asked.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ocsf_pipeline.ports import PermanentPortError, PortError, Reranking, RerankQuestion

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

_BATCH = 16


class CrossEncoderReranker:
    """Rates candidates with a model that reads both texts at once.

    `model` is a folder, or a name in the local Hugging Face cache. It must have one output, the
    likeness of the pair; the scores are the softmax of its raw outputs over the candidates.
    """

    def __init__(
        self, model: str, *, trust: float = 0.9, max_tokens: int = 256, threads: int | None = None
    ) -> None:
        self._model = model
        self._trust = trust
        self._max_tokens = max_tokens
        self._threads = threads
        self._loaded: CrossEncoder | None = None
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """The model's name and the settings that change its ratings."""
        stem = self._model.rstrip("/").rsplit("/", 1)[-1].replace(" ", "-")
        return f"cross-encoder-{stem}@{self._max_tokens}"

    @property
    def trust(self) -> float:
        """See `ports.Reranker`."""
        return self._trust

    def rerank_candidates(self, questions: Sequence[RerankQuestion]) -> list[Reranking]:
        """Rate all pairs in one go. A model that cannot be used is an answer without scores."""
        if not questions:
            return []
        pairs = [
            (question.query, f"{candidate.class_name}. {description}")
            for question in questions
            for candidate, description in zip(
                question.candidates, question.descriptions, strict=True
            )
        ]
        try:
            ratings = self._rate(pairs)
        except PortError as error:
            return [Reranking(note=str(error), is_final=False)] * len(questions)
        answers = []
        start = 0
        for question in questions:
            end = start + len(question.candidates)
            answers.append(self._read_ratings(question, ratings[start:end]))
            start = end
        return answers

    def _read_ratings(
        self, question: RerankQuestion, ratings: np.ndarray[tuple[int], np.dtype[np.float64]]
    ) -> Reranking:
        if not len(ratings) or not np.isfinite(ratings).all():
            return Reranking(note=f"{self.name} gave no finite rating; the ranker's answer stands")
        likely = np.exp(ratings - ratings.max())
        scores = likely / likely.sum()
        best = question.candidates[int(scores.argmax())]
        # Floats may sum to a hair above 1.
        return Reranking(
            tuple(float(score) * (1 - 1e-9) for score in scores),
            f"{self.name}: {best.class_name} {scores.max():.2f}",
        )

    def _rate(
        self, pairs: Sequence[tuple[str, str]]
    ) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        import torch

        model = self._load()
        ratings = model.predict(
            list(pairs),
            batch_size=_BATCH,
            show_progress_bar=False,
            activation_fn=torch.nn.Identity(),
            convert_to_numpy=True,
        )
        return np.asarray(ratings, dtype=np.float64).reshape(-1)

    def _load(self) -> CrossEncoder:
        with self._lock:
            if self._loaded is None:
                self._loaded = self._open_model()
            return self._loaded

    def _open_model(self) -> CrossEncoder:
        import torch
        from sentence_transformers import CrossEncoder
        from transformers.utils import logging as transformers_logging

        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        if self._threads is not None:
            torch.set_num_threads(self._threads)
        try:
            model: CrossEncoder = CrossEncoder(
                self._model, device="cpu", local_files_only=True, max_length=self._max_tokens
            )
        except (OSError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise PermanentPortError(
                f"cannot load the cross-encoder {self._model!r}: {reason}; give a folder, or the "
                "name of a model in the local Hugging Face cache"
            ) from error
        if model.num_labels != 1:
            raise PermanentPortError(
                f"the cross-encoder {self._model!r} has {model.num_labels} outputs; a re-ranker "
                "has one"
            )
        return model
