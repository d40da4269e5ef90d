"""Dagster's own configuration: the files that servers and laptops start from load, and say what
they must."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy
import yaml
from dagster._core.instance.ref import InstanceRef
from dagster._core.workspace.load import location_origins_from_yaml_paths
from dagster_aws.s3 import S3ComputeLogManager
from dagster_docker import DockerRunLauncher
from dagster_postgres import DagsterPostgresStorage

ROOT = Path(__file__).parents[2]
LAPTOP = ROOT / "deploy" / "laptop"

SERVER_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_ENDPOINT_URL": "http://s3:8333",
    "AWS_REGION": "us-east-1",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "DAGSTER_CODE_HOST": "code",
    "DAGSTER_CODE_PORT": "4000",
    "DAGSTER_LOGS_BUCKET": "artefacts",
    "DAGSTER_POSTGRES_DB": "dagster",
    "DAGSTER_POSTGRES_HOST": "postgres",
    "DAGSTER_POSTGRES_PASSWORD": "unseen",
    "DAGSTER_POSTGRES_PORT": "5432",
    "DAGSTER_POSTGRES_USER": "dagster",
    "DAGSTER_RUN_NETWORK": "ocsf_core",
}


@pytest.fixture
def laptop(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    shutil.copy(LAPTOP / "dagster.yaml", tmp_path / "dagster.yaml")
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        yield instance


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> InstanceRef:
    """The production file as Dagster reads it; `make rehearse` opens it on a real Postgres."""
    for name, value in SERVER_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return InstanceRef.from_dir(str(ROOT), config_dir=str(ROOT))


def test_a_laptop_frees_the_slots_of_its_pools(laptop: dg.DagsterInstance) -> None:
    assert laptop.run_monitoring_enabled
    settings = laptop.run_monitoring_settings
    assert settings["free_slots_after_run_end_seconds"] > 0
    assert settings["max_runtime_seconds"] > 0
    assert not laptop.telemetry_enabled
    assert laptop.get_concurrency_config().pool_config.default_pool_limit == 1


def test_a_server_starts_a_container_per_run(server: InstanceRef) -> None:
    launcher = server.run_launcher
    assert isinstance(launcher, DockerRunLauncher)
    assert launcher.networks == ["ocsf_core"]
    kwargs = launcher.container_kwargs
    assert kwargs["read_only"] is True
    assert kwargs["cap_drop"] == ["ALL"]
    # By name only: a value here would be written to Dagster's database with every run.
    assert not [name for name in launcher.env_vars if "=" in name]


def test_a_server_keeps_its_state_in_postgres_and_its_logs_in_the_store(
    server: InstanceRef,
) -> None:
    assert server.storage_data is not None
    assert server.storage_data.class_name == DagsterPostgresStorage.__name__
    assert isinstance(server.compute_log_manager, S3ComputeLogManager)
    assert "unseen" not in server.storage_data.config_yaml
    database = yaml.safe_load(server.storage_data.config_yaml)["postgres_db"]
    # The driver that the scheme names is one that is installed.
    sqlalchemy.create_engine(f"{database['scheme']}://user@host/name").dispose()


def test_a_server_watches_its_runs(server: InstanceRef) -> None:
    settings = server.settings
    assert settings["telemetry"] == {"enabled": False}
    monitoring = settings["run_monitoring"]
    assert monitoring["enabled"]
    for name in (
        "start_timeout_seconds", "max_runtime_seconds", "free_slots_after_run_end_seconds",
    ):  # fmt: skip
        assert monitoring[name] > 0, name
    assert settings["run_retries"]["enabled"]
    assert settings["retention"]["sensor"]["purge_after_days"]["skipped"] > 0
    assert settings["concurrency"]["pools"]["default_limit"] > 1


def test_the_workspaces_name_our_code(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SERVER_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    (served,) = location_origins_from_yaml_paths([str(ROOT / "workspace.yaml")])
    assert (served.host, served.port) == ("code", 4000)  # type: ignore[attr-defined]
    laptop = yaml.safe_load((LAPTOP / "workspace.yaml").read_text())
    module = laptop["load_from"][0]["python_module"]["module_name"]
    assert module == "ocsf_pipeline.definitions"
    assert served.location_name == laptop["load_from"][0]["python_module"]["location_name"]
