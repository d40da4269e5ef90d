"""Fixtures: docker-compose.yml as a compose implementation understands it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ENGINE = ROOT / "ocsf_pipeline_tests" / "fakes" / "podman.sh"

ReadCompose = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What deploy/make_secrets.sh makes, in a folder of its own."""
    folder = tmp_path_factory.mktemp("deploy")
    script = folder / "make_secrets.sh"
    script.write_text((ROOT / "deploy" / "make_secrets.sh").read_text())
    subprocess.run(["bash", script], check=True, capture_output=True)
    return folder / "compose.env"


@pytest.fixture(scope="session")
def read_compose() -> ReadCompose:
    """Let podman-compose, which needs no engine to read a file, interpolate and print it."""

    def read(*options: str) -> subprocess.CompletedProcess[str]:
        program = Path(sys.executable).with_name("podman-compose")
        command = [program, "--podman-path", ENGINE, *options, "config"]
        return subprocess.run(
            command, capture_output=True, text=True, cwd=ROOT, env={"PATH": "/usr/bin:/bin"}
        )

    return read


@pytest.fixture(scope="session")
def compose(read_compose: ReadCompose, secrets: Path) -> dict[str, Any]:
    done = read_compose("--env-file", str(secrets), "--profile", "trieve")
    assert done.returncode == 0, done.stderr
    loaded: dict[str, Any] = yaml.safe_load(done.stdout)
    return loaded


@pytest.fixture(scope="session")
def services(compose: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = compose["services"]
    return found
