"""The asset `reclassification_plan`: what a change of knowledge changes in hours that are written.

Belongs here: which templates are decided otherwise now, which hours hold them. Does not belong
here: deciding (`steps.classify`), writing hours again (`steps.events`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import polars as pl

from ocsf_pipeline.classify.rerank import Outcome, has_outcome
from ocsf_pipeline.ports import ObjectStore
from ocsf_pipeline.steps.artefacts import read_json
from ocsf_pipeline.steps.batches import list_hours, load_hour_templates
from ocsf_pipeline.steps.classify import (
    Decider,
    decide_hour,
    load_decisions,
    load_written_version,
    mark_written,
    name_written,
)

_COMPARED = ("class_uid", "activity_id", "status")
_OUTCOME = ["template_id", "class_name", *_COMPARED, "ranker_version"]
_MAX_EXAMPLES = 20

_CHANGES: dict[str, pl.DataType | type[pl.DataType]] = {
    "template_id": pl.String,
    "class_before": pl.String,  # null: no decision was stored for it
    "class_after": pl.String,
    "status_before": pl.String,
    "status_after": pl.String,
    "events": pl.UInt64,  # logs of the template in the hours that are planned
}
CHANGE_SCHEMA = pl.Schema(_CHANGES)


@dataclass(frozen=True)
class Reclassification:
    """What other decisions would change in hours that are already classified."""

    version: str
    """Of the decisions that are compared with what is written."""
    changes: pl.DataFrame
    """CHANGE_SCHEMA, one row per template that changes, most events first."""
    hours: tuple[datetime, ...]
    """Hours that hold a changed template; exactly these must be classified again."""
    template_count: int
    """Templates that were looked at."""
    undecided_count: int = 0
    """Templates that the other decisions do not cover yet; only when nothing may be decided."""
    remapped_count: int = 0
    """Hours among them whose mappings are of another version."""

    @property
    def event_count(self) -> int:
        """Logs whose class, activity or status changes."""
        return int(self.changes["events"].sum())


def plan_reclassification(
    artefacts: ObjectStore,
    decider: Decider,
    mapping_version: str | None = None,
    *,
    is_dry_run: bool = False,
    oldest: datetime | None = None,
) -> Reclassification:
    """Decide every known template again and find the hours that a changed decision touches.

    Hours that nothing changes are marked as up to date, unless `is_dry_run`. Hours before `oldest`
    are left alone: their rows are gone from the tables. Hours that the tables hold by another
    `mapping_version` are named too: another schema, other rules or hints give other events of the
    same decisions.
    """
    version = decider.version()
    comparison = _Comparison(artefacts, version)
    for hour in _list_stale(artefacts, version, oldest):
        written = load_written_version(artefacts, hour)
        templates = load_hour_templates(artefacts, hour).select("template_id", "count")
        reached = version
        if not comparison.knows(templates):
            decided = decide_hour(artefacts, decider, hour)
            comparison.learn(decided.decisions)
            reached = decided.version
        if reached == written:
            continue
        if comparison.add_hour(hour, str(written), templates).is_empty() and not is_dry_run:
            mark_written(artefacts, hour, reached)
    plan = comparison.result()
    remapped = _list_remapped(artefacts, mapping_version, oldest)
    hours = tuple(sorted({*plan.hours, *remapped}))
    return replace(plan, hours=hours, remapped_count=len(remapped))


def preview_decisions(artefacts: ObjectStore, version: str) -> Reclassification:
    """Return what going back to the stored decisions of `version` would change; decide nothing."""
    comparison = _Comparison(artefacts, version)
    undecided: set[str] = set()
    for hour in _list_stale(artefacts, version, None):
        templates = load_hour_templates(artefacts, hour).select("template_id", "count")
        known = templates.join(comparison.after, on="template_id", how="semi")
        undecided |= set(templates["template_id"]) - set(known["template_id"])
        comparison.add_hour(hour, str(load_written_version(artefacts, hour)), known)
    return comparison.result(len(undecided))


def compare_decisions(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Return the templates whose class, activity or status differ; new templates differ too.

    Both hold at least template_id, class_name, class_uid, activity_id, status; the result is
    CHANGE_SCHEMA without events.
    """
    joined = after.join(
        before.select("template_id", pl.col("class_name", *_COMPARED).name.suffix("_before")),
        on="template_id",
        how="left",
    )
    differs = pl.any_horizontal(
        pl.col(name).ne_missing(pl.col(f"{name}_before")) for name in _COMPARED
    )
    return joined.filter(differs).select(
        "template_id",
        pl.col("class_name_before").alias("class_before"),
        pl.col("class_name").alias("class_after"),
        "status_before",
        pl.col("status").alias("status_after"),
    )


