"""The asset `template_decisions`: which class each template of an hour has.

Belongs here: which templates are new, where decisions lie, by which ones an hour was written. Does
not belong here: deciding (`classify`), what a change of decisions touches (`reclassify`).

Decisions lie under `classify/decisions/<version>/`, where the version names the knowledge base, the
ranker, the schema and the threshold: a decision is made once per template and version, and an older
version stays until it is pruned, so that one can roll back.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import polars as pl

from ocsf_pipeline.classify.decide import decide_templates
from ocsf_pipeline.classify.decisions import DECISION_SCHEMA
from ocsf_pipeline.classify.rerank import Outcome, has_outcome
from ocsf_pipeline.ports import (
    ClassIndex,
    Embedder,
    ObjectStore,
    Reranker,
    TransientPortError,
)
from ocsf_pipeline.schema.model import OcsfSchema
from ocsf_pipeline.steps.artefacts import read_frame, read_json, write_frame, write_json
from ocsf_pipeline.steps.batches import load_hour_templates
from ocsf_pipeline.steps.knowledge import load_example_names
from ocsf_pipeline.steps.rankers import RankerInForce, find_ranker
from ocsf_pipeline.steps.schema import load_schema

_DECISIONS = "classify/decisions"
_BATCH = 512
_MAX_FILES = 24
_UNFINISHED = "+unfinished"


@dataclass(frozen=True)
class Decider:
    """Everything that a decision depends on."""

    schema: OcsfSchema
    ranker: RankerInForce
    index: ClassIndex
    embedder: Embedder | None
    threshold: float
    reranker: Reranker | None = None
    name_examples: Callable[[], Mapping[str, str]] = dict
    """Loads the event name by example id, for evidence; decides nothing."""

    def knowledge_version(self) -> str:
        """Version of the corpus that the index holds."""
        return self.index.read_version() or "empty"

    def version(self) -> str:
        """Version of the decisions: equal versions give equal decisions."""
        return self.name_version(
            self.knowledge_version(), self.ranker.version, self.schema.version, self.threshold
        )

    def name_version(
        self, knowledge_version: str, ranker_version: str, schema_version: str, threshold: float
    ) -> str:
        """Return the version that decisions by other knowledge have, re-ranked as here."""
        parts = [
            knowledge_version, self.index.name, ranker_version, schema_version,
            f"{threshold:.4f}",
            f"{self.reranker.name} {self.reranker.trust:.4f}" if self.reranker else "",
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    def decide(self, templates: pl.DataFrame) -> pl.DataFrame:
        """Decide `templates` (TEMPLATE_SCHEMA of steps.logs); return DECISION_SCHEMA."""
        knowledge_version = self.knowledge_version()
        ranker, example_names = self.ranker.load(), self.name_examples()
        parts = [
            decide_templates(
                part, self.schema, ranker, self.index, self.embedder,
                threshold=self.threshold, knowledge_version=knowledge_version,
                reranker=self.reranker, example_names=example_names,
            )
            for part in templates.iter_slices(_BATCH)
        ]  # fmt: skip
        return pl.concat(parts) if parts else pl.DataFrame(schema=DECISION_SCHEMA)


def load_decider(
    artefacts: ObjectStore,
    index: ClassIndex,
    embedder: Embedder | None,
    threshold: float = 0.0,
    reranker: Reranker | None = None,
) -> Decider:
    """Return the decider in force; `threshold` 0 means the one that the ranker chose.

    Raises PermanentPortError when schema or ranker are not materialised yet.
    """
    ranker = find_ranker(artefacts, index.name)
    return Decider(
        load_schema(artefacts),
        ranker,
        index,
        embedder,
        threshold or ranker.threshold,
        reranker,
        partial(load_example_names, artefacts),
    )


@dataclass(frozen=True)
class HourDecisions:
    """The decisions that the templates of one hour have."""

    decisions: pl.DataFrame
    """DECISION_SCHEMA, one row per template of the hour."""
    new_count: int
    """Templates that were decided in this run; the others were known."""
    version: str
    """Of the decisions; ends in `+unfinished` while a re-ranker could not be asked about some, so
    that the hour is written again when it could."""


def decide_hour(artefacts: ObjectStore, decider: Decider, hour: datetime) -> HourDecisions:
    """Decide the templates of `hour` that have no decision of the current version yet.

    Those about which a re-ranker could not be asked before are asked about again.
    """
    templates = load_hour_templates(artefacts, hour)
    version = decider.version()
    known = load_decisions(artefacts, version, templates["template_id"])
    settled = known.filter(~has_outcome(Outcome.failed))
    unsettled = templates.join(settled, on="template_id", how="anti")
    if not unsettled.is_empty():
        decided = decider.decide(unsettled)
        if decider.version() != version:
            raise TransientPortError(
                f"the knowledge base changed while {hour:%Y-%m-%d %H}h was decided; try again"
            )
        is_news = ~has_outcome(Outcome.failed) | ~pl.col("template_id").is_in(
            known["template_id"].implode()
        )
        news = decided.filter(is_news)
        if not news.is_empty():
            _store_decisions(artefacts, version, news)
        settled = pl.concat([settled, decided])
    new_count = len(templates) - len(known)
    is_unfinished = not settled.filter(has_outcome(Outcome.failed)).is_empty()
    shown_version = version + _UNFINISHED if is_unfinished else version
    return HourDecisions(settled.sort("template_id"), new_count, shown_version)


def load_decisions(
    artefacts: ObjectStore,
    version: str,
    template_ids: pl.Series | None = None,
    columns: Sequence[str] = tuple(DECISION_SCHEMA),
) -> pl.DataFrame:
    """Return `columns` of the decisions of one version, one row per template.

    Those of `template_ids`, or all; decisions carry samples, so all columns of all may be much.
    """
    keys = [ref.key for ref in artefacts.list_objects(f"{_DECISIONS}/{version}")]
    if not keys:
        return pl.DataFrame(schema=DECISION_SCHEMA).select(columns)
    frames = []
    for key in keys:
        # Whether a re-ranker could be asked decides which of two decisions counts.
        frame = read_frame(artefacts, key, [*dict.fromkeys([*columns, "ranker_version"])])
        if template_ids is not None:
            wanted = template_ids.alias("template_id").to_frame()
            frame = frame.join(wanted, on="template_id", how="semi")
        frames.append(frame)
    decisions = pl.concat(frames).sort(has_outcome(Outcome.failed), maintain_order=True)
    return decisions.unique("template_id", keep="first", maintain_order=True).select(columns)


def _store_decisions(artefacts: ObjectStore, version: str, decisions: pl.DataFrame) -> None:
    """Add decisions; the file is named by its content, so a repeated run writes nothing new."""
    ids = decisions["template_id"].sort().str.join("").item()
    name = hashlib.sha256(ids.encode()).hexdigest()[:16]
    write_frame(artefacts, f"{_DECISIONS}/{version}/{name}.parquet", decisions)
    keys = [ref.key for ref in artefacts.list_objects(f"{_DECISIONS}/{version}")]
    if len(keys) > _MAX_FILES:
        merged = load_decisions(artefacts, version)
        whole = hashlib.sha256("".join(sorted(keys)).encode()).hexdigest()[:16]
        write_frame(artefacts, f"{_DECISIONS}/{version}/{whole}.parquet", merged)
        for key in keys:
            artefacts.delete_object(key)


def load_written_version(artefacts: ObjectStore, hour: datetime) -> str | None:
    """Return the version of the decisions that the tables hold for `hour`; None when none."""
    document = read_json(artefacts, name_written(hour))
    return str(document["version"]) if document else None


def mark_written(artefacts: ObjectStore, hour: datetime, version: str) -> None:
    """Remember that the tables hold `hour` by decisions that `version` would make too."""
    document = read_json(artefacts, name_written(hour)) or {}
    write_json(artefacts, name_written(hour), {**document, "version": version})


def name_written(hour: datetime) -> str:
    """Return the key of the record of what the tables hold of `hour`."""
    return f"events/hours/{hour:%Y-%m-%d-%H}.json"


def summarize_reranking(decisions: pl.DataFrame, reranker: Reranker | None) -> dict[str, Any]:
    """Return how often a re-ranker answered, and why it did not, for people; `off` without one."""
    if reranker is None:
        return {"name": "off"}
    troubles: Counter[str] = Counter()
    trouble = has_outcome(Outcome.failed) | has_outcome(Outcome.unanswered)
    for evidence in decisions.filter(trouble)["evidence"]:
        notes = [item["text"] for item in json.loads(evidence) if item["kind"] == "reranker"]
        troubles.update(notes[-1:] or ["it gave no reason"])
    return {
        "name": reranker.name,
        **{
            outcome.name: int(decisions.select(has_outcome(outcome).sum()).item())
            for outcome in Outcome
        },
        "troubles": dict(troubles.most_common(10)),
    }
