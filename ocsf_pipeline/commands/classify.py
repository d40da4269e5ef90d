"""`ocsf-pipeline classify`: one JSON result per log, decided once per template.

Belongs here: remembering decisions while a command runs, and the results' JSON. Does not belong
here: deciding (`classify`, `steps`), reading logs (`inputs`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import polars as pl
from rich.console import Console
from rich.markup import escape

from ocsf_pipeline.classify.decisions import DECISION_SCHEMA
from ocsf_pipeline.classify.explain import make_printable
from ocsf_pipeline.classify.rerank import Outcome, has_outcome
from ocsf_pipeline.commands.common import Say
from ocsf_pipeline.commands.inputs import LogBatch, Problem
from ocsf_pipeline.ports import ObjectStore
from ocsf_pipeline.steps.batches import merge_templates, summarize_templates
from ocsf_pipeline.steps.classify import Decider, load_decisions, summarize_reranking

RESULT_KEYS = (
    "id", "class_uid", "class_name", "category_uid", "activity_id", "type_uid", "confidence",
    "status", "candidates", "template_id", "evidence",
)  # fmt: skip
"""The keys of one result, in order."""

_NOTICE_TEMPLATES = 200
_SHOWN_CHARS = 400


class DecisionMemory:
    """Decides each template once; begins with what the pipeline decided by the same versions."""

    def __init__(self, decider: Decider, artefacts: ObjectStore, say: Say) -> None:
        self.decider = decider
        self.artefacts = artefacts
        self._version = decider.version()
        self._say = say
        self._told: set[str] = set()
        self.decisions = pl.DataFrame(schema=DECISION_SCHEMA)

    def decide(self, records: pl.DataFrame) -> pl.DataFrame:
        """Return the decisions (DECISION_SCHEMA) of the templates of `records`."""
        templates = merge_templates([summarize_templates(records)])
        unmet = templates.join(self.decisions, on="template_id", how="anti")
        if not unmet.is_empty():
            stored = load_decisions(self.artefacts, self._version, unmet["template_id"]).filter(
                ~has_outcome(Outcome.failed)
            )
            new = unmet.join(stored, on="template_id", how="anti")
            if len(new) >= _NOTICE_TEMPLATES:
                self._say(f"deciding {len(new):,} new templates")
            decided = self.decider.decide(new).select(DECISION_SCHEMA.names())
            self._tell_troubles(decided)
            self.decisions = pl.concat([self.decisions, stored, decided])
        return self.decisions.join(templates.select("template_id"), on="template_id", how="semi")

    def _tell_troubles(self, decided: pl.DataFrame) -> None:
        """Say on stderr, once per reason, that a re-ranker did not answer."""
        troubles = summarize_reranking(decided, self.decider.reranker).get("troubles", {})
        for reason, count in troubles.items():
            if reason not in self._told:
                self._told.add(reason)
                self._say(f"re-ranker: {reason} ({count:,} templates)")


def classify_batches(batches: Iterable[LogBatch], memory: DecisionMemory) -> Iterator[list[str]]:
    """Yield the result lines of each batch: one per log, in the input's order."""
    for batch in batches:
        decisions = memory.decide(batch.records)
        members = pl.DataFrame(
            {
                "template_id": decisions["template_id"],
                "members": [_format_members(row) for row in decisions.iter_rows(named=True)],
            },
            schema={"template_id": pl.String, "members": pl.String},
        )
        joined = batch.records.join(members, on="template_id", how="left", maintain_order="left")
        line = pl.concat_str(pl.lit('{"id": '), "id_json", pl.lit(", "), "members")
        yield merge_lines(joined.select("position", line.alias("line")), batch.problems)


def merge_lines(lines: pl.DataFrame, problems: dict[int, Problem]) -> list[str]:
    """Return the lines (position, line) and those of the problems, by position."""
    if not problems:
        return lines["line"].to_list()
    told = [(position, format_problem(problem)) for position, problem in problems.items()]
    both = [*lines.select("position", "line").iter_rows(), *told]
    return [line for _position, line in sorted(both)]


def format_problem(problem: Problem) -> str:
    """Return the result line of a log that cannot be classified."""
    rest = json.dumps(
        {"status": "quarantined", "reason": problem.reason, "error": problem.error},
        ensure_ascii=False,
    )
    return f'{{"id": {problem.id_json}, {rest[1:]}'


def _format_members(decision: dict[str, Any]) -> str:
    """Return all members of a template's results but the id, and the closing brace."""
    result = {key: decision[key] for key in RESULT_KEYS if key != "id"}
    result["confidence"] = round(decision["confidence"], 4)
    result["candidates"] = json.loads(decision["candidates"])
    result["evidence"] = json.loads(decision["evidence"])
    return json.dumps(result, ensure_ascii=False)[1:]


def explain_batches(batches: Iterable[LogBatch], memory: DecisionMemory, console: Console) -> None:
    """Print, per template in place of per log, what was decided and why."""
    counts: dict[str, int] = {}
    problems: list[Problem] = []
    for batch in batches:
        memory.decide(batch.records)
        for template_id, count in batch.records["template_id"].value_counts().iter_rows():
            counts[template_id] = counts.get(template_id, 0) + count
        problems += batch.problems.values()
    met = memory.decisions.filter(pl.col("template_id").is_in(list(counts)))
    for row in met.iter_rows(named=True):
        for line in _explain_decision(row, counts[row["template_id"]]):
            console.print(line, highlight=False, soft_wrap=True)
    for problem in problems:
        console.print(f"[red]log {escape(problem.id_json)}: {problem.reason}[/]: {problem.error}")


def _explain_decision(row: dict[str, Any], count: int) -> Sequence[str]:
    colour = "green" if row["status"] == "accepted" else "yellow"
    product = " ".join(filter(None, (row["vendor"], row["product"]))) or "unknown product"
    candidates = [
        f"{item['class_name']} ({item['class_uid']}) {item['score']:.2f}"
        for item in json.loads(row["candidates"])
    ]
    evidence = [
        f"  {item['kind']:<14} {item['weight']:>5.2f}  {escape(str(item['text']))}"
        for item in json.loads(row["evidence"])
    ]
    return [
        f"[bold]{row['class_name']}[/] ({row['class_uid']}), activity {row['activity_id']}, "
        f"confidence {row['confidence']:.2f}, [{colour}]{row['status']}[/]",
        f"  template {row['template_id']}: {count:,} logs, {row['format']}, {escape(product)}",
        f"  [dim]{escape(make_printable(row['sample_raw'])[:_SHOWN_CHARS])}[/]",
        "  candidates: " + escape(", ".join(candidates)),
        "  what carried it:",
        *evidence,
        "",
    ]
