"""Real-looking logs of many products, through reading and mapping, judged by others' validators."""

import json
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from ocsf.v1_7_0 import events as pydantic_events
from pydantic import PydanticUserError, ValidationError

from ocsf_pipeline.adapters.pack_files import read_packs
from ocsf_pipeline.events.compiler import MappingCompiler
from ocsf_pipeline.events.execute import EventMapper
from ocsf_pipeline.events.hints import make_hints
from ocsf_pipeline.logs.single import normalize_texts
from ocsf_pipeline_tests.fakes.mapped_logs import (
    judge_by_json_schema,
    make_decisions,
    read_schema,
)

DEVELOPMENT_LOGS = Path(__file__).parents[2].parent / "shared" / "data" / "dev.jsonl"


@lru_cache
def _read_samples() -> list[tuple[str, int]]:
    text = (files("ocsf_pipeline") / "samples" / "labels.jsonl").read_text("utf-8")
    return [(item["raw"], item["class_uid"]) for item in map(json.loads, text.splitlines())]


def _map(
    samples: Sequence[tuple[str, int]], version: str, with_datetime: bool = False
) -> list[dict[str, Any]]:
    schema = read_schema(version)
    records = normalize_texts([raw for raw, _class_uid in samples]).records
    # Every log is a template of its own: classes are the labels', not the classifier's.
    records = records.with_columns(pl.format("t{}", "position").alias("template_id"))
    known = {
        f"t{position}": (samples[position][1], 1, fields)
        for position, fields in records.select("position", "fields").iter_rows()
        if schema.find_class(samples[position][1])
    }
    records = records.filter(pl.col("template_id").is_in(list(known)))
    decisions = make_decisions(schema, known).update(
        records.select("template_id", "format"), on="template_id"
    )
    compiler = MappingCompiler(schema, make_hints(read_packs().values()), with_datetime)
    mappings = compiler.compile_decisions(decisions)
    mapped = EventMapper(schema, decisions, mappings, compiler=compiler).map_records(records)
    assert mapped.invalid_count == 0
    return [json.loads(text) for text in mapped.frame["event"]]


@pytest.mark.parametrize(
    ("version", "with_datetime"), [("1.8.0", False), ("1.8.0", True), ("1.3.0", False)]
)
def test_samples_are_valid_by_json_schema(version: str, with_datetime: bool) -> None:
    events = _map(_read_samples(), version, with_datetime)
    faults = {fault for event in events for fault in judge_by_json_schema(event)}
    assert faults == set()
    assert sum("observables" in event for event in events) > len(events) / 2
    assert any("time_dt" in event for event in events) is with_datetime


def test_samples_are_valid_by_pydantic() -> None:
    events = _map(_read_samples(), "1.7.0")
    judged, unfinished = 0, set()
    for event in events:
        key = read_schema("1.7.0").get_class(event["class_uid"]).key
        name = "".join(part.capitalize() for part in key.split("_"))
        model = getattr(pydantic_events, name, None)
        if model is None:  # pydantic-ocsf has no extension classes
            continue
        try:
            model.model_validate(event)
            judged += 1
        except PydanticUserError:  # a model that pydantic-ocsf leaves unfinished
            unfinished.add(key)
        except ValidationError as error:
            # See test_required: enums are judged by the JSON Schemas.
            # pydantic-ocsf takes the object `application` for the category of that name.
            faults = [fault for fault in error.errors() if fault["loc"][0] != "application"]
            kinds = {fault["type"] for fault in faults}
            assert kinds <= {"enum", "int_parsing"}, error.errors()
            judged += 1
    assert judged > 350
    assert len(unfinished) < 5, unfinished


@pytest.mark.skipif(not DEVELOPMENT_LOGS.exists(), reason="real logs do not ship with the project")
def test_real_logs_are_valid_by_json_schema() -> None:
    lines = DEVELOPMENT_LOGS.read_text("utf-8").splitlines()
    samples = [(item["raw"], item["class_uid"]) for item in map(json.loads, lines)]
    faults = {fault for event in _map(samples, "1.8.0") for fault in judge_by_json_schema(event)}
    assert faults == set()
