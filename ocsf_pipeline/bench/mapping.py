"""How fast mapping alone is, by the number of templates, on logs made for the purpose.

Belongs here: made-up records of many templates and the measured run. Does not belong here: the real
steps over real samples (`measure`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from ocsf_pipeline.classify.decisions import DECISION_SCHEMA
from ocsf_pipeline.events.compiler import compile_mappings
from ocsf_pipeline.events.execute import EventMapper
from ocsf_pipeline.logs.records import NORMALIZED_SCHEMA
from ocsf_pipeline.schema.model import OcsfSchema

_ARRIVAL = datetime(2026, 3, 2, 10, tzinfo=UTC)
_CLASSES = ((3002, 1), (4001, 6), (1007, 1), (4002, 3), (4003, 1), (6003, 1), (2004, 1), (1001, 2))


def make_batch(
    schema: OcsfSchema, row_count: int, template_count: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return (records, decisions): about 12 fields with a place and 8 without in each log."""
    logs = [_make_log(number, number % template_count) for number in range(min(row_count, 20_000))]
    number = pl.int_range(row_count, dtype=pl.UInt64, eager=True).alias("number")
    pick = number % len(logs)
    texts = pl.Series([json.dumps(log, separators=(",", ":")) for log in logs]).gather(pick)
    records = pl.DataFrame({"number": number, "fields": texts}).select(
        pl.concat_str(pl.lit("uid-"), "number").alias("event_uid"),
        pl.lit("dt=2026-03-02/hour=10/bench.json").alias("object_key"),
        pl.col("number").alias("position"),
        pl.lit(_ARRIVAL).alias("hour"),
        (pl.lit(_ARRIVAL) + pl.duration(milliseconds=pl.col("number"))).alias("time"),
        pl.lit(False).alias("time_is_observed"),
        pl.lit(_ARRIVAL + timedelta(minutes=1)).alias("observed_time"),
        pl.lit("host-1").alias("host"),
        pl.lit("Acme").alias("vendor"),
        pl.lit("Gateway").alias("product"),
        pl.lit("warning").alias("severity"),
        pl.lit("something happened").alias("message"),
        pl.lit("json").alias("format"),
        "fields",
        pl.col("fields").alias("raw"),
        pl.concat_str(pl.lit("t"), pl.Series(pick % template_count)).alias("template_id"),
    )
    rows = [_make_decision(schema, f"t{i}", i, logs[i]) for i in range(template_count)]
    return (
        records.cast(dict(NORMALIZED_SCHEMA)),  # type: ignore[arg-type]
        pl.DataFrame(rows, schema=DECISION_SCHEMA),
    )


def measure_mapping(
    schema: OcsfSchema, row_count: int = 200_000, template_count: int = 300
) -> dict[str, float]:
    """Return seconds and rates of compiling and of mapping with known templates."""
    records, decisions = make_batch(schema, row_count, template_count)
    compile_s, mappings = _time(lambda: compile_mappings(schema, decisions))
    mapper = EventMapper(schema, decisions, mappings)
    list(mapper.map_by_template(records.head(template_count)))
    core_start = time.process_time()
    map_s, mapped = _time(lambda: list(mapper.map_by_template(records)))
    core_s = time.process_time() - core_start
    return {
        "rows": row_count,
        "templates": template_count,
        "compile_templates_per_s": template_count / compile_s,
        "map_core_us_per_event": core_s / row_count * 1e6,
        "map_events_per_s": row_count / map_s,
        "invalid": sum(piece.invalid_count for piece in mapped),
    }


def _time(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def _make_log(number: int, template: int) -> dict[str, Any]:
    """One log; each template has a field of its own, so that no two share a shape."""
    return {
        "timestamp": "2026-03-02T10:00:00.000Z",
        "action_name": f"action {template}",
        "src": {"ip": f"10.{number % 256}.{number // 256 % 256}.7", "port": 1024 + number % 60000},
        "dst": {"ip": "192.0.2.10", "port": 443, "hostname": "service.example"},
        "user": {"name": f"user{number % 500}", "id": str(number), "email": f"u{number}@a.example"},
        "outcome": "success" if number % 7 else "failure",
        "process": {"name": "worker", "pid": number % 30000, "cmd_line": 'worker --mode "fast"'},
        "bytes_in": number,
        "bytes_out": number * 2,
        f"detail_{template}": f"value {number % 97}",
        "detail_a": "first",
        "detail_b": "second value",
        "detail_c": number % 11,
        "detail_d": True,
        "detail_e": None,
        "detail_f": "a rather longer text without any place in the schema",
        "detail_g": "g",
    }


def _make_decision(
    schema: OcsfSchema, template_id: str, number: int, log: dict[str, Any]
) -> dict[str, Any]:
    class_uid, activity_id = _CLASSES[number % len(_CLASSES)]
    owner = schema.get_class(class_uid)
    text = json.dumps(log)
    return {
        "template_id": template_id,
        "class_uid": class_uid,
        "class_name": owner.caption,
        "category_uid": owner.category_uid,
        "activity_id": activity_id,
        "type_uid": class_uid * 100 + activity_id,
        "confidence": 0.9,
        "status": "accepted",
        "candidates": "[]",
        "evidence": "[]",
        "schema_version": schema.version,
        "knowledge_version": "bench",
        "ranker_version": "bench",
        "query": "",
        "format": "json",
        "vendor": "Acme",
        "product": "Gateway",
        "sample_fields": text,
        "sample_raw": text,
    }
