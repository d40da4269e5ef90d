"""The rehearsal's own parts: what it makes of docker-compose.yml, and its stand-in for an engine.

The rehearsal itself takes minutes: `make rehearse`.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.errors import NotFound

from ocsf_pipeline_tests.fakes.compose import ROOT
from ocsf_pipeline_tests.rehearsal.engine import Engine
from ocsf_pipeline_tests.rehearsal.plan import ADDRESSES, Plan, make_plan

OURS = ("prepare", "webserver", "daemon", "code", "ingest")


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return make_plan(tmp_path_factory.mktemp("rehearsal"))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(("127.0.0.1", 0), tmp_path)
    thread = threading.Thread(target=engine.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield engine
    engine.shutdown()
    thread.join()
    engine.server_close()
    engine.close()


@pytest.fixture
def client(engine: Engine) -> Iterator[docker.DockerClient]:
    client = docker.DockerClient(f"tcp://127.0.0.1:{engine.server_port}")
    yield client
    client.close()


def test_services_find_each_other_at_addresses_of_their_own(plan: Plan) -> None:
    for name in OURS:
        process = plan.process(name)
        text = " ".join([*process.command, *process.health, *process.environment.values()])
        # Nothing is left of the containers' names and paths.
        for host in ADDRESSES:
            assert f"//{host}:" not in text
            assert f"@{host}:" not in text
        assert "/opt/" not in text
        assert "0.0.0.0" not in text
    daemon = plan.environment("daemon")
    assert daemon["DAGSTER_POSTGRES_HOST"] == ADDRESSES["postgres"]
    assert daemon["DAGSTER_POSTGRES_DB"] == "dagster"
    assert ADDRESSES["clickhouse"] in daemon["OCSF_PIPELINE_TABLES_DSN"]


def test_commands_are_those_of_the_compose_file(plan: Plan) -> None:
    assert plan.command("daemon")[-4:] == ("dagster-daemon", "run", "-w", f"{ROOT}/workspace.yaml")
    assert plan.command("code")[:3] == ("dagster", "api", "grpc")
    assert ADDRESSES["code"] in plan.command("code")


def test_a_container_has_the_environment_that_was_asked_for_and_no_other(
    client: docker.DockerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOT_HANDED_ON", "1")
    out = tmp_path / "out"
    code = f"import os, json; open({str(out)!r}, 'w').write(json.dumps(dict(os.environ)))"
    container = client.containers.create(
        "image:1", ["python", "-c", code], environment={"HANDED_ON": "yes"}, mem_limit="1g",
        read_only=True, auto_remove=True, network="ocsf_core",
    )  # fmt: skip
    assert container.status == "created"
    container.start()
    deadline = time.monotonic() + 20
    while client.containers.get(container.id).status != "exited" and time.monotonic() < deadline:
        time.sleep(0.02)
    text = out.read_text()
    assert '"HANDED_ON": "yes"' in text
    assert "NOT_HANDED_ON" not in text


def test_containers_are_stopped_and_killed(client: docker.DockerClient, engine: Engine) -> None:
    code = "import time; time.sleep(60)"
    stopped = client.containers.create("image:1", ["python", "-c", code])
    killed = client.containers.create("image:1", ["python", "-c", code])
    for container in (stopped, killed):
        container.start()
        assert client.containers.get(container.id).status == "running"
    stopped.stop(timeout=5)
    os.killpg(client.api.inspect_container(killed.id)["State"]["Pid"], 9)
    deadline = time.monotonic() + 5
    while client.containers.get(killed.id).status == "running" and time.monotonic() < deadline:
        time.sleep(0.02)
    assert client.api.inspect_container(killed.id)["State"]["ExitCode"] == -9
    assert client.containers.get(stopped.id).status == "exited"
    with pytest.raises(NotFound):
        client.containers.get("0" * 32)
