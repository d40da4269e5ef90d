"""Sensors on an ephemeral instance: new, late, rewritten, duplicate objects; changed knowledge."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from unittest import mock

import dagster as dg
import pytest

from ocsf_pipeline.logs.layout import format_partition
from ocsf_pipeline.steps import drops
from ocsf_pipeline_tests.fakes.pipeline import HOUR, Pipeline, make_ssh_lines

NEXT = HOUR + timedelta(hours=1)


def tick(
    pipeline: Pipeline, instance: dg.DagsterInstance, name: str, cursor: str | None
) -> dg.SensorResult:
    """Evaluate a sensor as the daemon would."""
    sensor = pipeline.definitions.resolve_sensor_def(name)
    keys = ("objects", "artefacts", "class_indexes", "settings") if name == "new_drops" else ()
    resources = pipeline.definitions.resources or {}
    context = dg.build_sensor_context(
        instance=instance,
        cursor=cursor,
        resources={key: resources[key] for key in keys},
        definitions=pipeline.definitions,
    )
    with context:
        data = sensor.evaluate_tick(context)
    return dg.SensorResult(
        run_requests=list(data.run_requests or []), cursor=data.cursor,
    )  # fmt: skip


def partitions(result: dg.SensorResult) -> list[str | None]:
    return sorted(request.partition_key for request in result.run_requests or [])


def find_pointer(pipeline: Pipeline) -> str:
    """Return the key of what says which ranker is in force for the pipeline's index."""
    listed = pipeline.artefacts.list_objects("classify/class_ranker/")
    [key] = [ref.key for ref in listed if "/index-" in ref.key]
    return key


def run_requested(
    pipeline: Pipeline,
    instance: dg.DagsterInstance,
    result: dg.SensorResult,
    raise_on_error: bool = True,
) -> None:
    for request in result.run_requests or []:
        pipeline.definitions.resolve_job_def(str(request.job_name)).execute_in_process(
            instance=instance,
            partition_key=request.partition_key,
            tags=dict(request.tags),
            raise_on_error=raise_on_error,
        )


def test_exactly_the_hours_that_changed_are_requested(
    pipeline: Pipeline, instance: dg.DagsterInstance
) -> None:
    pipeline.drop("a.log", make_ssh_lines(4))
    pipeline.drop("b.log", make_ssh_lines(4), NEXT)
    first = tick(pipeline, instance, "new_drops", None)
    assert partitions(first) == [format_partition(HOUR), format_partition(NEXT)]
    run_requested(pipeline, instance, first)

    quiet = tick(pipeline, instance, "new_drops", first.cursor)
    assert partitions(quiet) == []

    pipeline.drop("late.log", make_ssh_lines(2, minute=9))
    late = tick(pipeline, instance, "new_drops", None)  # its turn comes by its age
    assert partitions(late) == [format_partition(HOUR)]
    run_requested(pipeline, instance, late)

    pipeline.drop("b.log", make_ssh_lines(9), NEXT)
    rewritten = tick(pipeline, instance, "new_drops", None)
    assert partitions(rewritten) == [format_partition(NEXT)]
    run_requested(pipeline, instance, rewritten)
    assert partitions(tick(pipeline, instance, "new_drops", rewritten.cursor)) == []
    rows = pipeline.tables.run_query(
        "SELECT hour, count() AS n FROM events GROUP BY hour ORDER BY hour"
    )
    assert rows["n"].to_list() == [6, 9]


def test_a_lost_cursor_costs_nothing(pipeline: Pipeline, instance: dg.DagsterInstance) -> None:
    pipeline.drop("a.log", make_ssh_lines(4))
    run_requested(pipeline, instance, tick(pipeline, instance, "new_drops", None))
    for cursor in (None, "", "{}", "not json", "[1]"):
        assert partitions(tick(pipeline, instance, "new_drops", cursor)) == []


def test_the_same_drop_is_requested_under_the_same_key(
    pipeline: Pipeline, instance: dg.DagsterInstance
) -> None:
    pipeline.drop("a.log", make_ssh_lines(4))
    keys = {
        request.run_key
        for _ in range(2)
        for request in tick(pipeline, instance, "new_drops", None).run_requests or []
    }
    assert len(keys) == 1


def fail_requested(
    pipeline: Pipeline, instance: dg.DagsterInstance, result: dg.SensorResult
) -> list[str | None]:
    """Let the requested runs fail; return their keys."""
    for request in result.run_requests or []:
        run = instance.create_run_for_job(
            pipeline.definitions.resolve_job_def("hour_job"),
            tags={**request.tags, "dagster/partition": str(request.partition_key)},
        )
        instance.report_run_failed(run)
    return [request.run_key for request in result.run_requests or []]


