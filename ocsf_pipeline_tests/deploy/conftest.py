"""Fixtures: docker-compose.yml as a compose implementation understands it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ocsf_pipeline_tests.fakes.compose import make_secrets, read_compose


@pytest.fixture(scope="session")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What deploy/make_secrets.sh makes, in a folder of its own."""
    return make_secrets(tmp_path_factory.mktemp("deploy"))


@pytest.fixture(scope="session")
def compose(secrets: Path) -> dict[str, Any]:
    done = read_compose("--env-file", str(secrets), "--profile", "trieve")
    assert done.returncode == 0, done.stderr
    loaded: dict[str, Any] = yaml.safe_load(done.stdout)
    return loaded


@pytest.fixture(scope="session")
def services(compose: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = compose["services"]
    return found
