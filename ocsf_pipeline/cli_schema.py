"""The command `schema-changes`: options and help.

Belongs here: Typer's declarations. Does not belong here: comparing (`schema.changes`).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ocsf_pipeline.commands.common import Terminal
    from ocsf_pipeline.settings import Settings


def add_schema_command(
    app: typer.Typer, open_settings: Callable[[], tuple["Terminal", "Settings"]]
) -> None:
    """Add the command to `app`; `open_settings` gives the terminal and the settings in force."""

    @app.command(name="schema-changes")
    def schema_changes(
        before: Annotated[str, typer.Argument(help="Release, e.g. `1.3.0`.")],
        after: Annotated[
            str | None, typer.Argument(help="Release.", show_default="the configured one")
        ] = None,
        json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        """Show what differs between two releases of OCSF: classes, attributes, successors."""
        import json

        from ocsf_pipeline.commands import schema_changes as work

        terminal, settings = open_settings()
        changes = work.read_changes(settings, before, after or settings.schema_version)
        if json_:
            terminal.write_lines([json.dumps(changes.to_dict(), indent=1)])
        else:
            work.show_changes(changes, terminal.out)
