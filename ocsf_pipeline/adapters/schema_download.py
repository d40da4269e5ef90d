"""SchemaSource over a schema server, with the last good copy kept in an object store.

Belongs here: HTTP, retries, limits, the copy. Does not belong here: what a schema means; parsing
is called only to refuse a document that is none.

The copy of a release is two objects under `<prefix>/<version>/`: the body, named by its digest
and never rewritten, and `copy.json`, written last, which names the body. A kill between the two
leaves the earlier copy in force.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx
import tenacity
from pydantic import BaseModel, ConfigDict, ValidationError

from ocsf_pipeline.ports import (
    ObjectStore,
    PermanentPortError,
    PortError,
    SchemaDocument,
    TransientPortError,
)
from ocsf_pipeline.schema.model import SchemaError
from ocsf_pipeline.schema.parse import is_version, parse_schema

DEFAULT_BASE_URL = "https://schema.ocsf.io"
_WORTH_ANOTHER_TRY = frozenset({408, 425, 429, 500, 502, 503, 504})


class _Copy(BaseModel):
    """The last good copy: what `copy.json` holds."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    url: str
    body_key: str
    sha256: str
    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True)
class _Answer:
    """What the server said: a new body, or None when ours is current."""

    body: bytes | None
    etag: str | None = None
    last_modified: str | None = None


