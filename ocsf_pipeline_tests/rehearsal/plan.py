"""docker-compose.yml -> commands and environments of processes on this machine.

Belongs here: reading the file and replacing what differs without containers: host names by
addresses of the loopback network (each service has its own, so ports stay as they are), paths
of the images by paths of the checkout. Does not belong here: starting anything.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ocsf_pipeline_tests.fakes.compose import ROOT, make_secrets, read_compose

BIN = Path(sys.executable).parent

# One that compose gives its own network; here all of them are this machine's.
ADDRESSES = {
    name: f"127.77.0.{number}"
    for number, name in enumerate(
        ("postgres", "s3", "clickhouse", "docker-api", "code", "webserver", "daemon", "ingest",
         "prepare"),
        start=11,
    )
}  # fmt: skip
_HOSTS = "|".join(sorted(ADDRESSES, key=len, reverse=True))
_IN_URL = re.compile(rf"(?<=[/@])(?:{_HOSTS})(?=:\d)")

# Faster than on servers, so that ten minutes are enough.
HASTE = {
    "DAGSTER_MAX_CONCURRENT_RUNS": "2",
    "DAGSTER_RUN_POLL_SECONDS": "5",
    "DAGSTER_RUN_START_TIMEOUT_SECONDS": "180",
    "DAGSTER_FREE_SLOTS_SECONDS": "5",
}


@dataclass(frozen=True)
class Process:
    """What to start."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(repr=False)
    health: tuple[str, ...] = ()
    """Exits with 0 when the service works; from its health check."""
    user: str | None = None


@dataclass(frozen=True)
class Plan:
    """All services, and the secrets that they were given."""

    services: dict[str, Any]
    folder: Path

    def environment(self, name: str) -> dict[str, str]:
        """Return the environment of a service, as its container would have it."""
        given = self.services[name].get("environment", {})
        replaced = {key: self._replace(name, str(value)) for key, value in given.items()}
        return {**image_environment(self.folder, name), **replaced}

    def command(self, name: str) -> tuple[str, ...]:
        """Return the command of a service of ours, its image's entry point included."""
        service = self.services[name]
        image = (ROOT / service["build"]["dockerfile"]).read_text() if "build" in service else ""
        own = service.get("command") or yaml.safe_load(image.rsplit("\nCMD ", 1)[1])
        first = (
            ["python", "/opt/deploy/dagster_home.py", "/opt/deploy/dagster.yaml", "--"]
            if "ocsf-dagster" in service["image"]
            else []
        )
        return tuple(self._replace(name, word) for word in [*first, *own])

    def process(self, name: str) -> Process:
        """Return a service of ours as a process."""
        check = self.services[name].get("healthcheck", {}).get("test", ["CMD"])[1:]
        health = tuple(self._replace(name, word) for word in check)
        return Process(name, self.command(name), self.environment(name), health)

    def _replace(self, name: str, text: str) -> str:
        if text in ADDRESSES and name != text:
            return ADDRESSES[text]
        text = _IN_URL.sub(lambda match: ADDRESSES[match[0]], text)
        text = text.replace("0.0.0.0", ADDRESSES[name]).replace("127.0.0.1", ADDRESSES[name])
        text = text.replace(
            "/opt/deploy/dagster_home.py", str(ROOT / "deploy/images/dagster_home.py")
        )
        text = text.replace("/opt/deploy/", f"{ROOT}/")
        return text.replace("/run/ingest/", f"{self.folder}/secrets/ingest/")


def image_environment(folder: Path, name: str) -> dict[str, str]:
    """Return what the images set themselves, and where this checkout is."""
    home = folder / "home" / name
    home.mkdir(parents=True, exist_ok=True)
    return {
        "PATH": f"{BIN}:/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(home),
        "TMPDIR": str(home),
        "DAGSTER_HOME": str(home / "dagster_home"),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        # Two cores are shared by everything that containers would have to themselves.
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "2"),
    }


def make_plan(folder: Path) -> Plan:
    """Make secrets, read docker-compose.yml with them, and return the services."""
    variables = make_secrets(folder)
    with variables.open("a", encoding="utf-8") as file:
        file.writelines(f"{name}={value}\n" for name, value in HASTE.items())
    done = read_compose("--env-file", str(variables))
    if done.returncode:
        raise SystemExit(f"docker-compose.yml cannot be read:\n{done.stderr}")
    return Plan(yaml.safe_load(done.stdout)["services"], folder)
