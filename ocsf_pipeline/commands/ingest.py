"""`ocsf-pipeline ingest serve`: the endpoint that logs are pushed to, from the settings.

Belongs here: settings -> options, whether it may start, the log's form. Does not belong here:
serving (`ingest`).
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable
from pathlib import Path

from ocsf_pipeline.commands.common import CommandError, Say
from ocsf_pipeline.ingest.app import Endpoint, EndpointOptions
from ocsf_pipeline.ingest.bodies import BodyLimits
from ocsf_pipeline.ingest.gather import GatherOptions
from ocsf_pipeline.ingest.server import run_server
from ocsf_pipeline.ingest.tokens import TokenError, TokenWatch
from ocsf_pipeline.settings import Settings
from ocsf_pipeline.stores import open_ingest_objects


def serve(settings: Settings, host: str, port: int, allow_anonymous: bool, say: Say) -> None:
    """Serve until SIGTERM or SIGINT. Raises CommandError when it may not or cannot start."""
    tokens = open_tokens(settings)
    if not tokens.tokens.digests:
        if not allow_anonymous and not is_loopback(host):
            raise CommandError(
                f"no token is set, and {host} can be reached by others: set "
                "OCSF_PIPELINE_INGEST_TOKENS_FILE (docs/ingest.md), or say --allow-anonymous", 2
            )  # fmt: skip
        say("no token is set: logs of anyone who reaches this address are taken")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    options = build_options(settings)
    endpoint = Endpoint(open_ingest_objects(settings), tokens, options)
    say(f"storing in {settings.resolved_objects_url}, below {settings.objects_prefix!r}")
    is_served = run_server(
        endpoint, host, port, drain_seconds=options.drain_seconds,
        tls_certificate=settings.ingest_tls_certificate, tls_key=settings.ingest_tls_key,
    )  # fmt: skip
    if not is_served:
        raise CommandError(f"the endpoint could not be started on {host}:{port}; see above")


def build_options(settings: Settings) -> EndpointOptions:
    """Return the endpoint's options as the settings say."""
    return EndpointOptions(
        body=BodyLimits(settings.ingest_max_body_bytes, settings.ingest_max_text_bytes),
        gather=GatherOptions(
            prefix=settings.objects_prefix,
            linger_seconds=settings.ingest_linger_seconds,
            group_bytes=settings.ingest_object_bytes,
            window_seconds=settings.ingest_retry_window_seconds,
        ),
        max_requests=settings.ingest_max_requests,
        max_pending_bytes=settings.ingest_max_pending_bytes,
        workers=settings.workers,
    )


def open_tokens(settings: Settings) -> TokenWatch:
    """Return the tokens of the settings. Raises CommandError when they cannot be used."""
    path = settings.ingest_tokens_file
    try:
        watch = TokenWatch(
            settings.ingest_tokens.get_secret_value(), follow_file(Path(path)) if path else None
        )
    except OSError as error:
        raise CommandError(
            f"OCSF_PIPELINE_INGEST_TOKENS_FILE cannot be read: {error.strerror}: {path}", 2
        ) from error
    except TokenError as error:
        raise CommandError(f"OCSF_PIPELINE_INGEST_TOKENS or its file: {error}", 2) from error
    if path and not watch.tokens.digests:
        raise CommandError(f"{path} holds no token; write 'name:token', one a line", 2)
    return watch


def follow_file(path: Path) -> Callable[[], tuple[object, str]]:
    """Return a function that reads a file and tells when it is another one."""

    def read() -> tuple[object, str]:
        # Kubernetes swaps a link to change a mounted secret: the file behind it is looked at.
        stat = path.stat()
        return (stat.st_ino, stat.st_mtime_ns, stat.st_size), path.read_text(encoding="utf-8")

    return read


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens on `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
