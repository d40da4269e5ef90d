"""`ocsf-pipeline status`: what is stored, in which version, and what lacks.

Belongs here: looking. Does not belong here: making anything.
"""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from ocsf_pipeline.commands.common import CommandError
from ocsf_pipeline.commands.query import require_tables
from ocsf_pipeline.opening import open_artefacts, open_class_index, open_objects, open_tables
from ocsf_pipeline.ports import ObjectStore, PortError
from ocsf_pipeline.settings import Settings
from ocsf_pipeline.steps.artefacts import read_json
from ocsf_pipeline.steps.batches import list_hours, load_hour
from ocsf_pipeline.steps.classify import load_written_version

_COUNT_ROWS = """
SELECT 'events' AS name, count() AS rows FROM events
UNION ALL SELECT 'templates', count() FROM templates
UNION ALL SELECT 'quarantine', count() FROM quarantine
UNION ALL SELECT 'batches', count() FROM batches
UNION ALL SELECT 'overrides', count() FROM overrides
"""
_POINTERS = {
    "schema": "schema/current.json",
    "class_chunks": "knowledge/class_chunks/current.json",
    "labelled_examples": "knowledge/labelled_examples/current.json",
    "class_ranker": "classify/class_ranker/current.json",
}
_SHOWN_HOURS = 12

Status = dict[str, Any]


def read_status(settings: Settings) -> Status:
    """Return what is stored, as plain values; what does not exist is None or empty."""
    artefacts = open_artefacts(settings)
    return {
        "places": {
            "objects": repr(open_objects(settings)),
            "artefacts": repr(artefacts),
            "tables": _hide_password(settings.resolved_tables_dsn),
        },
        "in_force": {name: read_json(artefacts, key) for name, key in _POINTERS.items()},
        "knowledge_base": _read_knowledge_base(settings),
        "hours": _read_hours(artefacts),
        "rows": _count_rows(settings),
    }


def _read_knowledge_base(settings: Settings) -> Status:
    """Return what is searched; `trouble` says why it cannot be looked at."""
    try:
        index = open_class_index(settings)
        state = index.read_state()
    except PortError as error:
        return {"index": None, "version": None, "chunk_count": 0, "trouble": str(error)}
    return {
        "index": index.name,
        "version": state.corpus_version,
        "chunk_count": len(state.chunk_hashes),
        "trouble": None,
    }


def _hide_password(dsn: str) -> str:
    scheme, separator, rest = dsn.partition("://")
    return f"{scheme}{separator}{rest.rsplit('@', 1)[-1]}"


def _read_hours(artefacts: ObjectStore) -> list[Status]:
    hours = []
    for hour in list_hours(artefacts):
        batches = load_hour(artefacts, hour)
        hours.append(
            {
                "hour": hour.isoformat(),
                "objects": len(batches.objects),
                "records": batches.record_count,
                "quarantined": batches.quarantined_count,
                "written_version": load_written_version(artefacts, hour),
            }
        )
    return hours


def _count_rows(settings: Settings) -> dict[str, int] | None:
    """Return rows by table; None when there are no tables."""
    try:
        require_tables(settings)
        tables = open_tables(settings)
        counted = tables.run_query(_COUNT_ROWS)
    except (CommandError, PortError):
        return None
    return {str(name): int(rows) for name, rows in counted.sort("name").iter_rows()}


def show_status(status: Status, console: Console) -> None:
    """Print the status for people."""
    table = Table("what", "state", show_header=False)
    for name, place in status["places"].items():
        table.add_row(name, str(place))
    for name, pointer in status["in_force"].items():
        table.add_row(name, "not built yet" if pointer is None else _describe_pointer(pointer))
    base = status["knowledge_base"]
    described = f"{base['chunk_count']:,} chunks, version {base['version']}, {base['index']}"
    table.add_row("knowledge_base", base["trouble"] or described)
    rows = status["rows"]
    told = "none yet" if rows is None else ", ".join(f"{n:,} {name}" for name, n in rows.items())
    table.add_row("rows", told)
    console.print(table)
    hours = status["hours"]
    if not hours:
        console.print("No hour is read yet: drop objects and run `make dev`, or `make demo`.")
        return
    shown = Table("hour", "objects", "records", "quarantined", "in the tables", title="Hours")
    for item in hours[-_SHOWN_HOURS:]:
        shown.add_row(
            item["hour"], str(item["objects"]), f"{item['records']:,}",
            f"{item['quarantined']:,}", "yes" if item["written_version"] else "not yet",
        )  # fmt: skip
    console.print(shown)
    if len(hours) > _SHOWN_HOURS:
        console.print(f"and {len(hours) - _SHOWN_HOURS:,} earlier hours", style="dim")


def _describe_pointer(pointer: Status) -> str:
    count = pointer.get("count", pointer.get("example_count"))
    from_where = f" from {pointer['origin']}" if "origin" in pointer else ""
    return f"version {pointer['version']}{from_where}" + (f", {count:,}" if count else "")