def summarize_changes(changes: pl.DataFrame) -> list[tuple[str, str, str, str, int, int]]:
    """Return (class and status before, class and status after, templates, events) for people."""
    keys = ("class_before", "status_before", "class_after", "status_after")
    grouped = (
        changes.group_by(keys)
        .agg(pl.len().alias("templates"), pl.sum("events"))
        .sort("events", *keys, descending=[True, False, False, False, False])
    )
    return [
        (str(before or "new"), str(was or ""), str(after), str(now), int(templates), int(events))
        for before, was, after, now, templates, events in grouped.rows()
    ]


def list_changed_logs(
    artefacts: ObjectStore, plan: Reclassification
) -> list[tuple[str, str, int, str]]:
    """Return (class before, class after, events, a log) of the templates with most events."""
    top = plan.changes.head(_MAX_EXAMPLES)
    decided = load_decisions(artefacts, plan.version, top["template_id"])
    samples = dict(decided.select("template_id", "sample_raw").iter_rows())
    return [
        (str(row["class_before"] or "new"), row["class_after"], row["events"],
         samples.get(row["template_id"]) or "")
        for row in top.iter_rows(named=True)
    ]  # fmt: skip


class _Comparison:
    """Decisions of one version against what hours were written by; no samples are held."""

    def __init__(self, artefacts: ObjectStore, version: str) -> None:
        self._artefacts = artefacts
        self._version = version
        self._before: dict[str, pl.DataFrame] = {}
        self._changed: list[pl.DataFrame] = []
        self._hours: list[datetime] = []
        self._seen: set[str] = set()
        self.after = load_decisions(artefacts, version, columns=_OUTCOME)

    def knows(self, templates: pl.DataFrame) -> bool:
        """Whether all of `templates` have a decision of the version that can stay.

        One about which a re-ranker could not be asked is made again.
        """
        settled = self.after.filter(~has_outcome(Outcome.failed))
        return templates.join(settled, on="template_id", how="anti").is_empty()

    def learn(self, decisions: pl.DataFrame) -> None:
        """Take up decisions that were made just now; they win over those held."""
        both = pl.concat([decisions.select(_OUTCOME), self.after])
        self.after = both.unique("template_id", keep="first", maintain_order=True)

    def add_hour(self, hour: datetime, written: str, templates: pl.DataFrame) -> pl.DataFrame:
        """Compare one hour that `written` made; return what changes in it."""
        if written not in self._before:
            self._before[written] = load_decisions(self._artefacts, written, columns=_OUTCOME)
        self._seen |= set(templates["template_id"])
        after = self.after.join(templates, on="template_id", how="semi")
        changed = compare_decisions(self._before[written], after).join(
            templates.rename({"count": "events"}), on="template_id"
        )
        if not changed.is_empty():
            self._hours.append(hour)
            self._changed.append(changed)
        return changed

    def result(self, undecided_count: int = 0) -> Reclassification:
        """Return everything that was compared, one row per template."""
        if not self._changed:
            empty = pl.DataFrame(schema=CHANGE_SCHEMA)
            return Reclassification(self._version, empty, (), len(self._seen), undecided_count)
        changes = (
            pl.concat(self._changed)
            .group_by("template_id")
            .agg(pl.exclude("events").first(), pl.sum("events"))
            .select(CHANGE_SCHEMA.names())
            .sort("events", "template_id", descending=[True, False])
        )
        hours = tuple(sorted(self._hours))
        return Reclassification(self._version, changes, hours, len(self._seen), undecided_count)


def _list_remapped(
    artefacts: ObjectStore, mapping_version: str | None, oldest: datetime | None
) -> list[datetime]:
    """Return the hours that were written by another version of the mappings."""
    if mapping_version is None:
        return []
    written = [
        (hour, read_json(artefacts, name_written(hour)))
        for hour in list_hours(artefacts)
        if oldest is None or hour >= oldest
    ]
    return [hour for hour, item in written if item and item.get("mapping") != mapping_version]


def _list_stale(artefacts: ObjectStore, version: str, oldest: datetime | None) -> list[datetime]:
    """Return the written hours whose decisions are of another version, oldest first."""
    return [
        hour
        for hour in list_hours(artefacts)
        if (oldest is None or hour >= oldest)
        and load_written_version(artefacts, hour) not in (None, version)
    ]
