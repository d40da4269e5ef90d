"""Another OCSF release becomes the target: history is mapped to it, through Dagster's own APIs."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import dagster as dg
import polars as pl

from ocsf_pipeline.logs.layout import format_partition
from ocsf_pipeline_tests.fakes.mapped_logs import judge_by_json_schema
from ocsf_pipeline_tests.fakes.pipeline import (
    HOUR,
    Pipeline,
    build_pipeline,
    make_duo_lines,
    make_ssh_lines,
)

NEXT = HOUR + timedelta(hours=1)
BEFORE, AFTER = "1.8.0", "1.3.0"


def read_events(pipeline: Pipeline) -> pl.DataFrame:
    return pipeline.tables.run_query(
        "SELECT event_uid, hour, schema_version, mapping_version, toString(event) AS event "
        "FROM events ORDER BY event_uid"
    )


def read_versions(rows: pl.DataFrame) -> set[tuple[str, str]]:
    return {
        (version, json.loads(event)["metadata"]["version"])
        for version, event in rows.select("schema_version", "event").iter_rows()
    }


def find_faults(rows: pl.DataFrame) -> list[str]:
    events: list[dict[str, Any]] = [json.loads(text) for text in rows["event"]]
    return sorted({fault for event in events for fault in judge_by_json_schema(event)})


def plan_hours(pipeline: Pipeline, instance: dg.DagsterInstance) -> list[str]:
    planned = pipeline.run("reclassification_job", instance)
    metadata = planned.asset_materializations_for_node("reclassification_plan")[0].metadata
    return sorted(str(hour) for hour in metadata["hours"].value or ())


def request_hours(pipeline: Pipeline, instance: dg.DagsterInstance) -> list[str]:
    """Run what the sensor asks for; return its hours."""
    context = dg.build_sensor_context(instance=instance, definitions=pipeline.definitions)
    sensor = pipeline.definitions.resolve_sensor_def("hours_to_reclassify")
    requests = sensor.evaluate_tick(context).run_requests or []
    job = pipeline.definitions.resolve_job_def("reclassified_hour_job")
    for request in requests:
        job.execute_in_process(instance=instance, partition_key=request.partition_key)
    return sorted(str(request.partition_key) for request in requests)


def test_hours_are_mapped_again_when_the_target_version_changes(
    pipeline: Pipeline, instance: dg.DagsterInstance
) -> None:
    pipeline.drop("ssh.log", make_ssh_lines(12))
    pipeline.drop("duo.ndjson", make_duo_lines(9), NEXT)
    for hour in (HOUR, NEXT):
        pipeline.run("hour_job", instance, hour)
    before = read_events(pipeline)
    assert read_versions(before) == {(BEFORE, BEFORE)}
    assert plan_hours(pipeline, instance) == [], "nothing changed yet"

    changed = build_pipeline(pipeline.folder, schema_version=AFTER)
    changed.run("knowledge_job", instance)
    hours = sorted(format_partition(hour) for hour in (HOUR, NEXT))
    assert plan_hours(changed, instance) == hours
    assert read_versions(read_events(changed)) == {(BEFORE, BEFORE)}, "planning writes no event"
    assert request_hours(changed, instance) == hours

    after = read_events(changed)
    assert read_versions(after) == {(AFTER, AFTER)}
    assert find_faults(after) == []
    assert after["event_uid"].equals(before["event_uid"]), "the same logs, once each"
    assert set(after["mapping_version"]).isdisjoint(before["mapping_version"])
    assert plan_hours(changed, instance) == [], "and nothing is left to do"
