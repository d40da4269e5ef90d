"""One question to an OpenAI-compatible chat endpoint, by httpx: retries, limits, dialects.

Belongs here: HTTP, which failures are worth another try, options that an endpoint does not know.
Does not belong here: prompts and answers (`classify.questions`), what happens without an answer
(`chat_reranker`).

The key goes into one header and nowhere else: redirects are not followed, errors do not quote
requests.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import tenacity

from ocsf_pipeline.ports import PermanentPortError, TransientPortError

_WORTH_ANOTHER_TRY = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_MAX_BODY_BYTES = 1 << 20
_MAX_WAIT_S = 20.0
_OPTIONS = ("response_format", "temperature", "max_tokens")
"""What endpoints differ in; `max_tokens` has another name where it is not known."""


@dataclass(frozen=True)
class ChatReply:
    """What a model said, and what it cost."""

    text: str
    tokens: int
    """As the endpoint counted; 0 when it did not say."""


class RetryLaterError(TransientPortError):
    """The endpoint is busy or broken."""

    def __init__(self, message: str, wait_s: float = 0.0) -> None:
        """`wait_s` is what the endpoint asked for, in seconds."""
        super().__init__(message)
        self.wait_s = wait_s


class ChatClient:
    """Asks `<base_url>/chat/completions`. Safe to use from several threads."""

    def __init__(
        self,
        base_url: str,
        model: str,
        key: str = "",
        *,
        timeout_s: float = 30.0,
        attempts: int = 3,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """`attempts` bounds the tries per question; `transport` and `sleep` are for tests."""
        self._url = base_url.rstrip("/") + "/chat/completions"
        self._model = model
        self._key = key
        self._attempts = attempts
        self._sleep = sleep
        self._jitter = jitter
        self._unknown: frozenset[str] = frozenset()
        self._client = httpx.Client(transport=transport, timeout=timeout_s, follow_redirects=False)

    def ask(
        self,
        messages: list[dict[str, str]],
        schema: dict[str, Any],
        max_tokens: int,
        seconds_left: Callable[[], float],
    ) -> ChatReply:
        """Return the model's reply to `messages`, constrained to `schema` where it can be.

        Tries again within `seconds_left`. Raises TransientPortError when the endpoint stays busy
        or unreachable, PermanentPortError when another try cannot help.
        """
        retrying = tenacity.Retrying(
            stop=lambda state: state.attempt_number >= self._attempts or seconds_left() <= 0,
            wait=self._wait_before_retry,
            retry=tenacity.retry_if_exception_type(RetryLaterError),
            sleep=lambda seconds: self._sleep(min(seconds, max(0.0, seconds_left()))),
            reraise=True,
        )
        return retrying(self._ask_in_its_dialect, messages, schema, max_tokens)

    def _wait_before_retry(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.wait_s if isinstance(error, RetryLaterError) else 0.0
        return min(_MAX_WAIT_S, max(asked, self._jitter(0.0, 2.0**state.attempt_number)))

    def _ask_in_its_dialect(
        self, messages: list[dict[str, str]], schema: dict[str, Any], max_tokens: int
    ) -> ChatReply:
        """Leave out, from then on, the options that the endpoint complains about."""
        for _attempt in range(len(_OPTIONS) + 1):
            status, body, headers = self._post(self._write_body(messages, schema, max_tokens))
            refused = self._find_refused(status, body)
            if not refused:
                break
            self._unknown |= {refused}
        _check_status(self._url, status, body, headers)
        return _read_reply(self._url, body)

    def _write_body(
        self, messages: list[dict[str, str]], schema: dict[str, Any], max_tokens: int
    ) -> dict[str, Any]:
        body: dict[str, Any] = {"model": self._model, "messages": messages}
        if "temperature" not in self._unknown:
            body["temperature"] = 0
        is_renamed = "max_tokens" in self._unknown
        body["max_completion_tokens" if is_renamed else "max_tokens"] = max_tokens
        if "response_format" not in self._unknown:
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "ocsf_class", "strict": True, "schema": schema},
            }
        return body

    def _find_refused(self, status: int, body: bytes) -> str:
        if status not in (400, 422):
            return ""
        text = body.decode("utf-8", "replace").lower()
        for option in _OPTIONS:
            if option in text and option not in self._unknown:
                return option
        return ""

    def _post(self, document: dict[str, Any]) -> tuple[int, bytes, httpx.Headers]:
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        try:
            with self._client.stream("POST", self._url, json=document, headers=headers) as reply:
                body = bytearray()
                for piece in reply.iter_bytes():
                    body += piece
                    if len(body) > _MAX_BODY_BYTES:
                        raise PermanentPortError(
                            f"{self._url}: the answer is larger than {_MAX_BODY_BYTES:,} bytes; "
                            "is this a chat endpoint?"
                        )
                return reply.status_code, bytes(body), reply.headers
        except (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError) as error:
            reason = str(error) or type(error).__name__
            raise RetryLaterError(f"{self._url}: {reason}") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise PermanentPortError(f"{self._url}: {error}; check the URL") from error


def _check_status(url: str, status: int, body: bytes, headers: httpx.Headers) -> None:
    if status == httpx.codes.OK:
        return
    if status in _WORTH_ANOTHER_TRY:
        raise RetryLaterError(f"{url}: HTTP {status}", _read_wait(headers))
    advice = {401: "check the key", 403: "check the key", 404: "check the URL and the model"}
    raise PermanentPortError(
        f"{url}: HTTP {status}; {advice.get(status, 'check URL and model')}{_quote_error(body)}"
    )


def _quote_error(body: bytes) -> str:
    """Return the start of an error's message: endpoints say in it what they want."""
    try:
        error = json.loads(body)["error"]
        text = str(error["message"] if isinstance(error, dict) else error)
    except (ValueError, KeyError, TypeError):
        return ""
    return f" ({' '.join(text.split())[:160]})"


def _read_wait(headers: httpx.Headers) -> float:
    try:
        return max(0.0, float(headers.get("Retry-After", "0")))
    except ValueError:
        return 0.0


def _read_reply(url: str, body: bytes) -> ChatReply:
    try:
        document = json.loads(body)
        text = document["choices"][0]["message"]["content"]
        usage = document.get("usage") or {}
        return ChatReply(str(text or ""), int(usage.get("total_tokens") or 0))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise PermanentPortError(
            f"{url}: the answer is no chat completion ({error!r}); is this a chat endpoint?"
        ) from error
