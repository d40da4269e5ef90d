"""docker-compose.yml, read by a compose implementation, is whole, closed and consistent.

What only an engine can show is not here: that the images build and the services come up.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ocsf_pipeline.settings import Settings, name_variable
from ocsf_pipeline_tests.fakes.compose import read_compose

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()

Services = dict[str, Any]

WITHOUT_PROFILE = {
    "clickhouse", "code", "daemon", "docker-api", "ingest", "nginx", "postgres", "prepare", "s3",
    "s3-buckets", "vector", "webserver",
}  # fmt: skip
TRIEVE = {
    "trieve", "trieve-delete-worker", "trieve-embedding", "trieve-ingestion-worker", "trieve-oidc",
    "trieve-postgres", "trieve-qdrant", "trieve-redis", "trieve-reranker", "trieve-splade-doc",
    "trieve-splade-query",
}  # fmt: skip
DONE_WHEN_STARTED = {"prepare", "s3-buckets"}
WITHOUT_VERSION_TAGS = re.compile(r"trieve/(server|ingest|delete_worker):latest")
OURS = re.compile(r"ocsf-(pipeline|dagster|embeddings):[\w.-]+")


def test_the_whole_system_is_there(services: Services) -> None:
    assert set(services) == WITHOUT_PROFILE | TRIEVE


def test_trieve_is_a_profile(services: Services) -> None:
    profiled = {name for name, service in services.items() if service.get("profiles")}
    assert profiled == TRIEVE


def test_only_nginx_publishes_ports(services: Services) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {"nginx": ["443:8443", "8088:8088", "8443:8444"]}


def test_only_nginx_is_on_a_network_with_a_way_out(compose: dict[str, Any]) -> None:
    open_networks = {
        name for name, network in compose["networks"].items() if not (network or {}).get("internal")
    }
    assert open_networks == {"public"}
    assert {
        name for name, service in compose["services"].items() if "public" in service["networks"]
    } == {"nginx"}


def test_only_those_that_start_runs_reach_the_engine(services: Services) -> None:
    assert {name for name, service in services.items() if "docker" in service["networks"]} == {
        "daemon", "docker-api", "webserver",
    }  # fmt: skip
    sockets = [name for name, service in services.items() if "docker.sock" in str(service)]
    assert sockets == ["docker-api"]


def test_every_service_is_bounded_and_unprivileged(services: Services) -> None:
    for name, service in services.items():
        limits = service["deploy"]["resources"]["limits"]
        assert {"cpus", "memory"} <= set(limits), name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service.get("privileged"), name
        assert service["logging"]["options"]["max-size"], name
    for name in ("webserver", "daemon", "code", "ingest", "prepare", "nginx"):
        assert services[name]["read_only"] is True, name


def test_every_service_says_whether_it_works(services: Services) -> None:
    for name, service in services.items():
        if name not in DONE_WHEN_STARTED:
            assert service["healthcheck"]["test"], name
            assert service["restart"] == "unless-stopped", name
        for needed, condition in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if needed in DONE_WHEN_STARTED else ""
            if wanted or condition["condition"] == "service_completed_successfully":
                assert condition["condition"] == wanted, (name, needed)


def test_images_are_pinned(services: Services) -> None:
    for name, service in services.items():
        image = service["image"]
        if WITHOUT_VERSION_TAGS.fullmatch(image):
            # No version is published; docs/deploy.md says how to pin the digest.
            assert "TRIEVE_" in TEXT and "_IMAGE:-trieve/" in TEXT
            continue
        assert OURS.fullmatch(image) or re.fullmatch(r"[\w./-]+:v?\d+\.\d+[\w.-]*", image), name


def test_state_is_in_named_volumes_and_files_are_read_only(compose: dict[str, Any]) -> None:
    named: set[str] = set()
    for name, service in compose["services"].items():
        for volume in service.get("volumes", []):
            source, target, *mode = volume.split(":")
            if not source.startswith((".", "/")):
                named.add(source)
                continue
            assert mode == ["ro"], (name, volume)
            made = source.startswith(("/var/run", "./deploy/secrets"))
            assert made or (ROOT / source).exists(), (name, target)
    assert named == set(compose["volumes"])


def test_no_password_has_a_default(secrets: Path) -> None:
    done = read_compose()
    assert done.returncode != 0
    assert "make_secrets.sh" in done.stderr
    lines = [
        line
        for line in TEXT.splitlines()
        if re.search(r"(PASSWORD|SECRET|SALT|_KEY|_AUTH):", line) and "${" not in line
    ]
    # The one that has to be set and is never used.
    assert lines == ["      OPENAI_API_KEY: unused"]
    given = dict(line.split("=", 1) for line in secrets.read_text().splitlines() if "=" in line)
    assert len(set(given.values())) == len(given)
    asked = set(re.findall(r"\$\{([A-Z0-9_]+):\?", TEXT)) | {"UI_HTPASSWD"}
    assert asked <= set(given)
    assert secrets.stat().st_mode & 0o077 == 0


def test_runs_get_all_that_the_code_location_has(services: Services) -> None:
    handed_on = set(
        yaml.safe_load((ROOT / "dagster.yaml").read_text())["run_launcher"]["config"]["env_vars"]
    )
    daemon, code = services["daemon"]["environment"], services["code"]["environment"]
    # Dagster refuses to start a run when one of the names is not set.
    assert handed_on <= set(daemon)
    assert set(code) - handed_on == {"DAGSTER_CURRENT_IMAGE", "DAGSTER_CONTAINER_CONTEXT"}
    for name in handed_on:
        assert daemon[name] == code[name], name
    assert code["DAGSTER_CURRENT_IMAGE"] == services["code"]["image"]


def test_the_container_of_a_run_is_bounded(services: Services) -> None:
    context = yaml.safe_load(services["code"]["environment"]["DAGSTER_CONTAINER_CONTEXT"])
    assert context["docker"]["container_kwargs"] == {"mem_limit": "4g", "memswap_limit": "4g"}


def test_settings_exist(services: Services) -> None:
    known = {name_variable(field) for field in Settings.model_fields}
    for name, service in services.items():
        ours = {key for key in service.get("environment", {}) if key.startswith("OCSF_PIPELINE_")}
        assert ours <= known, name


def test_hosts_that_are_named_exist(services: Services) -> None:
    nginx = (ROOT / "deploy" / "nginx" / "upstreams.conf").read_text()
    named = set(
        re.findall(r"(?:http|tcp|clickhouse|postgres|redis)://(?:[^@\s/]*@)?([\w-]+):", nginx)
    )
    for service in services.values():
        for value in service.get("environment", {}).values():
            named |= set(re.findall(r"\w+://(?:[^@\s/]*@)?([\w-]+):\d+", str(value)))
    assert named - set(services) <= {"localhost"}
    assert services["daemon"]["environment"]["DAGSTER_RUN_NETWORK"] == "ocsf_core"


@pytest.mark.parametrize("name", ["ui_htpasswd", "tls_cert", "tls_key"])
def test_nginx_reads_the_secrets_that_it_is_given(compose: dict[str, Any], name: str) -> None:
    assert name in compose["secrets"]
    assert f"/run/secrets/{name};" in (ROOT / "deploy" / "nginx" / "nginx.conf").read_text()
