"""The definitions: loaded in a fresh interpreter, complete, and one word per stage."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from ocsf_pipeline.definitions import build_defs

_STAGES = {"schema", "knowledge", "logs", "classify", "events", "tables"}
_ASSETS = {
    "ocsf_schema": "schema", "class_chunks": "schema", "labelled_examples": "knowledge",
    "knowledge_base": "knowledge", "class_ranker": "knowledge", "normalized_logs": "logs",
    "classification_benchmark": "classify",
    "template_decisions": "classify", "reclassification_plan": "classify",
    "classified_events": "events", "analyst_views": "tables", "security_lake_export": "tables",
}  # fmt: skip


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return build_defs()


def list_specs(definitions: dg.Definitions) -> dict[str, dg.AssetSpec]:
    specs = definitions.resolve_all_asset_specs()
    return {spec.key.to_user_string(): spec for spec in specs}


def test_definitions_load_in_a_fresh_interpreter_without_reading_settings() -> None:
    code = (
        "import os; os.environ['OCSF_PIPELINE_WORKERS'] = 'nonsense'\n"
        "from ocsf_pipeline.definitions import build_defs; build_defs()\n"
    )
    loaded = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:ocsf_pipeline", "-c", code],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert loaded.returncode == 0, loaded.stderr[-2_000:]


def test_every_asset_is_there_in_the_group_of_its_stage(definitions: dg.Definitions) -> None:
    groups = {name: spec.group_name for name, spec in list_specs(definitions).items()}
    assert groups == _ASSETS
    assert set(groups.values()) == _STAGES


def test_every_asset_says_what_it_is(definitions: dg.Definitions) -> None:
    for name, spec in list_specs(definitions).items():
        assert spec.description, name
        assert spec.owners, name
        assert spec.kinds, name
        assert spec.code_version, name


def test_partitioned_assets_are_backfilled_in_bounded_runs(definitions: dg.Definitions) -> None:
    for name in ("normalized_logs", "template_decisions", "classified_events"):
        asset = definitions.resolve_assets_def(name)
        assert isinstance(asset.partitions_def, dg.HourlyPartitionsDefinition), name
        policy = asset.backfill_policy
        assert policy is not None, name
        assert policy.max_partitions_per_run == 1, name


def test_sensors_schedules_and_jobs_are_described(definitions: dg.Definitions) -> None:
    repository = definitions.get_repository_def()
    assert {sensor.name for sensor in repository.sensor_defs} >= {
        "new_drops", "knowledge_changed", "hours_to_reclassify", "knowledge_drifted",
        "overrides_to_learn",
    }  # fmt: skip
    assert {schedule.name for schedule in repository.schedule_defs} == {
        "daily_schema_check", "daily_upkeep", "hourly_drift_check", "hourly_logs",
    }  # fmt: skip
    for item in (*repository.sensor_defs, *repository.schedule_defs):
        assert item.description, item.name
