"""The command line: options and help. The work is in `commands`, imported when a command runs.

Belongs here: Typer's declarations, and turning errors into one sentence and an exit code. Does not
belong here: anything that a test of a command would want to call.

Exit codes: 0 done, 1 the command failed, 2 it was called wrongly.
"""

import os
import sys
from collections.abc import Sequence
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ocsf_pipeline.cli_ingest import build_ingest_app
from ocsf_pipeline.cli_knowledge import build_knowledge_app
from ocsf_pipeline.cli_overrides import build_override_app
from ocsf_pipeline.cli_schema import add_schema_command

if TYPE_CHECKING:
    from ocsf_pipeline.commands.classify import DecisionMemory
    from ocsf_pipeline.commands.common import Terminal
    from ocsf_pipeline.commands.inputs import InputFormat
    from ocsf_pipeline.settings import Settings

_DATA_DIR = "OCSF_PIPELINE_DATA_DIR"

app = typer.Typer(
    name="ocsf-pipeline",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
packs_app = typer.Typer(no_args_is_help=True, help="Your own source packs (docs/packs.md).")
app.add_typer(packs_app, name="packs")

_overrides: dict[str, str] = {}
"""Settings given as global options of this call; they win over the environment."""

Input = Annotated[
    str, typer.Argument(metavar="[FILE|-]", help="Logs; `-` or nothing: standard input.")
]
IsJsonl = Annotated[
    bool,
    typer.Option(
        "--jsonl", help="The input is JSON Lines; the log is in a field, `id` is carried through."
    ),
]
Field = Annotated[str, typer.Option(help="With --jsonl: the field that holds the log.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class QueryFormat(StrEnum):
    """How `query` prints."""

    table = "table"
    json = "json"
    csv = "csv"


class SettingsFormat(StrEnum):
    """How `settings` prints."""

    table = "table"
    markdown = "markdown"
    env = "env"


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"ocsf-pipeline {metadata.version('ocsf-pipeline')}")
        raise typer.Exit


@app.callback()
def set_globals(
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help=f"Folder of everything that is kept; wins over {_DATA_DIR}.", show_default="data"
        ),
    ] = None,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Raw security logs in, classified and valid OCSF events out.

    The first command that classifies builds the knowledge base in the data folder; later ones
    use it. Results go to standard output, progress to standard error.
    """
    del version
    _overrides.clear()
    if data_dir is not None:
        _overrides[_DATA_DIR] = str(data_dir)


@app.command()
def classify(
    file: Input = "-",
    jsonl: IsJsonl = False,
    field: Field = "raw",
    explain: Annotated[
        bool, typer.Option("--explain", help="Print, per template, what was decided and why.")
    ] = False,
) -> None:
    """Classify logs: one JSON result per log, in the order of the input.

    Reads every format of the pipeline, recognised by content: NDJSON, JSON, syslog, CEF, LEEF,
    key=value, CSV with a header, Windows XML, access logs, text; gzip, zstd or plain.

    `ocsf-pipeline classify /var/log/auth.log`

    `ocsf-pipeline classify --jsonl --field raw < logs.jsonl`
    """
    from ocsf_pipeline.commands.classify import classify_batches, explain_batches
    from ocsf_pipeline.commands.inputs import read_batches

    terminal, settings, memory = _open_memory(file)
    batches = read_batches(file, _input_format(jsonl, field), settings)
    if explain:
        explain_batches(batches, memory, terminal.out)
        return
    for lines in classify_batches(batches, memory):
        terminal.write_lines(lines)


@app.command(name="map")
def map_logs(file: Input = "-", jsonl: IsJsonl = False, field: Field = "raw") -> None:
    """Map logs: one OCSF event per log, as JSON, with `raw_data` and `unmapped`.

    Reads what `classify` reads. With --jsonl the id of a log becomes the event's `metadata.uid`.
    """
    from ocsf_pipeline.commands.inputs import read_batches
    from ocsf_pipeline.commands.map import map_batches

    terminal, settings, memory = _open_memory(file)
    batches = read_batches(file, _input_format(jsonl, field), settings)
    for lines in map_batches(batches, memory, settings.datetime_profile):
        terminal.write_lines(lines)


@app.command()
def evaluate(
    labels: Annotated[
        str,
        typer.Argument(
            metavar="[LABELS.jsonl]",
            help="JSON Lines: the log, `class_uid`; optionally `acceptable`, `source`, `format`, "
            "`activity_id`, and the expected event. Nothing: the benchmark that ships.",
            show_default=False,
        ),
    ] = "",
    json_: AsJson = False,
    report: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write the whole report as .md or .html.")
    ] = None,
    field: Annotated[str, typer.Option(help="The field that holds the log.")] = "raw",
    expected: Annotated[
        str, typer.Option(help="The field that holds the expected OCSF event, if any.")
    ] = "ocsf",
    yardsticks: Annotated[
        bool, typer.Option(help="Measure plainer ways on the same logs too; embeds every log.")
    ] = True,
    baseline: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write the figures as a baseline for `classification_benchmark`."
        ),
    ] = None,
) -> None:
    """Measure accuracy, calibration and coverage on labelled logs, against yardsticks.

    An answer that is among a label's `acceptable` classes is right. `--json` has everything by
    product, class and format; `--report` shows it with pictures.

    Where every line also holds the OCSF event that is expected of its log, the attributes of our
    events are compared with it: precision, recall and F1, by attribute and by product.
    """
    from ocsf_pipeline.commands.evaluate import Evaluation, run_evaluation

    asked = Evaluation(labels, field, expected, report, baseline, json_, yardsticks)
    run_evaluation(asked, _open_memory)


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="One reading statement; docs/queries.md has many.")],
    form: Annotated[QueryFormat, typer.Option("--format", help="How to print.")] = (
        QueryFormat.table
    ),
    param: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Bound as {NAME:Type}; may be repeated."),
    ] = None,
) -> None:
    """Query the tables, reading only.

    `ocsf-pipeline query "SELECT class_name, count() FROM events GROUP BY class_name"`

    `ocsf-pipeline query "SELECT * FROM events WHERE src_ip = {ip:String}" --param ip=192.0.2.7`
    """
    from ocsf_pipeline.commands import query as work

    terminal, settings = open_settings()
    frame = work.run_query(settings, sql, work.parse_parameters(param or []))
    if form is QueryFormat.table:
        work.show_table(frame, terminal.out)
    else:
        render = work.format_json if form is QueryFormat.json else work.format_csv
        terminal.write_lines([render(frame)])


@app.command()
def demo() -> None:
    """Run the whole pipeline on the sample logs and show the result."""
    from ocsf_pipeline.demo import run_demo

    terminal, settings = open_settings()
    # Dagster's resources read their settings from the environment, as in production.
    os.environ.update(_merge_variables())
    home = Path(os.environ.setdefault("DAGSTER_HOME", str(Path(".dagster_home").resolve())))
    home.mkdir(parents=True, exist_ok=True)
    raise typer.Exit(run_demo(settings, terminal.out))


@app.command()
def learn() -> None:
    """Bring schema, knowledge base and ranker up to date: after an upgrade, or with new packs."""
    from ocsf_pipeline.commands.knowledge import build_knowledge

    terminal, settings = open_settings()
    build_knowledge(settings, terminal.say)


@app.command()
def status(json_: AsJson = False) -> None:
    """Show what is stored: places, versions in force, hours, rows."""
    import json

    from ocsf_pipeline.commands.status import read_status, show_status

    terminal, settings = open_settings()
    found = read_status(settings)
    if json_:
        terminal.write_lines([json.dumps(found, indent=1)])
    else:
        show_status(found, terminal.out)


@app.command(name="settings")
def show_settings(
    form: Annotated[SettingsFormat, typer.Option("--format", help="How to print.")] = (
        SettingsFormat.table
    ),
) -> None:
    """List every setting: environment variable, default, meaning."""
    from ocsf_pipeline.commands import configuration as work
    from ocsf_pipeline.commands.common import open_terminal

    terminal = open_terminal()
    if form is SettingsFormat.table:
        work.show_settings(terminal.out)
    else:
        render = work.format_env if form is SettingsFormat.env else work.format_markdown
        terminal.write_lines([render().rstrip("\n")])


@packs_app.command(name="check")
def check_packs(
    folder: Annotated[Path, typer.Argument(help="Folder of *.yaml source packs.")],
) -> None:
    """Check source packs against the format and the schema, and tell every fault."""
    from ocsf_pipeline.commands.packs import check_packs as check

    terminal, settings = open_settings()
    checked = check(folder, settings)
    for fault in checked.faults:
        terminal.write_lines([f"fault: {fault}"])
    for pack in checked.packs.values():
        examples = sum(len(event.examples) for event in pack.events)
        terminal.write_lines([f"{pack.product}: {len(pack.events)} events, {examples} examples"])
    if checked.faults:
        raise typer.Exit(1)


@packs_app.command(name="embed")
def embed_packs(
    output: Annotated[
        Path | None,
        typer.Option(help="File to write.", show_default="vectors.npz in the package"),
    ] = None,
) -> None:
    """Make the vectors that ship with the package anew: after a change of our own packs."""
    from importlib.resources import files

    from ocsf_pipeline.commands.packs import embed_packs as embed

    terminal, settings = open_settings()
    path = output or Path(str(files("ocsf_pipeline") / "vectors.npz"))
    count = embed(settings, path, terminal.say)
    terminal.write_lines([f"wrote {count:,} vectors to {path}"])


def open_settings() -> tuple["Terminal", "Settings"]:
    """Return the terminal and the settings in force."""
    from ocsf_pipeline.commands.common import open_terminal
    from ocsf_pipeline.settings import read_settings

    return open_terminal(), read_settings(_merge_variables())


app.add_typer(build_override_app(open_settings), name="override")
app.add_typer(build_ingest_app(open_settings), name="ingest")
app.add_typer(build_knowledge_app(open_settings), name="knowledge")
add_schema_command(app, open_settings)


def _merge_variables() -> dict[str, str]:
    """Return the variables in force: those of `.env`, of the environment, of global options."""
    from dotenv import dotenv_values

    from_file = {name: value or "" for name, value in dotenv_values(".env").items()}
    return {**from_file, **os.environ, **_overrides}


def _open_memory(path: str) -> tuple["Terminal", "Settings", "DecisionMemory"]:
    """Open what classifying needs; the input is looked at first, since building takes minutes."""
    from ocsf_pipeline.commands.inputs import check_input

    check_input(path)
    terminal, settings = open_settings()

    from ocsf_pipeline.commands.classify import DecisionMemory
    from ocsf_pipeline.commands.knowledge import open_decider
    from ocsf_pipeline.opening import open_artefacts

    decider = open_decider(settings, terminal.say)
    return terminal, settings, DecisionMemory(decider, open_artefacts(settings), terminal.say)


def _input_format(is_jsonl: bool, field: str) -> "InputFormat":
    from ocsf_pipeline.commands.inputs import InputFormat

    return InputFormat(is_jsonl, field)


def _explain_failure(error: Exception) -> int | None:
    """Tell a foreseen failure in one sentence; return its exit code, or None for a defect."""
    from ocsf_pipeline.commands.common import CommandError
    from ocsf_pipeline.knowledge.packs import PackError
    from ocsf_pipeline.ports import PortError
    from ocsf_pipeline.schema.model import SchemaError
    from ocsf_pipeline.settings import SettingsError

    if not isinstance(error, (CommandError, PackError, PortError, SchemaError, SettingsError)):
        return None
    typer.echo(f"error: {' '.join(str(error).split())}", err=True)
    if isinstance(error, CommandError):
        return error.exit_code
    return 2 if isinstance(error, SettingsError) else 1


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; exits the process."""
    try:
        app(args=None if arguments is None else list(arguments), prog_name="ocsf-pipeline")
    except BrokenPipeError:
        # The reader (`head`, `less`) has seen enough; nothing may be flushed at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        code = _explain_failure(error)
        if code is None:
            raise
        sys.exit(code)


if __name__ == "__main__":
    main()
