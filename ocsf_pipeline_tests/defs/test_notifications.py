"""Failed runs and unusual events reach a messenger: once, together, and only when one is named."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from unittest import mock

import dagster as dg
import polars as pl
import pytest

from ocsf_pipeline.ports import TransientPortError
from ocsf_pipeline.steps.health import FailedRun, HealthCursor, watch_health, write_failures
from ocsf_pipeline_tests.fakes.notifier import FakeNotifier
from ocsf_pipeline_tests.fakes.pipeline import HOUR, Pipeline, make_ssh_lines


def tick(
    pipeline: Pipeline,
    instance: dg.DagsterInstance,
    name: str,
    notifier: FakeNotifier | None,
    cursor: str | None = None,
) -> tuple[str | None, str]:
    """Evaluate a sensor; return its cursor and what it says."""
    sensor = pipeline.definitions.resolve_sensor_def(name)
    given = {"notifier": dg.ResourceDefinition.hardcoded_resource(notifier)}
    if name == "health":
        given["event_tables"] = dg.ResourceDefinition.hardcoded_resource(pipeline.tables)
    with dg.build_sensor_context(instance=instance, cursor=cursor, resources=given) as context:
        data = sensor.evaluate_tick(context)
    return data.cursor, str(data.skip_message)


@pytest.mark.parametrize("name", ["failed_runs", "health"])
def test_nothing_is_done_until_a_messenger_is_named(
    pipeline: Pipeline, instance: dg.DagsterInstance, name: str
) -> None:
    _cursor, said = tick(pipeline, instance, name, None)
    assert "OCSF_PIPELINE_NOTIFY_URLS is empty" in said


def test_failed_runs_are_told_once_with_their_error(
    pipeline: Pipeline, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    notifier = FakeNotifier()
    cursor, _said = tick(pipeline, instance, "failed_runs", notifier)
    pipeline.drop("a.log", make_ssh_lines(2))
    broken = mock.Mock(side_effect=RuntimeError("the disk is full"))
    monkeypatch.setattr(pipeline.tables, "replace_hour", broken)
    result = pipeline.run("hour_job", instance, HOUR, raise_on_error=False)
    assert not result.success

    notifier.is_down = True
    with pytest.raises(TransientPortError):
        tick(pipeline, instance, "failed_runs", notifier, cursor)
    notifier.is_down = False
    cursor, _said = tick(pipeline, instance, "failed_runs", notifier, cursor)
    [(title, text)] = notifier.messages
    assert title == "ocsf_pipeline: 1 run failed"
    assert "hour_job" in text
    assert "2026-11-20-10:00" in text
    assert "classified_events" in text
    assert "the disk is full" in text
    _cursor, said = tick(pipeline, instance, "failed_runs", notifier, cursor)
    assert (len(notifier.messages), said) == (1, "no run failed")


def test_a_hundred_failures_of_one_kind_are_one_paragraph() -> None:
    failed = [FailedRun(f"r{n}", "hour_job", f"h{n}", "down <b>@all") for n in range(100)]
    title, text = write_failures([*failed, FailedRun("r", "hour_job", "", "other")])
    assert title == "ocsf_pipeline: 101 runs failed"
    assert (
        text == "hour_job (h0, h1, h2, h3, h4 and 95 more):\ndown ?b??all\n\nhour_job (r):\nother"
    )


class Tables:
    """Tables that hold a week of one steady source and class."""

    def __init__(self, newest: datetime, last: int = 1_000) -> None:
        self.newest, self.last = newest, last

    def __enter__(self) -> Tables:
        return self

    def __exit__(self, *_arguments: object) -> None:
        return

    def run_query(self, sql: str, parameters: object = None) -> pl.DataFrame:
        if "FROM batches" in sql:
            return pl.DataFrame({"hour": [self.newest], "n": [1]})
        hours = [self.newest - timedelta(hours=n) for n in range(168)]
        counts = [self.last if n < 2 else 1_000 for n in range(168)]
        frame = pl.DataFrame({"hour": hours, "n": counts}).filter(pl.col("n") > 0)
        name = "Authentication" if "class_uid" in sql else "sshd"
        return frame.with_columns(pl.lit(3002).alias("class_uid"), pl.lit(name).alias("name"))


def test_an_alert_is_told_when_it_begins_and_when_it_is_over() -> None:
    notifier, cursor = FakeNotifier(), HealthCursor()

    def watch(now: datetime, last: int) -> None:
        nonlocal cursor
        tables = Tables(now.replace(minute=0), last)
        _new, after = watch_health(tables, notifier, cursor, now)  # type: ignore[arg-type]
        cursor = HealthCursor.from_text(after.to_text())

    now = datetime(2026, 11, 20, 10, 20, tzinfo=UTC)
    watch(now, 1_000)
    assert notifier.messages == []
    watch(now + timedelta(hours=1), 90_000)
    assert notifier.messages[0][0].startswith("ocsf_pipeline: More of Authentication")
    assert "SELECT hour, source" in notifier.messages[0][1]
    watch(now + timedelta(hours=1, minutes=10), 90_000)
    watch(now + timedelta(hours=2), 90_000)
    assert len(notifier.messages) == 1, "told already"
    watch(now + timedelta(hours=3), 1_000)
    assert notifier.messages[1][1].startswith("Over: More of Authentication")


def test_a_standstill_is_told_once() -> None:
    notifier, cursor = FakeNotifier(), HealthCursor()
    newest = datetime(2026, 11, 20, 10, tzinfo=UTC)
    for hours in (2, 5, 6):
        _new, cursor = watch_health(
            Tables(newest),
            notifier,
            cursor,
            newest + timedelta(hours=hours),  # type: ignore[arg-type]
        )
    assert [title for title, _text in notifier.messages] == [
        "ocsf_pipeline: Nothing was written since 2026-11-20 10:00 UTC"
    ]
    _new, cursor = watch_health(
        Tables(newest + timedelta(hours=6)),
        notifier,
        cursor,
        newest + timedelta(hours=7),  # type: ignore[arg-type]
    )
    assert notifier.messages[-1][1].startswith("Over: Nothing was written")


def test_health_reads_the_real_tables(pipeline: Pipeline, instance: dg.DagsterInstance) -> None:
    notifier = FakeNotifier()
    _cursor, said = tick(pipeline, instance, "health", notifier)
    assert said == "no hour was written yet"
    pipeline.drop("a.log", make_ssh_lines(4))
    pipeline.run("hour_job", instance, HOUR)
    cursor, said = tick(pipeline, instance, "health", notifier)
    assert said == "1 new alerts, 1 in force"
    query = notifier.messages[0][1].splitlines()[-1]
    assert pipeline.tables.run_query(query)["logs"].to_list() == [4]
    with pytest.raises(TransientPortError):
        notifier.is_down = True
        tick(pipeline, instance, "health", notifier)
    assert HealthCursor.from_text(cursor).told


def test_a_messenger_that_is_down_keeps_the_message_for_later() -> None:
    notifier = FakeNotifier()
    notifier.is_down = True
    newest = datetime(2026, 11, 20, 10, tzinfo=UTC)
    with pytest.raises(TransientPortError):
        watch_health(Tables(newest), notifier, HealthCursor(), newest + timedelta(hours=9))  # type: ignore[arg-type]
