"""From an analyst's decision to similar templates that follow, through Dagster."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from ocsf_pipeline.steps.events import prepare_tables
from ocsf_pipeline.steps.overrides import OverrideRequest, apply_override
from ocsf_pipeline.steps.schema import load_schema
from ocsf_pipeline_tests.fakes.pipeline import HOUR, Pipeline, make_ssh_lines

NEXT, LAST = HOUR + timedelta(hours=1), HOUR + timedelta(hours=2)
DRONES = 8001


def reticulate(word: str, count: int) -> bytes:
    lines = [
        f"Nov 20 10:00:{n:02} h frobnicator[{n}]: grommet {n} was {word} by spline {n}\n"
        for n in range(count)
    ]
    return "".join(lines).encode()


@pytest.fixture
def reviewed(pipeline: Pipeline, instance: dg.DagsterInstance) -> Pipeline:
    """Three hours: one of a product that nobody knows, one of its cousin, one of known logs."""
    pipeline.drop("a.log", reticulate("reticulated", 5))
    pipeline.drop("b.log", reticulate("gently reticulated", 4), NEXT)
    pipeline.drop("c.log", make_ssh_lines(6), LAST)
    for hour in (HOUR, NEXT, LAST):
        pipeline.run("hour_job", instance, hour)
    prepare_tables(pipeline.tables, load_schema(pipeline.artefacts))
    return pipeline


def read_classes(pipeline: Pipeline, view: str) -> dict[datetime, set[int]]:
    found = pipeline.tables.run_query(
        f"SELECT hour, groupUniqArray(class_uid) AS classes FROM {view} GROUP BY hour"
    )
    return {hour: set(classes) for hour, classes in found.rows()}


def override_first(pipeline: Pipeline) -> str:
    template_id = pipeline.tables.run_query(
        "SELECT any(template_id) AS id FROM events WHERE hour = {hour:DateTime64(6, 'UTC')}",
        {"hour": HOUR},
    )["id"].item()
    request = OverrideRequest("template", DRONES, "ana", "splines fly", 1, template_id=template_id)
    applied = apply_override(
        pipeline.tables, pipeline.artefacts, load_schema(pipeline.artefacts), request,
        datetime(2026, 11, 20, 12, tzinfo=UTC),
    )  # fmt: skip
    assert applied.preview.changed_count == 5
    return applied.override_id


def test_similar_templates_follow_and_other_hours_are_left_alone(
    reviewed: Pipeline, instance: dg.DagsterInstance
) -> None:
    before = read_classes(reviewed, "events")
    assert DRONES not in before[HOUR] | before[NEXT]
    override_first(reviewed)
    shown = read_classes(reviewed, "current_events")
    assert shown[HOUR] == {DRONES}, "the views show it at once"
    assert shown[NEXT] == before[NEXT]
    assert read_classes(reviewed, "events") == before, "the machine's decision is kept"

    learned = reviewed.run("knowledge_job", instance)
    metadata = learned.asset_materializations_for_node("labelled_examples")[0].metadata
    assert metadata["from_overrides"].value == 1
    planned = reviewed.run("reclassification_job", instance)
    metadata = planned.asset_materializations_for_node("reclassification_plan")[0].metadata
    hours = metadata["hours"].value
    assert len(hours) == 2
    for hour in hours:
        reviewed.definitions.resolve_job_def("reclassified_hour_job").execute_in_process(
            instance=instance, partition_key=hour
        )
    after = read_classes(reviewed, "events")
    assert after[HOUR] == after[NEXT] == {DRONES}, "the cousin followed"
    assert after[LAST] == before[LAST]
    written = reviewed.tables.run_query(
        "SELECT hour, count() AS n FROM hour_writes WHERE action = 'committed' "
        "GROUP BY hour ORDER BY hour"
    )
    assert dict(written.rows()) == {HOUR: 2, NEXT: 2, LAST: 1}, "only the hours it touches"
