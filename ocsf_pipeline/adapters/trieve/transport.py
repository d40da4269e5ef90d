"""One request to Trieve: headers, timeout, bounded retries with jitter, JSON in and out.

Belongs here: HTTP. Does not belong here: what requests are for (`dataset`, `index`).

It uses the client library's own transport (`ApiClient`), not its methods: seven of those, the ones
for chunks among them, neither time out nor look at the status. Every write of ours may be repeated
safely, so POST is tried again like GET.
"""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import tenacity

from ocsf_pipeline.adapters.trieve.errors import NO_ANSWER, TrieveRejectedError, describe_failure
from ocsf_pipeline.adapters.trieve.place import TrievePlace
from ocsf_pipeline.ports import PermanentPortError, PortError, TransientPortError

_LOG = logging.getLogger(__name__)
_LONGEST_WAIT_S = 10.0
Json = Any


class Sender(Protocol):
    """Sends one request and returns status and body; raises OSError when there is no answer."""

    def __call__(
        self, method: str, path: str, ids: Mapping[str, str], headers: dict[str, str], body: Json
    ) -> tuple[int, bytes]:
        """`ids` fill the braces of `path`."""
        ...


class TrieveTransport:
    """Calls one server as one organisation; any number of threads may share it."""

    def __init__(
        self,
        place: TrievePlace,
        *,
        sender: Sender | None = None,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """`sender`, `sleep` and `jitter` are there for tests."""
        self._place = place
        self._sender = sender
        self._sleep = sleep
        self._jitter = jitter
        self._lock = threading.Lock()

    def call(
        self,
        method: str,
        path: str,
        body: Json = None,
        *,
        ids: Mapping[str, str] | None = None,
        dataset_id: str | None = None,
        search_mode: str | None = None,
    ) -> Json:
        """Return the parsed answer, None for an empty one. Raises the errors of `errors`."""
        return self._try(method, path, body, ids or {}, dataset_id, search_mode, False)

    def find(
        self,
        path: str,
        ids: Mapping[str, str],
        *,
        method: str = "GET",
        dataset_id: str | None = None,
    ) -> Json:
        """Return what is there, or None when it is not; for one thing named by `ids`."""
        return self._try(method, path, None, ids, dataset_id, None, True)

    def _try(
        self,
        method: str,
        path: str,
        body: Json,
        ids: Mapping[str, str],
        dataset_id: str | None,
        search_mode: str | None,
        may_lack: bool,
    ) -> Json:
        def attempt() -> Json:
            status, content = self._send(method, path, ids, dataset_id, body)
            return _read(method, path, status, content, search_mode, may_lack)

        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._place.attempts),
            wait=self._choose_wait,
            retry=tenacity.retry_if_exception_type(TransientPortError),
            sleep=self._sleep,
            before_sleep=_tell_retry,
            reraise=True,
        )
        return retrying(attempt)

    def _choose_wait(self, state: tenacity.RetryCallState) -> float:
        longest = min(_LONGEST_WAIT_S, 0.5 * 2 ** (state.attempt_number - 1))
        return self._jitter(longest / 2, longest)

    def _send(
        self,
        method: str,
        path: str,
        ids: Mapping[str, str],
        dataset_id: str | None,
        body: Json,
    ) -> tuple[int, bytes]:
        headers = {
            "Accept": "application/json",
            "X-API-Version": "V2",
            "TR-Organization": self._place.organization_id,
        }
        if body is not None:
            headers["Content-Type"] = "application/json"
        if dataset_id is not None:
            headers["TR-Dataset"] = dataset_id
        try:
            return self._open()(method, path, ids, headers, body)
        except OSError as error:
            raise describe_failure(f"{method} {path}", NO_ANSWER, str(error), None) from error

    def _open(self) -> Sender:
        with self._lock:
            if self._sender is None:
                self._sender = open_client(self._place)
            return self._sender


def open_client(place: TrievePlace) -> Sender:
    """Return a sender over the library's client; imports it.

    Raises PermanentPortError when the library is not installed.
    """
    try:
        import urllib3
        from trieve_py_client.api_client import ApiClient
        from trieve_py_client.configuration import Configuration
        from trieve_py_client.exceptions import ApiException
    except ImportError as error:
        raise PermanentPortError(
            f"Trieve is configured and its client is not installed ({error}); install "
            "`ocsf-pipeline[trieve]`"
        ) from error
    settings = Configuration(host=place.base_url.rstrip("/"), api_key={"ApiKey": place.api_key})
    # Ours are counted and jittered; the library's own would multiply with them.
    settings.retries = False  # type: ignore[assignment]  # declared as None, passed to urllib3
    settings.connection_pool_maxsize = place.concurrency
    client = ApiClient(settings)
    timeout = (place.connect_timeout_s, place.read_timeout_s)

    def send(
        method: str, path: str, ids: Mapping[str, str], headers: dict[str, str], body: Json
    ) -> tuple[int, bytes]:
        request = client.param_serialize(
            method, path, dict(ids), [], headers, body, auth_settings=["ApiKey"]
        )
        try:
            response = client.call_api(*request, _request_timeout=timeout)
            return response.status, response.read()  # type: ignore[no-untyped-call]
        except (ApiException, urllib3.exceptions.HTTPError) as error:
            # Neither text holds a header: the library puts those of answers alone into its own.
            raise OSError(f"{type(error).__name__}: {error}") from error

    return send


def _read(
    method: str, path: str, status: int, content: bytes, search_mode: str | None, may_lack: bool
) -> Json:
    """Return the answer's JSON, None for nothing; raise what the status means."""
    if not 200 <= status < 300:
        message = _read_message(content)
        # The server wraps a missing dataset's 404 into a 500.
        if may_lack and (status == 404 or (status == 500 and message.startswith("Not Found"))):
            return None
        raise describe_failure(f"{method} {path}", status, message, search_mode)
    if not content.strip():
        return None
    try:
        return json.loads(content)
    except ValueError as error:
        raise TrieveRejectedError(
            f"what answers {method} {path} is not Trieve's API (it sends no JSON); check "
            "TRIEVE_BASE_URL"
        ) from error


def _read_message(content: bytes) -> str:
    text = content.decode("utf-8", errors="replace")
    try:
        document = json.loads(text)
    except ValueError:
        return "a page that is no JSON, probably a proxy's"
    message = document.get("message") if isinstance(document, dict) else None
    return str(message or text)


def _tell_retry(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, PortError):
        _LOG.warning("trying again (attempt %d failed): %s", state.attempt_number, error)
