"""The routes: a request in, a durable batch, an answer.

Belongs here: reading requests within limits, the order of checks, Starlette. Does not belong here:
any format (`dialects`), writing (`gather`), the process and its signals (`server`).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ocsf_pipeline.ingest import hec
from ocsf_pipeline.ingest.bodies import BodyLimits, decompress_body
from ocsf_pipeline.ingest.dialects import Answer, Dialect, Facts, Hec, Otlp, Plain
from ocsf_pipeline.ingest.errors import BodyTooLargeError, BusyError, RequestError
from ocsf_pipeline.ingest.gate import Gate, Hold
from ocsf_pipeline.ingest.gather import Gatherer, GatherOptions
from ocsf_pipeline.ingest.metrics import CONTENT_TYPE, Metrics
from ocsf_pipeline.ingest.objects import Batch, digest_request
from ocsf_pipeline.ingest.tokens import TokenWatch
from ocsf_pipeline.ports import ObjectStore

_LOG = logging.getLogger("ocsf_pipeline.ingest")
_HEC = "/services/collector"
_CLIENT_CLOSED = 499

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class EndpointOptions:
    """Limits of the endpoint."""

    body: BodyLimits = field(default_factory=BodyLimits)
    gather: GatherOptions = field(default_factory=GatherOptions)
    max_requests: int = 512
    max_pending_bytes: int = 256 << 20
    body_seconds: float = 30.0
    """A body must arrive within this time."""
    drain_seconds: float = 20.0
    token_seconds: float = 1.0
    """How often the tokens are looked at."""
    workers: int = 2
    """Threads that decode."""


class _SlowBodyError(RequestError):
    status = 408

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the body did not arrive within {seconds:g} s", reason="slow")


class Endpoint:
    """Everything that serves requests; one per process."""

    def __init__(self, store: ObjectStore, tokens: TokenWatch, options: EndpointOptions) -> None:
        self.metrics = Metrics()
        self.gatherer = Gatherer(store, options.gather, self.metrics)
        self.gate = Gate(
            options.max_requests, options.max_pending_bytes, lambda: self.gatherer.pending_bytes
        )
        self._tokens = tokens
        self._options = options
        self._decoders = ThreadPoolExecutor(options.workers, thread_name_prefix="decode")
        self._watch_gauges()

    def build_app(self) -> Starlette:
        """Return the application."""
        # Ids begin at the time in microseconds, so that no two processes give out the same.
        ack_ids = itertools.count(time.time_ns() // 1_000)
        event, raw = Hec("event", ack_ids), Hec("raw", ack_ids)
        posts: dict[str, Handler] = {
            "/logs": self._serve(Plain()),
            "/v1/logs": self._serve(Otlp()),
            _HEC: self._serve(event),
            f"{_HEC}/ack": self._acknowledge,
        }
        for version in ("", "/1.0"):
            posts[f"{_HEC}/event{version}"] = self._serve(event)
            posts[f"{_HEC}/raw{version}"] = self._serve(raw)
        gets: dict[str, Handler] = {
            "/healthz": self._show_health,
            "/readyz": self._show_readiness,
            "/metrics": self._show_metrics,
            f"{_HEC}/health": self._show_hec_health,
            f"{_HEC}/health/1.0": self._show_hec_health,
        }
        routes = [Route(path, handler, methods=["POST"]) for path, handler in posts.items()]
        routes += [Route(path, handler, methods=["GET"]) for path, handler in gets.items()]
        return Starlette(routes=routes, lifespan=self._live)

    def close(self) -> None:
        """Stop taking requests; those that wait are stored and answered without delay."""
        self.gate.is_closing = True
        self.gatherer.hurry()

    @contextlib.asynccontextmanager
    async def _live(self, _app: Starlette) -> AsyncIterator[None]:
        await self.gatherer.start()
        watching = asyncio.create_task(self._watch_tokens())
        try:
            yield
        finally:
            watching.cancel()
            self.gate.is_closing = True
            await self.gatherer.drain(self._options.drain_seconds)
            self._decoders.shutdown(wait=False)

    def _serve(self, dialect: Dialect) -> Handler:
        async def serve(request: Request) -> Response:
            facts = _read_facts(request)
            try:
                answer = await self._take(request, facts, dialect)
            except RequestError as error:
                self.metrics.count_refused(error.reason)
                answer = dialect.refuse(facts, error)
            except BusyError as error:
                self.metrics.count_refused(error.reason)
                answer = dialect.postpone(facts, error)
            except ClientDisconnect:
                answer = Answer(_CLIENT_CLOSED, b"")
            self.metrics.count_request(dialect.route, answer.status)
            return _respond(answer)

        return serve

    async def _take(self, request: Request, facts: Facts, dialect: Dialect) -> Answer:
        """Make the request's events durable. Whoever may not send is told before being read."""
        started = time.perf_counter()
        sender = self._tokens.tokens.find_sender(request.headers.get("authorization", ""))
        with self.gate.enter() as hold:
            body = await self._read_body(request, hold)
            batch = await asyncio.get_running_loop().run_in_executor(
                self._decoders, self._decode, body, facts, dialect, sender,
                request.headers.get("content-encoding", ""),
            )  # fmt: skip
            size_bytes = len(body)
            del body
            hold.release()
            if batch.lines.event_count:
                self.gate.check_room(len(batch.lines.data))
                await self._store(batch, request, dialect.route, sender, size_bytes, started)
        return dialect.succeed(facts, batch.lines.event_count)

    async def _store(
        self, batch: Batch, request: Request, route: str, sender: str, size: int, started: float
    ) -> None:
        if await self.gatherer.submit(batch, request.client):
            seconds = time.perf_counter() - started
            self.metrics.count_accepted(route, sender, batch.lines.event_count, size, seconds)
        else:
            self.metrics.count_repeated()

    def _decode(
        self, body: bytes, facts: Facts, dialect: Dialect, sender: str, encoding: str
    ) -> Batch:
        text = decompress_body(body, encoding, self._options.body)
        digest = digest_request(sender.encode(), dialect.route.encode(), facts.identify(), text)
        return Batch(digest, dialect.decode(text, facts))

    async def _read_body(self, request: Request, hold: Hold) -> bytes:
        limit = self._options.body.max_body_bytes
        announced = request.headers.get("content-length", "")
        if announced.isdigit():
            if int(announced) > limit:
                raise _too_large(limit)
            hold.grow(int(announced))
        pieces = []
        size = 0
        try:
            async with asyncio.timeout(self._options.body_seconds):
                async for piece in request.stream():
                    size += len(piece)
                    if size > limit:
                        raise _too_large(limit)
                    if not announced:
                        hold.grow(len(piece))
                    pieces.append(piece)
        except TimeoutError:
            raise _SlowBodyError(self._options.body_seconds) from None
        return b"".join(pieces)

    async def _acknowledge(self, request: Request) -> Response:
        """Answer which ids are durable: all, since none is given out before."""
        facts = _read_facts(request)
        try:
            self._tokens.tokens.find_sender(request.headers.get("authorization", ""))
            if not facts.channel:
                raise RequestError("Data channel is missing", reason="channel_missing")
            with self.gate.enter() as hold:
                ids = hec.read_ack_ids(await self._read_body(request, hold))
        except RequestError as error:
            self.metrics.count_refused(error.reason)
            return _respond(Hec("event").refuse(facts, error))
        except BusyError as error:
            return _respond(Hec("event").postpone(facts, error))
        except ClientDisconnect:
            return Response(status_code=_CLIENT_CLOSED)
        return JSONResponse({"acks": {str(number): True for number in ids}})

    async def _show_health(self, _request: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def _show_readiness(self, _request: Request) -> Response:
        reason = self.tell_unready()
        if reason:
            return JSONResponse({"status": "not ready", "reason": reason}, 503)
        return JSONResponse({"status": "ready"})

    async def _show_hec_health(self, _request: Request) -> Response:
        if self.tell_unready():
            return JSONResponse({"text": "HEC is unhealthy, queues are full", "code": 18}, 503)
        return JSONResponse({"text": "HEC is healthy", "code": hec.HEALTHY})

    async def _show_metrics(self, _request: Request) -> Response:
        return Response(self.metrics.render(), media_type=CONTENT_TYPE)

    def tell_unready(self) -> str:
        """Return why requests would not be stored now; empty when they would."""
        return "shutting down" if self.gate.is_closing else self.gatherer.failure

    async def _watch_tokens(self) -> None:
        while True:
            await asyncio.sleep(self._options.token_seconds)
            before = self._tokens.failure
            if await asyncio.to_thread(self._tokens.refresh):
                names = sorted({name for name, _digest in self._tokens.tokens.digests})
                _LOG.info("tokens changed; in force: %s", ", ".join(names))
            elif self._tokens.failure and self._tokens.failure != before:
                _LOG.error("tokens cannot be read, the last ones stay: %s", self._tokens.failure)

    def _watch_gauges(self) -> None:
        watch = self.metrics.watch
        watch("pending_bytes", lambda: self.gate.held_bytes + self.gatherer.pending_bytes)
        watch("requests_in_flight", lambda: self.gate.request_count)
        watch("ready", lambda: not self.tell_unready())
        watch("tokens", lambda: len(self._tokens.tokens.digests))
        watch("tokens_failed", lambda: bool(self._tokens.failure))


def _read_facts(request: Request) -> Facts:
    headers, parameters = request.headers, dict(request.query_params)
    channel = headers.get("x-splunk-request-channel") or parameters.pop("channel", "")
    return Facts(
        datetime.now(UTC),
        headers.get("content-type", "").partition(";")[0].strip().lower(),
        parameters,
        channel,
    )


def _too_large(limit: int) -> BodyTooLargeError:
    return BodyTooLargeError(f"the body is larger than {limit:,} bytes; send smaller batches")


def _respond(answer: Answer) -> Response:
    headers = {}
    if answer.retry_after_seconds is not None:
        headers["Retry-After"] = str(answer.retry_after_seconds)
    if answer.status in (408, 413):  # the rest of the body is not worth reading
        headers["Connection"] = "close"
    return Response(answer.body, answer.status, headers, answer.media_type)
