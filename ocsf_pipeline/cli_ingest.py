"""The command line's group `ingest`: options and help.

Belongs here: Typer's declarations. Does not belong here: the work (`commands.ingest`).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ocsf_pipeline.commands.common import Terminal
    from ocsf_pipeline.settings import Settings


def build_ingest_app(open_settings: Callable[[], tuple["Terminal", "Settings"]]) -> typer.Typer:
    """Return the group; `open_settings` gives the terminal and the settings in force."""
    app = typer.Typer(no_args_is_help=True, help="Logs pushed over HTTP (docs/ingest.md).")

    @app.callback()
    def set_group() -> None:
        """Logs pushed over HTTP (docs/ingest.md)."""

    @app.command()
    def serve(
        host: Annotated[
            str, typer.Option(help="Address to listen on; 0.0.0.0: all.")
        ] = "127.0.0.1",
        port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on.")] = 8088,
        allow_anonymous: Annotated[
            bool,
            typer.Option("--allow-anonymous", help="Take logs of anyone when no token is set."),
        ] = False,
    ) -> None:
        """Take logs over HTTP and store them for the pipeline; answers when they are durable.

        `POST /logs` (Vector, Fluent Bit, syslog-ng), `/services/collector` (Splunk HEC),
        `/v1/logs` (OpenTelemetry); `/healthz`, `/readyz`, `/metrics`.
        """
        from ocsf_pipeline.commands.ingest import serve as work

        terminal, settings = open_settings()
        work(settings, host, port, allow_anonymous, terminal.say)

    return app
