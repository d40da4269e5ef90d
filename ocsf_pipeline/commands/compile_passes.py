"""`python -m ocsf_pipeline.commands.compile_passes`: what Numba compiles, compiled ahead.

Belongs here: using every pass once, so that the result is kept and no first hour waits for it. Does
not belong here: the passes (`logs`, `events`). What this leaves out is compiled when first used.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime

import polars as pl

from ocsf_pipeline.adapters.schema_package import EmbeddedSchemaSource
from ocsf_pipeline.classify.decisions import DECISION_SCHEMA
from ocsf_pipeline.events.compiler import compile_mappings
from ocsf_pipeline.events.execute import map_events
from ocsf_pipeline.logs.normalize import ObjectContext, TemplateRegistry
from ocsf_pipeline.logs.read import ObjectSummary, read_object
from ocsf_pipeline.samples.labels import read_sample_logs
from ocsf_pipeline.schema.model import OcsfSchema
from ocsf_pipeline.schema.parse import parse_schema
from ocsf_pipeline.steps.batches import summarize_templates

_CLASS_UID = 4001
"""Network Activity has addresses, times, enums and text."""


def compile_passes() -> int:
    """Read and map the sample logs; return how many were."""
    records = _read_samples()
    releases = EmbeddedSchemaSource()
    schema = parse_schema(releases.fetch_schema(releases.list_versions()[-1]).body)
    decisions = _decide_alike(records, schema)
    mapped = map_events(records, decisions, compile_mappings(schema, decisions), schema)
    return mapped.frame.height


def _read_samples() -> pl.DataFrame:
    arrived = datetime(2026, 3, 2, 10, tzinfo=UTC)
    context = ObjectContext("samples", "1", arrived, arrived)
    text = "\n".join(sample.raw for sample in read_sample_logs()).encode()
    frames = read_object(iter([text]), context, TemplateRegistry(), ObjectSummary())
    return pl.concat([frame.records for frame in frames])


def _decide_alike(records: pl.DataFrame, schema: OcsfSchema) -> pl.DataFrame:
    """Return decisions that give every template one class."""
    owner = schema.get_class(_CLASS_UID)
    said = {
        "class_uid": owner.uid, "class_name": owner.caption, "category_uid": owner.category_uid,
        "activity_id": 1, "type_uid": owner.uid * 100 + 1, "confidence": 1.0,
        "status": "accepted", "candidates": "[]", "evidence": "[]",
        "schema_version": schema.version, "knowledge_version": "", "ranker_version": "",
        "query": "",
    }  # fmt: skip
    same = [pl.lit(value).alias(name) for name, value in said.items()]
    templates = summarize_templates(records).with_columns(same)
    return templates.select(pl.col(name).cast(dtype) for name, dtype in DECISION_SCHEMA.items())


def main() -> None:
    """Compile, and tell how long it took."""
    start = time.perf_counter()
    sys.stderr.write("Compiling passes over logs; the first time takes half a minute.\n")
    count = compile_passes()
    sys.stderr.write(f"Compiled by {count} logs in {time.perf_counter() - start:.0f} s.\n")


if __name__ == "__main__":
    main()
