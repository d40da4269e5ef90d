"""From an analyst's decision to similar templates that follow, through Dagster."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from ocsf_pipeline.logs.layout import format_partition
from ocsf_pipeline.ports import PermanentPortError
from ocsf_pipeline.steps.classify import load_decider
from ocsf_pipeline.steps.events import prepare_tables
from ocsf_pipeline.steps.overrides import OverrideRequest, apply_override
from ocsf_pipeline.steps.reclassify import preview_decisions
from ocsf_pipeline.steps.releases import list_releases, pin_release, unpin_release
from ocsf_pipeline.steps.schema import load_schema
from ocsf_pipeline_tests.fakes.embedder import FakeEmbedder
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


def tick(pipeline: Pipeline, instance: dg.DagsterInstance, name: str, cursor: str | None) -> Any:
    sensor = pipeline.definitions.resolve_sensor_def(name)
    resources = pipeline.definitions.resources or {}
    keys = {
        "overrides_to_learn": ("artefacts", "class_indexes", "settings"),
        "knowledge_changed": ("settings",),
    }
    context = dg.build_sensor_context(
        instance=instance, cursor=cursor, definitions=pipeline.definitions,
        resources={key: resources[key] for key in keys.get(name, ())},
    )  # fmt: skip
    with context:
        return sensor.evaluate_tick(context)


def learn(pipeline: Pipeline, instance: dg.DagsterInstance, is_dry_run: bool = False) -> Any:
    """Learn and plan; return the plan's metadata."""
    pipeline.run("learning_job", instance)
    return plan(pipeline, instance, is_dry_run)


def plan(pipeline: Pipeline, instance: dg.DagsterInstance, is_dry_run: bool = False) -> Any:
    planned = pipeline.definitions.resolve_job_def("reclassification_job").execute_in_process(
        instance=instance,
        run_config={"ops": {"reclassification_plan": {"config": {"dry_run": is_dry_run}}}},
    )
    return planned.asset_materializations_for_node("reclassification_plan")[0].metadata


def rewrite(pipeline: Pipeline, instance: dg.DagsterInstance) -> list[str]:
    """Run what the sensor requests; return the hours."""
    requests = tick(pipeline, instance, "hours_to_reclassify", None).run_requests or []
    for request in requests:
        pipeline.definitions.resolve_job_def("reclassified_hour_job").execute_in_process(
            instance=instance, partition_key=request.partition_key
        )
    return sorted(request.partition_key for request in requests)


def test_a_dry_run_shows_what_changes_and_changes_nothing(
    reviewed: Pipeline, instance: dg.DagsterInstance
) -> None:
    before = read_classes(reviewed, "events")
    override_first(reviewed)
    shown = learn(reviewed, instance, is_dry_run=True)
    assert shown["is_dry_run"].value is True
    assert len(shown["hours"].value) == 2
    assert shown["events_changed"].value == 9
    assert "Drone Flights Activity" in shown["changes"].value
    assert "grommet" in shown["examples"].value
    assert rewrite(reviewed, instance) == []
    assert read_classes(reviewed, "events") == before

    real = plan(reviewed, instance)
    assert real["hours"].value == shown["hours"].value, "the dry run marked nothing as done"
    assert plan(reviewed, instance, is_dry_run=True)["is_dry_run"].value
    assert rewrite(reviewed, instance) == real["hours"].value, "a later dry run hides no plan"
    assert read_classes(reviewed, "events")[NEXT] == {DRONES}


def test_going_back_to_an_earlier_release_brings_its_classes_back(
    reviewed: Pipeline, instance: dg.DagsterInstance
) -> None:
    artefacts = reviewed.artefacts
    before = reviewed.tables.run_query("SELECT * FROM events ORDER BY event_uid")
    (first,) = [item.release for item in list_releases(artefacts)]
    override_first(reviewed)
    learn(reviewed, instance)
    assert len(rewrite(reviewed, instance)) == 2
    newest = list_releases(artefacts)[0]
    assert newest.is_in_force
    assert newest.release.example_count == first.example_count + 1

    decider = load_decider(artefacts, reviewed.class_index, FakeEmbedder())
    named = decider.name_version(
        first.version, first.ranker_version, first.schema_version, first.threshold
    )
    shown = preview_decisions(artefacts, named)
    assert (len(shown.hours), shown.event_count, shown.undecided_count) == (2, 9, 0)

    pin_release(artefacts, first.version[:6], first.schema_version)
    metadata = learn(reviewed, instance)
    assert metadata["hours"].value == [format_partition(hour) for hour in shown.hours]
    rewrite(reviewed, instance)
    after = reviewed.tables.run_query("SELECT * FROM events ORDER BY event_uid")
    assert after.equals(before), "provenance included"
    assert next(item for item in list_releases(artefacts) if item.is_pinned).is_in_force

    assert learn(reviewed, instance)["hours"].value == [], "it stays there"
    assert unpin_release(artefacts)
    learn(reviewed, instance)
    rewrite(reviewed, instance)
    assert read_classes(reviewed, "events")[NEXT] == {DRONES}


def test_a_release_of_another_schema_is_refused(reviewed: Pipeline) -> None:
    version = list_releases(reviewed.artefacts)[0].release.version
    with pytest.raises(PermanentPortError, match="OCSF_PIPELINE_SCHEMA_VERSION"):
        pin_release(reviewed.artefacts, version, "1.0.0")
    with pytest.raises(PermanentPortError, match=f"there are: {version}"):
        pin_release(reviewed.artefacts, "nowhere", "1.0.0")


def test_analysts_are_learned_from_once_they_pause(
    reviewed: Pipeline, instance: dg.DagsterInstance
) -> None:
    first = tick(reviewed, instance, "overrides_to_learn", None)
    assert not first.run_requests
    override_first(reviewed)  # in the past of 2026-11-20, long ago
    due = tick(reviewed, instance, "overrides_to_learn", first.cursor)
    assert len(due.run_requests) == 1
    assert not tick(reviewed, instance, "overrides_to_learn", due.cursor).run_requests

    note = json.loads(reviewed.artefacts.read_object("overrides/latest.json"))
    fresh = {**note, "override_id": "new", "created_at": datetime.now(UTC).isoformat()}
    reviewed.artefacts.write_object("overrides/latest.json", json.dumps(fresh).encode())
    assert not tick(reviewed, instance, "overrides_to_learn", due.cursor).run_requests

    release = list_releases(reviewed.artefacts)[0].release
    pin_release(reviewed.artefacts, release.version, release.schema_version)
    pinned = tick(reviewed, instance, "overrides_to_learn", due.cursor)
    assert len(pinned.run_requests) == 1, "a pin does not wait"
