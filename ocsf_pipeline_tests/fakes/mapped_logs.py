"""Records, decisions and events for the tests of the stage `events`, and a judge of events."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from importlib.resources import files
from typing import Any

import polars as pl
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded

from ocsf_pipeline.classify.decisions import DECISION_SCHEMA
from ocsf_pipeline.events.compiler import compile_mappings
from ocsf_pipeline.events.execute import MappedEvents, map_events
from ocsf_pipeline.logs.records import NORMALIZED_SCHEMA
from ocsf_pipeline.schema.model import OcsfSchema
from ocsf_pipeline.schema.parse import parse_schema

VERSION = "1.8.0"
ARRIVAL = datetime(2026, 3, 2, 10, 30, 0, 250_000, tzinfo=UTC)

MakeRecords = Callable[..., pl.DataFrame]
MapLogs = Callable[..., MappedEvents]
Judge = Callable[[dict[str, Any]], list[str]]


@lru_cache(maxsize=4)
def read_export(version: str = VERSION) -> bytes:
    return (files("ocsf_json_schema") / "ocsf" / f"{version}.json").read_bytes()


@lru_cache(maxsize=4)
def read_schema(version: str = VERSION) -> OcsfSchema:
    return parse_schema(read_export(version))


def make_records(
    logs: Iterable[object], template_id: str = "t1", **columns: object
) -> pl.DataFrame:
    """Records of one template; a log is an object for `fields`, or JSON text as it is."""
    rows = []
    for number, log in enumerate(logs):
        text = log if isinstance(log, str | None) else json.dumps(log)
        rows.append({
            "event_uid": f"{template_id}-{number}", "object_key": "dt=2026-03-02/hour=10/a.json",
            "position": number, "hour": ARRIVAL.replace(minute=0, second=0, microsecond=0),
            "time": ARRIVAL, "time_is_observed": False, "observed_time": ARRIVAL, "host": None,
            "vendor": None, "product": None, "severity": None, "message": None, "format": "json",
            "fields": text, "raw": text or "", "template_id": template_id, **columns,
        })  # fmt: skip
    return pl.DataFrame(rows, schema=NORMALIZED_SCHEMA)


def make_decisions(schema: OcsfSchema, templates: dict[str, tuple[int, int, str]]) -> pl.DataFrame:
    """Decisions by template_id from (class_uid, activity_id, sample fields)."""
    rows = []
    for template_id, (class_uid, activity_id, sample) in templates.items():
        owner = schema.get_class(class_uid)
        rows.append({
            "template_id": template_id, "class_uid": class_uid, "class_name": owner.caption,
            "category_uid": owner.category_uid, "activity_id": activity_id,
            "type_uid": class_uid * 100 + activity_id, "confidence": 0.9, "status": "accepted",
            "candidates": "[]", "evidence": "[]", "schema_version": VERSION,
            "knowledge_version": "k1", "ranker_version": "r1", "query": "", "format": "json",
            "vendor": None, "product": None, "sample_fields": sample, "sample_raw": sample,
        })  # fmt: skip
    return pl.DataFrame(rows, schema=DECISION_SCHEMA)


def map_logs_with(
    schema: OcsfSchema, class_uid: int, logs: Sequence[object], sample: object = None,
    **columns: object,
) -> MappedEvents:  # fmt: skip
    """Map logs of one template; its sample is the first of them unless given."""
    records = make_records(logs, **columns)
    text = json.dumps(sample) if sample is not None else records.item(0, "fields")
    decisions = make_decisions(schema, {"t1": (class_uid, 1, text)})
    return map_events(records, decisions, compile_mappings(schema, decisions), schema)


@lru_cache(maxsize=2)
def _json_schemas(version: str) -> OcsfJsonSchemaEmbedded:
    return OcsfJsonSchemaEmbedded(json.loads(read_export(version)))


@lru_cache(maxsize=512)
def _validator(class_uid: int, profiles: tuple[str, ...], version: str) -> Draft202012Validator:
    key = read_schema(version).get_class(class_uid).key
    body = _json_schemas(version).get_class_schema(key, list(profiles))
    # The generator takes `device.os.version` for the name of one member: judged in test_required.
    if any("." in name for option in body.get("anyOf", []) for name in option["required"]):
        del body["anyOf"]
    return Draft202012Validator(body)


def judge_by_json_schema(event: dict[str, Any]) -> list[str]:
    """Return what is wrong with an event by the release that it names; empty is good."""
    metadata = event.get("metadata", {})
    profiles, version = tuple(metadata.get("profiles", ())), metadata.get("version", VERSION)
    found = _validator(event["class_uid"], profiles, version).iter_errors(event)
    return [f"{'.'.join(map(str, error.absolute_path))}: {error.message}" for error in found]
