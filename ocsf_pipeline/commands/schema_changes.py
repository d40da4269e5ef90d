"""`ocsf-pipeline schema-changes`: what differs between two releases of OCSF.

Belongs here: reading both releases, tables for people. Does not belong here: the comparison
(`schema.changes`).
"""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from ocsf_pipeline import opening
from ocsf_pipeline.schema.changes import BodyChange, SchemaChanges, compare_schemas
from ocsf_pipeline.schema.parse import parse_schema
from ocsf_pipeline.settings import Settings


def read_changes(settings: Settings, before: str, after: str) -> SchemaChanges:
    """Compare two releases of the configured source. Raises what the source raises."""
    source = opening.open_schema_source(settings)
    old, new = (parse_schema(source.fetch_schema(version).body) for version in (before, after))
    return compare_schemas(old, new)


def show_changes(changes: SchemaChanges, console: Console) -> None:
    """Print the counts, the classes, and every class and object that changed."""
    title = f"OCSF {changes.before} → {changes.after}"
    table = Table("what", "number", title=title)
    for name, count in changes.counts.items():
        table.add_row(name, str(count))
    console.print(table)
    classes = Table("class", "change", title="Classes")
    for name in changes.classes_added:
        classes.add_row(name, "added")
    for name in changes.classes_removed:
        classes.add_row(name, "removed")
    for name, successor in changes.classes_deprecated:
        classes.add_row(name, f"deprecated; mapped as {successor or 'before'}")
    console.print(classes)
    console.print(_list_bodies("Attributes of classes", changes.classes))
    console.print(_list_bodies("Attributes of objects", changes.objects))


def _list_bodies(title: str, bodies: tuple[BodyChange, ...]) -> Table:
    table = Table("of", "added", "removed, deprecated", "otherwise changed", title=title)
    for item in bodies:
        gone = [f"{name} removed" for name in item.removed]
        gone += [f"{name} → {next_}" if next_ else name for name, next_ in item.deprecated]
        other = [f"{name}: type" for name in item.retyped]
        other += [f"{name}: required" for name in item.newly_required]
        other += list(item.enum_values)
        table.add_row(item.caption, ", ".join(item.added), ", ".join(gone), ", ".join(other))
    return table