def test_an_hour_that_keeps_failing_is_tried_again_at_growing_distances(
    pipeline: Pipeline, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.drop("a.log", make_ssh_lines(4))
    first = tick(pipeline, instance, "new_drops", None)
    assert len(fail_requested(pipeline, instance, first)) == 1
    for _tick in range(3):
        assert partitions(tick(pipeline, instance, "new_drops", first.cursor)) == []
    seen, asked = set(), []
    monkeypatch.setattr(drops, "delay_attempt", lambda count: asked.append(count) or 0.0)
    for _attempt in range(4):
        seen.update(fail_requested(pipeline, instance, tick(pipeline, instance, "new_drops", None)))
    assert len(seen) == 4, "each try has a key of its own"
    assert asked == [1, 2, 3, 4]


def test_an_hour_that_was_read_but_not_written_is_requested_again(
    pipeline: Pipeline, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.drop("a.log", make_ssh_lines(4))
    monkeypatch.setattr(drops, "delay_attempt", lambda _count: 0.0)
    first = tick(pipeline, instance, "new_drops", None)
    with monkeypatch.context() as broken:
        broken.setattr(pipeline.tables, "replace_hour", mock.Mock(side_effect=RuntimeError("down")))
        run_requested(pipeline, instance, first, raise_on_error=False)
    again = tick(pipeline, instance, "new_drops", first.cursor)
    assert partitions(again) == [format_partition(HOUR)]
    run_requested(pipeline, instance, again)
    assert partitions(tick(pipeline, instance, "new_drops", again.cursor)) == []
    assert len(pipeline.tables.run_query("SELECT event_uid FROM events")) == 4


def test_an_hour_with_a_run_under_way_waits_for_its_end(
    pipeline: Pipeline, instance: dg.DagsterInstance
) -> None:
    pipeline.drop("a.log", make_ssh_lines(4))
    run = instance.create_run_for_job(
        pipeline.definitions.resolve_job_def("hour_job"),
        tags={"dagster/partition": format_partition(HOUR)},
        status=dg.DagsterRunStatus.STARTED,
    )
    waiting = tick(pipeline, instance, "new_drops", None)
    assert partitions(waiting) == []
    instance.report_run_canceled(run)
    assert partitions(tick(pipeline, instance, "new_drops", waiting.cursor)) == [
        format_partition(HOUR)
    ]


def test_an_old_hour_keeps_the_events_of_objects_that_retention_deleted(
    pipeline: Pipeline, instance: dg.DagsterInstance
) -> None:
    old = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=10)
    key = pipeline.drop("a.log", make_ssh_lines(4), old)
    first = tick(pipeline, instance, "new_drops", None)
    run_requested(pipeline, instance, first)
    pipeline.objects.delete_object(key)
    assert partitions(tick(pipeline, instance, "new_drops", None)) == []
    pipeline.drop("late.log", make_ssh_lines(2, minute=9), old)
    late = tick(pipeline, instance, "new_drops", None)
    assert partitions(late) == [format_partition(old)]
    run_requested(pipeline, instance, late)
    assert len(pipeline.tables.run_query("SELECT event_uid FROM events")) == 6
    assert partitions(tick(pipeline, instance, "new_drops", None)) == []


def test_without_knowledge_the_knowledge_is_built_first(
    pipeline: Pipeline, instance: dg.DagsterInstance
) -> None:
    pipeline.drop("a.log", make_ssh_lines(4))
    pipeline.artefacts.delete_object(find_pointer(pipeline))
    result = tick(pipeline, instance, "new_drops", None)
    assert [request.job_name for request in result.run_requests or []] == ["knowledge_job"]


def test_a_ranker_of_an_earlier_release_is_made_anew(
    pipeline: Pipeline, instance: dg.DagsterInstance
) -> None:
    pipeline.drop("a.log", make_ssh_lines(4))
    key = find_pointer(pipeline)
    pointer = json.loads(pipeline.artefacts.read_object(key))
    pointer["signature"]["ranker_format"] = 0
    pipeline.artefacts.write_object(key, json.dumps(pointer).encode())
    result = tick(pipeline, instance, "new_drops", None)
    assert [request.job_name for request in result.run_requests or []] == ["knowledge_job"]


def test_changed_knowledge_rewrites_only_the_hours_it_touches(
    pipeline: Pipeline, instance: dg.DagsterInstance
) -> None:
    pipeline.drop("a.log", make_ssh_lines(6))
    pipeline.drop(
        "b.log", b"Nov 20 11:00:00 h frobnicator[7]: grommet 12 was reticulated by spline 9\n", NEXT
    )
    for hour in (HOUR, NEXT):
        pipeline.run("hour_job", instance, hour)
    before = pipeline.tables.run_query("SELECT * FROM events ORDER BY event_uid")

    pack = pipeline.packs.packs["linux_sshd"]
    grommets = pack.events[0].model_copy(
        update={
            "name": "reticulated", "class_uid": 8001, "activity_id": 1, "meaning": "A flight.",
            "acceptable": (),
            "examples": tuple(
                f"Nov 20 11:0{n}:00 h frobnicator[{n}]: grommet {n} was reticulated by spline {n}"
                for n in range(9)
            ),
        }
    )  # fmt: skip
    pipeline.packs.packs["frobnicator"] = pack.model_copy(
        update={"product": "frobnicator", "events": (grommets,)}
    )
    pipeline.run("knowledge_job", instance)
    planned = pipeline.run("reclassification_job", instance)
    metadata = planned.asset_materializations_for_node("reclassification_plan")[0].metadata
    assert format_partition(NEXT) in metadata["hours"].value
    assert "Drone Flights Activity" in metadata["changes"].value

    requested = tick(pipeline, instance, "hours_to_reclassify", None)
    assert partitions(requested) == sorted(metadata["hours"].value)
    run_requested(pipeline, instance, requested)
    after = pipeline.tables.run_query("SELECT * FROM events ORDER BY event_uid")
    assert after["event_uid"].to_list() == before["event_uid"].to_list()
    changed = after.filter(after["hour"] == NEXT)
    assert changed["class_uid"].to_list() == [8001]
    done = tick(pipeline, instance, "hours_to_reclassify", requested.cursor)
    assert partitions(done) == []
    again = pipeline.run("reclassification_job", instance)
    metadata = again.asset_materializations_for_node("reclassification_plan")[0].metadata
    assert metadata["hours"].value == []
