"""The demo: sample logs through the real definitions, and what came out.

Belongs here: landing samples, materialising through Dagster with progress, showing tables. Does
not belong here: anything that a real run does otherwise. A second run finds everything in place.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timedelta

import dagster as dg
import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ocsf_pipeline.definitions import build_defs
from ocsf_pipeline.logs.layout import format_hour_folder, format_partition
from ocsf_pipeline.opening import load_settings, open_objects, open_tables
from ocsf_pipeline.ports import EventTables, ObjectStore
from ocsf_pipeline.samples.objects import FIRST_HOUR, HOURS, build_sample_objects
from ocsf_pipeline.settings import Settings

_SHARED_ASSETS = (
    "ocsf_schema", "class_chunks", "labelled_examples", "knowledge_base", "class_ranker",
    "classification_benchmark", "analyst_views",
)  # fmt: skip
_HOUR_ASSETS = ("normalized_logs", "template_decisions", "classified_events")

_BY_CLASS = """
SELECT class_name AS class, count() AS events, round(avg(confidence), 2) AS confidence,
       countIf(status = 'review') AS review
FROM current_events GROUP BY class ORDER BY events DESC, class
"""
_QUARANTINE = """
SELECT reason, count() AS items, any(object_key) AS object
FROM quarantine GROUP BY reason ORDER BY items DESC, reason
"""
_LOGONS = """
SELECT time, user_name, src_ip, activity_name, status_id, source
FROM authentication WHERE user_name != '' ORDER BY time DESC LIMIT 8
"""
_REVIEW = """
SELECT class_name AS best_guess, round(confidence, 2) AS confidence, source,
       substring(raw_data, 1, 70) AS log
FROM current_events WHERE status = 'review' ORDER BY confidence LIMIT 8
"""
_TOTALS = """
SELECT sum(read_count) AS read, sum(classified_count) AS classified, sum(review_count) AS review,
       sum(quarantined_count) AS quarantined, count() AS objects
FROM batches
"""


def run_demo(settings: Settings | None = None, console: Console | None = None) -> int:
    """Land the samples, materialise everything and print what came out; return an exit status."""
    settings = settings or load_settings()
    console = console or Console()
    started = time.monotonic()
    hours = [FIRST_HOUR + timedelta(hours=offset) for offset in range(HOURS)]
    console.rule("[bold]1. Sample logs")
    landed = land_samples(open_objects(settings), settings.objects_prefix, hours)
    console.print(
        f"{landed} objects landed in {settings.resolved_objects_url}"
        if landed
        else f"nothing to land: all objects are in {settings.resolved_objects_url} already"
    )
    console.rule("[bold]2. Dagster materialises the assets")
    if not materialize_all(console, hours):
        console.print(
            "[red]A step failed; the error is above.[/] `make dev` shows the run with its log."
        )
        return 1
    console.rule("[bold]3. What came out")
    show_result(open_tables(settings), console)
    console.print(f"\nDone in {time.monotonic() - started:.0f} s. Next:")
    console.print("  make dev                               Dagster's UI on the same data")
    console.print('  .venv/bin/ocsf-pipeline query "SELECT * FROM review_queue LIMIT 5"')
    console.print("  .venv/bin/ocsf-pipeline classify FILE  your own logs, one JSON result each")
    return 0


def land_samples(objects: ObjectStore, prefix: str, hours: Sequence[datetime]) -> int:
    """Put the sample objects into the store that are not there yet; return how many."""
    landed = 0
    for sample in build_sample_objects():
        key = f"{format_hour_folder(prefix, hours[sample.hour_offset])}/{sample.name}"
        if objects.head_object(key) is None:
            objects.write_object(key, sample.body)
            landed += 1
    return landed


def materialize_all(console: Console, hours: Sequence[datetime]) -> bool:
    """Materialise every asset in order, one line of progress each; False when one fails."""
    definitions = build_defs()
    steps: list[tuple[str, str | None]] = [(name, None) for name in _SHARED_ASSETS]
    steps += [(name, format_partition(hour)) for hour in hours for name in _HOUR_ASSETS]
    with dg.DagsterInstance.get() as instance:
        for number, (name, partition) in enumerate(steps, start=1):
            if not _materialize_one(
                definitions, instance, console, number, len(steps), name, partition
            ):
                return False
    return True


def _materialize_one(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    console: Console,
    number: int,
    total: int,
    name: str,
    partition: str | None,
) -> bool:
    label = f"{number:>2}/{total} {name}" + (f" [dim]{partition}[/]" if partition else "")
    started = time.monotonic()
    with console.status(f"{label} …"):
        result = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey(name)],
            partition_key=partition,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            raise_on_error=False,
        )
    seconds = time.monotonic() - started
    if not result.success:
        console.print(f"[red]✗[/] {label}")
        for event in result.filter_events(lambda item: item.is_step_failure):
            console.print(escape(str(event.step_failure_data.error)[:2_000]))
        return False
    console.print(f"[green]✓[/] {label}  {seconds:5.1f} s  {_summarize(result, name)}")
    return True


def _summarize(result: dg.ExecuteInProcessResult, name: str) -> str:
    """Pick the figures worth a glance from the asset's metadata."""
    events = result.asset_materializations_for_node(name)
    metadata = events[-1].metadata if events else {}
    figures = [
        f"{key.replace('_', ' ')} {value.value:,}"
        for key, value in metadata.items()
        if isinstance(value, dg.IntMetadataValue) and not key.startswith("dagster/")
    ]
    skipped = metadata.get("was_up_to_date")
    if isinstance(skipped, dg.BoolMetadataValue) and skipped.value:
        figures.insert(0, "up to date, nothing written")
    changed = metadata.get("has_changed")
    if isinstance(changed, dg.BoolMetadataValue) and not changed.value:
        figures.insert(0, "unchanged")
    return "[dim]" + ", ".join(figures[:5]) + "[/]"


def show_result(tables: EventTables, console: Console) -> None:
    """Print the tables as an analyst would query them."""
    with tables:
        totals = tables.run_query(_TOTALS).row(0, named=True)
        console.print(
            f"{totals['objects']} objects: {totals['read']} logs read = "
            f"{totals['classified']} classified + {totals['review']} for review + "
            f"{totals['quarantined']} quarantined\n"
        )
        _print_table(console, "Events by class", tables.run_query(_BY_CLASS))
        _print_table(console, "For review: the least certain", tables.run_query(_REVIEW))
        _print_table(console, "Quarantined", tables.run_query(_QUARANTINE))
        _print_table(console, "SELECT … FROM authentication", tables.run_query(_LOGONS))


def _print_table(console: Console, title: str, frame: pl.DataFrame) -> None:
    table = Table(title=title, title_justify="left", header_style="bold")
    for name in frame.columns:
        table.add_column(name, overflow="ellipsis", no_wrap=True)
    for row in frame.iter_rows():
        table.add_row(*(escape(_format(value)) for value in row))
    console.print(table)


def _format(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    return f"{value:,}" if isinstance(value, int) else str(value)
