"""The command line of `ocsf-pipeline knowledge`: options and help.

Belongs here: Typer's declarations of this group. Does not belong here: the work (`commands`), the
other commands (`cli`).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ocsf_pipeline.commands.common import Terminal
    from ocsf_pipeline.settings import Settings

    Open = Callable[[], tuple[Terminal, Settings]]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Version = Annotated[str, typer.Argument(help="From `knowledge list`; its beginning is enough.")]


def build_knowledge_app(open_: "Open") -> typer.Typer:
    """Return the group of commands; `open_` gives the terminal and the settings of this call."""
    app = typer.Typer(
        no_args_is_help=True,
        help="Releases of what is known: list them, see what a change would change, go back.",
    )

    @app.command(name="list")
    def list_releases(json_: AsJson = False) -> None:
        """List the releases of knowledge base and ranker, the newest first."""
        from ocsf_pipeline.commands import releases as work

        terminal, settings = open_()
        found = work.read_releases(settings)
        if json_:
            terminal.write_lines(work.format_releases(found))
        else:
            work.show_releases(found, terminal.out)

    @app.command(name="plan")
    def plan(
        version: Annotated[
            str | None,
            typer.Argument(help="An earlier release.", show_default="the one in force"),
        ] = None,
        json_: AsJson = False,
    ) -> None:
        """Show what a release would change in hours that are written; change nothing."""
        from ocsf_pipeline.commands import releases as work

        terminal, settings = open_()
        found = work.plan(settings, version)
        if json_:
            terminal.write_lines([work.format_plan(found)])
        else:
            work.show_plan(found, settings, terminal.out)

    @app.command(name="rollback")
    def rollback(version: Version) -> None:
        """Go back to an earlier release, and stay there until `knowledge latest`.

        The sensor `overrides_to_learn` then materialises knowledge base and ranker, and the hours
        that change are written again. Without Dagster's daemon: materialise the job
        `learning_job`, then `reclassification_plan`.
        """
        from ocsf_pipeline.commands import releases as work

        terminal, settings = open_()
        release = work.pin(settings, version)
        terminal.write_lines(
            [f"release {release.version} is pinned: the next `learning_job` puts it into force"]
        )

    @app.command(name="latest")
    def latest() -> None:
        """Follow the newest packs and overrides again."""
        from ocsf_pipeline.commands import releases as work

        terminal, settings = open_()
        was_pinned = work.unpin(settings)
        terminal.write_lines(
            ["the newest comes into force with the next `learning_job`"]
            if was_pinned
            else ["no release was pinned"]
        )

    return app
