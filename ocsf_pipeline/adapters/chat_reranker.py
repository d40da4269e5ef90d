"""Reranker over any OpenAI-compatible chat endpoint: limits, cache, fallback.

Belongs here: when to ask, when to stop asking, remembering answers. Does not belong here: HTTP
(`chat_client`), prompts, redaction and the meaning of answers (`classify.questions`).

It is asked only about templates that the ranker was unsure of, once each: answers are kept by what
was asked. Time and tokens are bounded per instance, which is one run or one command. Whatever
fails, the ranker's answer stands and the note says why.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pydantic import ValidationError

from ocsf_pipeline.adapters.chat_client import ChatClient
from ocsf_pipeline.classify.questions import (
    MAX_ANSWER_TOKENS,
    PROMPT_VERSION,
    AnswerError,
    ChatAnswer,
    Message,
    estimate_tokens,
    read_answer,
    score_answer,
    spell_answer,
    write_answer_schema,
    write_messages,
)
from ocsf_pipeline.ports import (
    ObjectStore,
    PermanentPortError,
    PortError,
    Reranking,
    RerankQuestion,
)

_CACHE = "classify/reranker"
_PARALLEL = 4
_READINGS = 2
"""How often a question is asked whose answer cannot be read."""
_FAILURES_BEFORE_STOP = 3


@dataclass(frozen=True)
class ChatLimits:
    """What asking may cost at most, per run."""

    max_seconds: float = 120.0
    max_tokens: int = 200_000


class _Budget:
    """What is left of the limits; several threads spend from it."""

    def __init__(self, limits: ChatLimits, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._started: float | None = None
        self._used_seconds = 0.0
        self._tokens = 0
        self._failures = 0
        self._stopped = ""
        self._lock = threading.Lock()

    def start(self) -> None:
        self._started = self._clock()

    def pause(self) -> None:
        if self._started is not None:
            self._used_seconds += self._clock() - self._started
            self._started = None

    def seconds_left(self) -> float:
        running = self._clock() - self._started if self._started is not None else 0.0
        return self._limits.max_seconds - self._used_seconds - running

    def reserve(self, tokens: int) -> str:
        """Take `tokens` from what is left; return why not when they cannot be taken."""
        with self._lock:
            if self._stopped:
                return self._stopped
            if self.seconds_left() <= 0:
                return f"the time limit of {self._limits.max_seconds:g} s was reached"
            if self._tokens + tokens > self._limits.max_tokens:
                return f"the limit of {self._limits.max_tokens:,} tokens was reached"
            self._tokens += tokens
            return ""

    def settle(self, reserved: int, used: int) -> None:
        """Put the endpoint's count in the place of the estimate, where it gave one."""
        with self._lock:
            self._tokens += (used or reserved) - reserved
            self._failures = 0

    def note_failure(self, error: PortError) -> None:
        """Stop asking after several failures in a row, or at once when no try can help."""
        with self._lock:
            self._failures += 1
            is_hopeless = isinstance(error, PermanentPortError)
            if is_hopeless or self._failures >= _FAILURES_BEFORE_STOP:
                self._stopped = f"asking was stopped: {error}"


class ChatReranker:
    """Asks a chat model which candidate is right."""

    def __init__(
        self,
        client: ChatClient,
        model: str,
        cache: ObjectStore,
        *,
        trust: float = 0.9,
        limits: ChatLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` gives monotonic seconds."""
        self._client = client
        self._model = model
        self._cache = cache
        self._trust = trust
        self._budget = _Budget(limits or ChatLimits(), clock)

    @property
    def name(self) -> str:
        """The model and the prompt's version; the limits change no answer."""
        return f"chat-{self._model}-p{PROMPT_VERSION}".replace(" ", "-")

    @property
    def trust(self) -> float:
        """See `ports.Reranker`."""
        return self._trust

    def rerank_candidates(self, questions: Sequence[RerankQuestion]) -> list[Reranking]:
        """Ask about each question that no kept answer fits."""
        if not questions:
            return []
        self._budget.start()
        try:
            with ThreadPoolExecutor(_PARALLEL) as pool:
                return list(pool.map(self._rerank_one, questions))
        finally:
            self._budget.pause()

    def _rerank_one(self, question: RerankQuestion) -> Reranking:
        messages = write_messages(question)
        key = self._name_answer(messages)
        try:
            answer = self._recall(key)
            if answer is None:
                answer = self._ask(question, messages)
                self._remember(key, answer)
        except AnswerError as error:
            return Reranking(note=f"{self._model}: {error}; the ranker's answer stands")
        except PortError as error:
            note = f"{self._model} was not asked: {error}; the ranker's answer stands"
            return Reranking(note=note, is_final=False)
        if answer.class_uid and answer.class_uid not in _uids(question):
            return Reranking(note=f"{self._model}: the kept answer does not fit; delete {key}")
        return Reranking(
            score_answer(answer, question.candidates),
            f"{self._model}: {spell_answer(answer, question.candidates)}",
        )

    def _ask(self, question: RerankQuestion, messages: list[Message]) -> ChatAnswer:
        schema = write_answer_schema(question.candidates)
        failure: AnswerError | None = None
        for _reading in range(_READINGS):
            reserved = estimate_tokens(messages)
            refusal = self._budget.reserve(reserved)
            if refusal:
                raise PortError(refusal)
            try:
                reply = self._client.ask(
                    messages, schema, MAX_ANSWER_TOKENS, self._budget.seconds_left
                )
            except PortError as error:
                self._budget.note_failure(error)
                raise
            self._budget.settle(reserved, reply.tokens)
            try:
                return read_answer(reply.text, question.candidates)
            except AnswerError as error:
                failure = error
        raise failure or AnswerError("it gave no answer")

    def _name_answer(self, messages: list[Message]) -> str:
        asked = json.dumps([self.name, messages], sort_keys=True)
        digest = hashlib.sha256(asked.encode()).hexdigest()
        return f"{_CACHE}/{digest[:2]}/{digest}.json"

    def _recall(self, key: str) -> ChatAnswer | None:
        try:
            if self._cache.head_object(key) is None:
                return None
            return ChatAnswer.model_validate_json(self._cache.read_object(key))
        except (PortError, ValidationError):
            return None  # asking again costs little; failing would cost the answer

    def _remember(self, key: str, answer: ChatAnswer) -> None:
        try:
            self._cache.write_object(key, answer.model_dump_json().encode())
        except PortError:
            return  # the answer is good without its copy


def _uids(question: RerankQuestion) -> set[int]:
    return {item.class_uid for item in question.candidates}
