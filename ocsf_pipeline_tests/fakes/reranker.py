"""A re-ranker that honours `ports.Reranker` and can be told what to choose, or to fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ocsf_pipeline.ports import Reranking, RerankQuestion


class FakeReranker:
    """Chooses by `choose` (question -> class uid, or None); `questions` records what it was asked.

    With `outage` set it answers nothing and says so.
    """

    def __init__(
        self,
        choose: Callable[[RerankQuestion], int | None] | None = None,
        *,
        trust: float = 0.95,
        outage: str = "",
    ) -> None:
        self._choose = choose or (lambda question: question.candidates[-1].class_uid)
        self.trust = trust
        self.outage = outage
        self.questions: list[RerankQuestion] = []

    @property
    def name(self) -> str:
        return "fake"

    def rerank_candidates(self, questions: Sequence[RerankQuestion]) -> list[Reranking]:
        self.questions.extend(questions)
        return [self._answer(question) for question in questions]

    def _answer(self, question: RerankQuestion) -> Reranking:
        if self.outage:
            return Reranking(note=self.outage, is_final=False)
        uids = [item.class_uid for item in question.candidates]
        chosen = self._choose(question) if uids else None
        if chosen not in uids:
            return Reranking(note=f"chose {chosen}, which is no candidate")
        return Reranking(tuple(float(uid == chosen) for uid in uids), f"chose {chosen}")
