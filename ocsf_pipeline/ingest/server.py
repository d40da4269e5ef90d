"""The process that serves: uvicorn, its signals, its log.

Belongs here: starting and stopping. Does not belong here: routes (`app`), settings
(`commands.ingest`).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from types import FrameType

import uvicorn

from ocsf_pipeline.ingest.app import Endpoint

_KEEP_ALIVE_SECONDS = 75
"""Longer than load balancers keep an idle connection, so that it is they who close it."""
_BACKLOG = 1024


class _Server(uvicorn.Server):
    """Tells the endpoint of the end at once, so that what waits is stored without delay."""

    def __init__(self, config: uvicorn.Config, endpoint: Endpoint) -> None:
        super().__init__(config)
        self._endpoint = endpoint

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take the first signal as a request to end, the second one as an order."""
        if not self.should_exit:
            self._loop.call_soon_threadsafe(self._endpoint.close)
        super().handle_exit(sig, frame)

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until a signal."""
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)


def run_server(
    endpoint: Endpoint,
    host: str,
    port: int,
    *,
    drain_seconds: float = 20.0,
    tls_certificate: str = "",
    tls_key: str = "",
) -> bool:
    """Serve until SIGTERM or SIGINT; return whether it started.

    Then no connection is accepted, requests in flight are stored and answered, and it ends.
    """
    config = uvicorn.Config(
        endpoint.build_app(),
        host=host,
        port=port,
        log_level="info",
        access_log=False,
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=max(1, int(drain_seconds)),
        ssl_certfile=tls_certificate or None,
        ssl_keyfile=tls_key or None,
        ws="none",
    )
    server = _Server(config, endpoint)
    # uvicorn raises the signal again after a clean end.
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    return server.started
