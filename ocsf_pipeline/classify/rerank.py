"""The ranker's candidates and a re-ranker's opinion -> one rating, and how it came about.

Belongs here: asking about what is unsure, weighing the two, spelling the outcome in a decision's
version. Does not belong here: re-rankers (adapters), the threshold's choice (`training`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import polars as pl

from ocsf_pipeline.ports import Candidate, PortError, Reranker, Reranking, RerankQuestion
from ocsf_pipeline.schema.model import OcsfSchema

RERANK_COUNT = 10
"""Candidates that a re-ranker sees: the right class is among ten where it is not among five."""
_TAIL = 0.1
"""Share of the ranker's certainty that is spread evenly before it is weighed: its low scores are
far too low (1e-5 for a tenth candidate; the right class is beyond the fifth in 3 of 100)."""
_DESCRIPTION_CHARS = 300
_NOTE_CHARS = 300


class Outcome(StrEnum):
    """What became of asking a re-ranker about one template."""

    answered = ""
    unanswered = ":unanswered"
    """It was asked and its answer is of no use; asking again would not help."""
    failed = ":failed"
    """It could not be asked; the template is asked about again when its hour is materialised."""


@dataclass(frozen=True)
class Rated:
    """The candidates of one template after re-ranking."""

    candidates: list[Candidate]
    outcome: Outcome | None = None
    """None: there was nothing to ask."""
    note: str = ""


def rerank_unsure(
    reranker: Reranker | None,
    queries: Sequence[str],
    samples: Sequence[str],
    ranked: Sequence[Sequence[Candidate]],
    schema: OcsfSchema,
    threshold: float,
) -> list[Rated]:
    """Ask about the templates whose best candidate is below `threshold`; leave the others alone."""
    rated = [Rated(list(candidates)) for candidates in ranked]
    unsure = [row for row, items in enumerate(ranked) if items[0].score < threshold]
    if reranker is None or not unsure:
        return rated
    questions = [
        RerankQuestion(
            queries[row],
            samples[row],
            tuple(ranked[row]),
            tuple(_describe(candidate, schema) for candidate in ranked[row]),
        )
        for row in unsure
    ]
    for row, answer in zip(unsure, _ask(reranker, questions), strict=True):
        rated[row] = _settle(ranked[row], answer, reranker.trust)
    return rated


def blend_scores(
    candidates: Sequence[Candidate], scores: Sequence[float], trust: float
) -> list[Candidate]:
    """Return the candidates with the ranker's scores corrected by the re-ranker's, best first.

    Bayes' rule over the candidates and "none of these". The re-ranker is taken for a witness who
    names the right one with probability `trust` and else any of them: its opinion moves the
    ranker's, it does not replace it.
    """
    ranked = [item.score for item in candidates]
    ranked.append(max(0.0, 1.0 - sum(ranked)))
    prior = [(1 - _TAIL) * score + _TAIL / len(ranked) for score in ranked]
    said = [*scores, max(0.0, 1.0 - sum(scores))]
    chance = (1.0 - trust) / len(said)
    joint = [before * (trust * heard + chance) for before, heard in zip(prior, said, strict=True)]
    total = sum(joint) or 1.0
    rated = [
        replace(item, score=part / total) for item, part in zip(candidates, joint[:-1], strict=True)
    ]
    return sorted(rated, key=lambda item: -item.score)


def spell_version(ranker_version: str, reranker: Reranker | None, outcome: Outcome | None) -> str:
    """Return what made a decision: the ranker's version, with a re-ranker's part in it."""
    if reranker is None or outcome is None:
        return ranker_version
    return f"{ranker_version}+{reranker.name}{outcome}"


def has_outcome(outcome: Outcome, column: str = "ranker_version") -> pl.Expr:
    """Return whether decisions had this outcome, by what `spell_version` wrote."""
    version = pl.col(column)
    if outcome is Outcome.answered:
        others = [version.str.ends_with(item) for item in Outcome if item]
        return version.str.contains("+", literal=True) & ~pl.any_horizontal(others)
    return version.str.ends_with(outcome)


def _describe(candidate: Candidate, schema: OcsfSchema) -> str:
    found = schema.find_class(candidate.class_uid)
    text = "" if found is None else " ".join(found.description.split())
    return text[:_DESCRIPTION_CHARS]


def _ask(reranker: Reranker, questions: Sequence[RerankQuestion]) -> list[Reranking]:
    try:
        return reranker.rerank_candidates(questions)
    except PortError as error:
        return [Reranking(note=str(error), is_final=False)] * len(questions)


def _settle(candidates: Sequence[Candidate], answer: Reranking, trust: float) -> Rated:
    note = " ".join(answer.note.split())[:_NOTE_CHARS]
    if answer.scores:
        return Rated(blend_scores(candidates, answer.scores, trust), Outcome.answered, note)
    outcome = Outcome.unanswered if answer.is_final else Outcome.failed
    return Rated(list(candidates), outcome, note)
