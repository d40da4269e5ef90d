"""An hour through Dagster's real APIs: every kind of object, twice, late, rewritten, broken."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta

import dagster as dg
import polars as pl
import pytest

from ocsf_pipeline.adapters.embedded_index import EmbeddedClassIndex
from ocsf_pipeline.steps import events, rankers
from ocsf_pipeline.steps.events import prepare_tables
from ocsf_pipeline.steps.schema import load_schema
from ocsf_pipeline_tests.fakes.pipeline import (
    HOUR,
    Pipeline,
    build_pipeline,
    make_duo_lines,
    make_ssh_lines,
)

_BALANCE = """
SELECT sum(read_count) AS read, sum(classified_count) AS classified,
       sum(review_count) AS review, sum(quarantined_count) AS quarantined
FROM batches
"""


def read_rows(pipeline: Pipeline, columns: str = "*") -> pl.DataFrame:
    return pipeline.tables.run_query(f"SELECT {columns} FROM events ORDER BY event_uid")


def test_an_hour_becomes_rows_and_nothing_is_lost(
    pipeline: Pipeline, instance: dg.DagsterInstance
) -> None:
    pipeline.drop("ssh.log", make_ssh_lines(40))
    pipeline.drop("duo.ndjson.gz", gzip.compress(make_duo_lines(25)))
    pipeline.drop("broken.ndjson", b'{"a": 1}\n{"half": "a li\n\xff\xfe not text\n{"b": 2}\n')
    pipeline.drop("cut.gz", gzip.compress(make_ssh_lines(500))[:-200])
    result = pipeline.run("hour_job", instance, HOUR)

    assert result.success
    balance = pipeline.tables.run_query(_BALANCE).row(0, named=True)
    assert balance["read"] == (balance["classified"] + balance["review"] + balance["quarantined"])
    reasons = pipeline.tables.run_query(
        "SELECT reason, count() AS n FROM quarantine GROUP BY reason"
    )
    assert set(reasons["reason"]) == {"invalid_json", "invalid_utf8", "corrupt_compression"}
    rows = read_rows(pipeline)
    assert len(rows) == balance["classified"] + balance["review"]
    assert rows["event_uid"].is_unique().all()
    prepare_tables(pipeline.tables, load_schema(pipeline.artefacts))
    logons = pipeline.tables.run_query(
        "SELECT user_name, src_ip FROM authentication WHERE src_ip LIKE '198.51.100.%' LIMIT 5"
    )
    assert len(logons) == 5
    assert logons["user_name"].str.starts_with("u").all()
    checks = {item.check_name: item.passed for item in result.get_asset_check_evaluations()}
    assert checks["everything_accounted_for"]
    assert checks["read_equals_written"]
    assert checks["events_are_valid"]


def test_an_hour_without_new_templates_needs_neither_ranker_nor_index(
    pipeline: Pipeline, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.drop("ssh.log", make_ssh_lines(10))
    pipeline.run("hour_job", instance, HOUR)
    before = len(read_rows(pipeline))

    def refuse(*_given: object) -> None:
        raise AssertionError("nothing is new in this hour")

    monkeypatch.setattr(rankers, "_remember_ranker", refuse)
    monkeypatch.setattr(EmbeddedClassIndex, "_load_current", refuse)
    later = HOUR + timedelta(hours=1)
    pipeline.drop("ssh.log", make_ssh_lines(10), later)
    pipeline.run("hour_job", instance, later)
    assert len(read_rows(pipeline)) == 2 * before

    pipeline.drop("duo.ndjson", make_duo_lines(5), later)
    assert not pipeline.run("hour_job", instance, later, raise_on_error=False).success


def test_running_an_hour_again_changes_nothing(
    pipeline: Pipeline, instance: dg.DagsterInstance
) -> None:
    pipeline.drop("ssh.log", make_ssh_lines(10))
    pipeline.run("hour_job", instance, HOUR)
    before = read_rows(pipeline)
    second = pipeline.run("hour_job", instance, HOUR)
    metadata = second.asset_materializations_for_node("classified_events")[0].metadata
    assert metadata["was_up_to_date"].value is True
    read = second.asset_materializations_for_node("normalized_logs")[0].metadata
    assert read["objects_read_in_this_run"].value == 0
    assert read_rows(pipeline).equals(before)


def test_rows_that_were_deleted_by_hand_come_back(
    pipeline: Pipeline, instance: dg.DagsterInstance
) -> None:
    pipeline.drop("ssh.log", make_ssh_lines(10))
    pipeline.run("hour_job", instance, HOUR)
    with pipeline.tables:
        for table in ("events", "quarantine", "batches"):
            pipeline.tables.execute(f"TRUNCATE TABLE {table}")
    pipeline.run("hour_job", instance, HOUR)
    assert len(read_rows(pipeline)) == 10


def test_late_rewritten_and_deleted_objects_change_their_hour_only(
    pipeline: Pipeline, instance: dg.DagsterInstance
) -> None:
    # Of hours that are older than the window, events outlive their objects.
    window = datetime.now(UTC) - HOUR + timedelta(days=1)
    pipeline = build_pipeline(pipeline.folder, drop_window=window)
    other = HOUR + timedelta(hours=1)
    pipeline.drop("a.log", make_ssh_lines(10))
    pipeline.drop("b.log", make_ssh_lines(7), other)
    for hour in (HOUR, other):
        pipeline.run("hour_job", instance, hour)
    untouched = read_rows(pipeline).filter(pl.col("hour") == other)

    pipeline.drop("late.log", make_ssh_lines(5, minute=3))
    pipeline.drop("a.log", make_ssh_lines(4))
    pipeline.run("hour_job", instance, HOUR)
    rows = read_rows(pipeline)
    assert len(rows.filter(pl.col("hour") == HOUR)) == 9
    assert rows.filter(pl.col("hour") == other).equals(untouched)

    for name in ("a.log", "late.log"):
        pipeline.objects.delete_object(f"logs/dt=2026-11-20/hour=10/{name}")
    pipeline.run("hour_job", instance, HOUR)
    assert read_rows(pipeline).equals(untouched)


def test_an_empty_hour_succeeds_with_a_warning(
    pipeline: Pipeline, instance: dg.DagsterInstance
) -> None:
    result = pipeline.run("hour_job", instance, HOUR)
    assert result.success
    checks = {item.check_name: item for item in result.get_asset_check_evaluations()}
    assert not checks["hour_has_logs"].passed
    assert checks["hour_has_logs"].severity == dg.AssetCheckSeverity.WARN


def test_counts_that_do_not_add_up_stop_the_hour(
    pipeline: Pipeline, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.drop("ssh.log", make_ssh_lines(10))
    pipeline.run("hour_job", instance, HOUR)
    before = read_rows(pipeline)
    pipeline.drop("more.log", make_ssh_lines(6, minute=5))
    real = events.gather_records
    monkeypatch.setattr(
        events, "gather_records", lambda *given: (frame.head(3) for frame in real(*given))
    )
    result = pipeline.run("hour_job", instance, HOUR, raise_on_error=False)
    assert not result.success
    assert read_rows(pipeline).equals(before)
