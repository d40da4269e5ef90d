"""The command line of `ocsf-pipeline override`: options and help.

Belongs here: Typer's declarations of this group. Does not belong here: the work (`commands`), the
other commands (`cli`).
"""

import getpass
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ocsf_pipeline.commands.common import Terminal
    from ocsf_pipeline.settings import Settings
    from ocsf_pipeline.tables.override_requests import Scope

    Open = Callable[[], tuple[Terminal, Settings]]

Class = Annotated[
    str, typer.Option("--class", help="The right class: its name, caption or number.")
]
Activity = Annotated[
    str, typer.Option(help="The right activity: its caption or number.", show_default="Unknown")
]
Reason = Annotated[str, typer.Option(help="Why; kept with the override.")]
Author = Annotated[
    str | None, typer.Option(help="Who says so.", show_default="the name you are logged in by")
]
IsPreview = Annotated[
    bool, typer.Option("--preview", help="Only show what would change; write nothing.")
]
IsYes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before writing.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON; implies not to ask.")]


def build_override_app(open_: "Open") -> typer.Typer:
    """Return the group of commands; `open_` gives the terminal and the settings of this call."""
    app = typer.Typer(
        no_args_is_help=True,
        help="Correct the class of an event, a template or a product's event type.\n\n"
        "Overrides are append-only. All views show one at once; it is learned from when "
        "`labelled_examples`, `knowledge_base` and `class_ranker` materialise next, and similar "
        "templates follow.",
    )

    @app.command(name="event")
    def override_event(
        event_uid: Annotated[str, typer.Argument(help="`event_uid` of the one event.")],
        class_: Class, reason: Reason, activity: Activity = "", author: Author = None,
        preview: IsPreview = False, yes: IsYes = False, json_: AsJson = False,
    ) -> None:  # fmt: skip
        """Correct one event.

        `ocsf-pipeline override event 4f1c… --class authentication --activity Logon --reason "…"`
        """
        _override(
            open_, "event", (event_uid,), (class_, activity, _name(author), reason),
            preview, yes, json_,
        )  # fmt: skip

    @app.command(name="template")
    def override_template(
        template_id: Annotated[
            str, typer.Argument(help="`template_id`, e.g. from the view `review_queue`.")
        ],
        class_: Class, reason: Reason, activity: Activity = "", author: Author = None,
        preview: IsPreview = False, yes: IsYes = False, json_: AsJson = False,
    ) -> None:  # fmt: skip
        """Correct all logs of one template, past and to come."""
        _override(
            open_, "template", (template_id,), (class_, activity, _name(author), reason),
            preview, yes, json_,
        )  # fmt: skip

    @app.command(name="event-type")
    def override_event_type(
        product: Annotated[
            str, typer.Argument(help="The product: `source` of its events.")
        ],
        event_type: Annotated[
            str,
            typer.Argument(help="How the product names the event, e.g. `user.session.start`."),
        ],
        class_: Class, reason: Reason, activity: Activity = "", author: Author = None,
        preview: IsPreview = False, yes: IsYes = False, json_: AsJson = False,
    ) -> None:  # fmt: skip
        """Correct every template of a product's event type, those met later included."""
        _override(
            open_, "event_type", (product, event_type),
            (class_, activity, _name(author), reason), preview, yes, json_,
        )  # fmt: skip

    @app.command(name="undo")
    def undo_override(
        override_id: Annotated[str, typer.Argument(help="From `override list`.")],
        author: Author = None,
        reason: Annotated[str, typer.Option(help="Why.")] = "",
    ) -> None:
        """Take an override back: what it covered shows what it showed before."""
        from ocsf_pipeline.commands import overrides as work

        terminal, settings = open_()
        work.undo(settings, override_id, _name(author), reason)
        terminal.write_lines([f"override {override_id} is undone"])

    @app.command(name="list")
    def list_overrides(json_: AsJson = False) -> None:
        """List all overrides, newest first."""
        from ocsf_pipeline.commands import overrides as work

        terminal, settings = open_()
        found = work.read_all(settings)
        if json_:
            terminal.write_lines(work.format_list(found))
        else:
            work.show_list(found, terminal.out)

    return app


def _override(
    open_: "Open",
    scope: "Scope",
    target: tuple[str, ...],
    decision: tuple[str, str, str, str],
    is_preview: bool,
    is_sure: bool,
    as_json: bool,
) -> None:
    """Preview, ask where somebody can answer, write. `decision`: class, activity, who, why."""
    from ocsf_pipeline.commands import overrides as work
    from ocsf_pipeline.commands.common import CommandError

    terminal, settings = open_()
    request = work.make_request(settings, scope, target, *decision)
    found = work.preview(settings, request)
    if not as_json:
        work.show_preview(found, terminal.out)
    if not is_preview and not is_sure and not as_json:
        if not sys.stdin.isatty():
            raise CommandError("nobody can be asked here: add --yes to write it, or --preview", 2)
        typer.confirm("Write this override?", abort=True)
    override_id = None if is_preview else work.apply(settings, request)
    if as_json:
        terminal.write_lines([work.format_preview(found, override_id)])
    elif override_id:
        terminal.write_lines(
            [f"override {override_id} is in force; undo: ocsf-pipeline override undo {override_id}"]
        )


def _name(author: str | None) -> str:
    return author or getpass.getuser()