class DownloadSchemaSource:
    """Downloads `<base_url>/<version>/export/schema`.

    `extensions` restricts the export to these extensions; None takes all that the server has.
    `transport`, `sleep` and `clock` (seconds, monotonic) are there for tests and proxies.
    """

    def __init__(
        self,
        store: ObjectStore,
        *,
        base_url: str = DEFAULT_BASE_URL,
        prefix: str = "schema",
        extensions: Sequence[str] | None = None,
        timeout_s: float = 20.0,
        deadline_s: float = 120.0,
        attempts: int = 4,
        max_bytes: int = 32 * 1024 * 1024,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._store = store
        self._base_url = base_url.rstrip("/")
        self._prefix = prefix.strip("/")
        self._extensions = None if extensions is None else tuple(sorted(set(extensions)))
        self._timeout_s = timeout_s
        self._deadline_s = deadline_s
        self._attempts = attempts
        self._max_bytes = max_bytes
        self._transport = transport
        self._sleep = sleep
        self._clock = clock
        self._jitter = jitter

    def fetch_schema(self, version: str) -> SchemaDocument:
        """Return the server's export, or the last good copy with `is_stale` and the reason.

        Raises as `ports.SchemaSource` says when there is no copy to fall back to.
        """
        if not is_version(version):
            raise PermanentPortError(f"{version!r} is no OCSF version; write it like 1.8.0")
        copy, body, trouble = self._read_copy(version)
        try:
            answer = self._download_with_retries(self._url(version), copy)
            if answer.body is not None:
                _verify_body(answer.body, version, self._url(version))
        except PortError as error:
            if copy is None:
                raise
            return self._describe_copy(version, copy, body, stale_because=str(error))
        if answer.body is None:
            if copy is None:
                raise PermanentPortError(
                    f"{self._url(version)}: 304 to a request without condition; check the proxy"
                )
            return self._describe_copy(version, copy, body)
        return self._keep_copy(version, answer.body, answer, trouble)

    def _url(self, version: str) -> str:
        url = httpx.URL(f"{self._base_url}/{version}/export/schema")
        if self._extensions is not None:
            url = url.copy_with(params={"extensions": ",".join(self._extensions)})
        return str(url)

    # --- the network ---

    def _download_with_retries(self, url: str, copy: _Copy | None) -> _Answer:
        started = self._clock()

        def is_enough(state: tenacity.RetryCallState) -> bool:
            late = self._clock() - started > self._deadline_s
            return late or state.attempt_number >= self._attempts

        retrying = tenacity.Retrying(
            stop=is_enough,
            wait=self._wait_before_retry,
            retry=tenacity.retry_if_exception_type(TransientPortError),
            sleep=self._sleep,
            reraise=True,
        )
        return retrying(self._download, url, copy, started)

    def _wait_before_retry(self, state: tenacity.RetryCallState) -> float:
        """Full jitter: between 0 and 0.5, 1, 2 … seconds, at most 8."""
        return self._jitter(0.0, min(8.0, 0.5 * 2.0 ** (state.attempt_number - 1)))

    def _download(self, url: str, copy: _Copy | None, started: float) -> _Answer:
        try:
            with (
                httpx.Client(
                    transport=self._transport, timeout=self._timeout_s, follow_redirects=True
                ) as client,
                client.stream("GET", url, headers=_conditions(copy)) as response,
            ):
                _check_status(response, url)
                if response.status_code == httpx.codes.NOT_MODIFIED:
                    return _Answer(body=None)
                return _Answer(
                    body=self._read_body(response, url, started),
                    etag=response.headers.get("ETag"),
                    last_modified=response.headers.get("Last-Modified"),
                )
        except (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError) as error:
            reason = str(error) or type(error).__name__
            raise TransientPortError(
                f"{url}: {reason}; check the network, the proxy and the base URL"
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise PermanentPortError(f"{url}: {error}; check the base URL") from error

    def _read_body(self, response: httpx.Response, url: str, started: float) -> bytes:
        """Read with the limit applied to what was unpacked, so a small bomb stays small."""
        body = bytearray()
        for piece in response.iter_bytes():
            body += piece
            if len(body) > self._max_bytes:
                raise PermanentPortError(
                    f"{url}: more than {self._max_bytes:,} bytes; an OCSF export has about 5 MB: "
                    "check the URL, or raise the limit"
                )
            if self._clock() - started > self._deadline_s:
                raise TransientPortError(
                    f"{url}: not finished within {self._deadline_s:g} s; check the network"
                )
        return bytes(body)

    # --- the last good copy ---

    def _folder(self, version: str) -> str:
        folder = f"{self._prefix}/{version}"
        if self._extensions is None:
            return folder
        names = ",".join(self._extensions)
        return f"{folder}/extensions-{hashlib.sha256(names.encode()).hexdigest()[:12]}"

    def _read_copy(self, version: str) -> tuple[_Copy | None, bytes, str]:
        """Return the copy and its body, or None and what was wrong with it."""
        key = f"{self._folder(version)}/copy.json"
        try:
            if self._store.head_object(key) is None:
                return None, b"", ""
            copy = _Copy.model_validate_json(self._store.read_object(key))
            body = self._store.read_object(copy.body_key)
        except (PortError, ValidationError) as error:
            reason = str(error).splitlines()[0]
            return None, b"", f"the copy at {key} was unreadable and is ignored: {reason}"
        if hashlib.sha256(body).hexdigest() != copy.sha256:
            return None, b"", f"the copy at {copy.body_key} was damaged and is ignored"
        if copy.url != self._url(version):
            # Its ETag belongs to another server, but the content is still a good copy.
            copy = copy.model_copy(update={"etag": None, "last_modified": None})
        return copy, body, ""

    def _keep_copy(
        self, version: str, body: bytes, answer: _Answer, trouble: str
    ) -> SchemaDocument:
        digest = hashlib.sha256(body).hexdigest()
        copy = _Copy(
            url=self._url(version),
            body_key=f"{self._folder(version)}/{digest[:16]}.json",
            sha256=digest,
            etag=answer.etag,
            last_modified=answer.last_modified,
        )
        notes = ["downloaded", trouble]
        try:
            self._store.write_object(copy.body_key, body)
            self._store.write_object(
                f"{self._folder(version)}/copy.json", copy.model_dump_json(indent=1).encode()
            )
        except PortError as error:
            notes.append(f"no copy could be kept: {error}")
        return SchemaDocument(
            version=version,
            body=body,
            origin=copy.url,
            sha256=digest,
            note="; ".join(note for note in notes if note),
        )

    def _describe_copy(
        self, version: str, copy: _Copy, body: bytes, stale_because: str = ""
    ) -> SchemaDocument:
        note = (
            f"last good copy used: {stale_because}"
            if stale_because
            else "not modified since the last download"
        )
        return SchemaDocument(
            version=version,
            body=body,
            origin=copy.url,
            sha256=copy.sha256,
            is_stale=bool(stale_because),
            note=note,
        )


def _conditions(copy: _Copy | None) -> dict[str, str]:
    headers = {"Accept": "application/json"}
    if copy is not None and copy.etag:
        headers["If-None-Match"] = copy.etag
    if copy is not None and copy.last_modified:
        headers["If-Modified-Since"] = copy.last_modified
    return headers


def _check_status(response: httpx.Response, url: str) -> None:
    status = response.status_code
    if status in (httpx.codes.OK, httpx.codes.NOT_MODIFIED):
        return
    if status in _WORTH_ANOTHER_TRY:
        raise TransientPortError(f"{url}: HTTP {status}; the server is busy or broken, try later")
    if status == httpx.codes.NOT_FOUND:
        raise PermanentPortError(f"{url}: HTTP 404; check that the server has this version")
    raise PermanentPortError(f"{url}: HTTP {status}; check the base URL and who may read it")


def _verify_body(body: bytes, version: str, url: str) -> None:
    try:
        found = parse_schema(body).version
    except SchemaError as error:
        raise PermanentPortError(f"{url}: {error}") from error
    if found != version:
        raise PermanentPortError(
            f"{url}: asked for OCSF {version} and got {found}; check the base URL"
        )
