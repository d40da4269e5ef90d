"""`ocsf-pipeline knowledge`: releases of what is known, what a change would change, going back.

Belongs here: showing lists and plans. Does not belong here: releases and plans themselves
(`steps.releases`, `steps.reclassify`).
"""

from __future__ import annotations

import json
from dataclasses import asdict

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ocsf_pipeline import opening
from ocsf_pipeline.commands.knowledge import load_known
from ocsf_pipeline.settings import Settings
from ocsf_pipeline.steps.reclassify import (
    Reclassification,
    list_changed_logs,
    plan_reclassification,
    preview_decisions,
    summarize_changes,
)
from ocsf_pipeline.steps.releases import (
    ListedRelease,
    Release,
    find_release,
    list_releases,
    pin_release,
    unpin_release,
)
from ocsf_pipeline.steps.schema import load_schema


def read_releases(settings: Settings) -> list[ListedRelease]:
    """Return all releases, the newest first."""
    return list_releases(opening.open_artefacts(settings))


def plan(settings: Settings, version: str | None) -> Reclassification:
    """Return what the knowledge in force, or an earlier release, would change; write no hour."""
    artefacts = opening.open_artefacts(settings)
    decider = load_known(settings)
    if version is None:
        return plan_reclassification(artefacts, decider, is_dry_run=True)
    release = find_release(artefacts, version, decider.index.name)
    named = decider.name_version(
        release.version,
        release.ranker_version,
        release.schema_version,
        settings.accept_threshold or release.threshold,
    )
    return preview_decisions(artefacts, named)


def pin(settings: Settings, version: str) -> Release:
    """Hold knowledge base and ranker at a release."""
    artefacts = opening.open_artefacts(settings)
    return pin_release(artefacts, version, load_schema(artefacts).version)


def unpin(settings: Settings) -> bool:
    """Follow the newest again; return whether a release was pinned."""
    return unpin_release(opening.open_artefacts(settings))


def format_releases(found: list[ListedRelease]) -> list[str]:
    """Return releases as JSON Lines."""
    return [json.dumps(asdict(item), default=str) for item in found]


def format_plan(found: Reclassification) -> str:
    """Return a plan as one JSON object."""
    head = ("class_before", "status_before", "class_after", "status_after", "templates", "events")
    return json.dumps(
        {
            "decision_version": found.version,
            "hours": [hour.isoformat() for hour in found.hours],
            "templates": found.template_count,
            "templates_changed": len(found.changes),
            "templates_undecided": found.undecided_count,
            "events_changed": found.event_count,
            "changes": [
                dict(zip(head, row, strict=True)) for row in summarize_changes(found.changes)
            ],
        }
    )


def show_releases(found: list[ListedRelease], console: Console) -> None:
    """Print releases, the newest first."""
    table = Table("version", "made", "OCSF", "examples", "ranker", "state")
    for item in found:
        states = [
            word
            for word, holds in (("in force", item.is_in_force), ("pinned", item.is_pinned))
            if holds
        ]
        release = item.release
        table.add_row(
            release.version,
            f"{item.made_at:%Y-%m-%d %H:%M}",
            release.schema_version,
            f"{release.example_count:,}",
            release.ranker_version,
            ", ".join(states),
        )
    console.print(table)


def show_plan(found: Reclassification, settings: Settings, console: Console) -> None:
    """Print what would change: per class, and some logs."""
    title = (
        f"{found.event_count:,} events of {len(found.changes):,} templates in "
        f"{len(found.hours):,} hours would change"
    )
    table = Table("shows now", "status", "would show", "status", "templates", "events", title=title)
    for row in summarize_changes(found.changes):
        table.add_row(*(escape(f"{cell:,}" if isinstance(cell, int) else cell) for cell in row))
    console.print(table)
    if found.undecided_count:
        console.print(f"{found.undecided_count:,} templates have come since and are decided then")
    artefacts = opening.open_artefacts(settings)
    for before, after, events, log in list_changed_logs(artefacts, found)[:5]:
        console.print(f"{before} → {after} ({events:,}): {escape(log[:200])}", highlight=False)
