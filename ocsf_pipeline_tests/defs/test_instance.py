"""Dagster's own configuration: the files that users start from load, and say what they must."""

from __future__ import annotations

import shutil
from pathlib import Path

import dagster as dg
import yaml

_ROOT = Path(__file__).parents[2]


def test_the_instance_loads_with_pools_that_free_their_slots(tmp_path: Path) -> None:
    shutil.copy(_ROOT / "dagster.yaml", tmp_path / "dagster.yaml")
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert instance.run_monitoring_enabled
        settings = instance.run_monitoring_settings
        assert settings["free_slots_after_run_end_seconds"] > 0
        assert settings["max_runtime_seconds"] > 0
        assert not instance.telemetry_enabled
        assert instance.get_concurrency_config().pool_config.default_pool_limit == 1


def test_the_workspace_names_our_definitions() -> None:
    workspace = yaml.safe_load((_ROOT / "workspace.yaml").read_text())
    module = workspace["load_from"][0]["python_module"]["module_name"]
    assert module == "ocsf_pipeline.definitions"
