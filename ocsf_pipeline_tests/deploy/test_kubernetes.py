"""The Kubernetes manifests and the chart's values, against schemas and against what they refer to.

What only a cluster can show is not here: admission, scheduling, that the pods come up. Dagster's
chart is not on the package index: Helm checks values against its schema when it installs.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from dagster_k8s import K8sRunLauncher
from dagster_k8s.job import UserDefinedDagsterK8sConfig
from defusedxml import ElementTree

ROOT = Path(__file__).parents[2]
K8S = ROOT / "deploy" / "k8s"
VALUES = yaml.safe_load((K8S / "values.yaml").read_text())
FILES = sorted(path for path in K8S.rglob("*.yaml") if path.name not in {"values.yaml"})
OVERLAYS = ("dev", "prod")
VERSIONS = ("1.31", kubernetes_validate.latest_version())

Manifest = dict[str, Any]


def read_manifests(path: Path) -> list[Manifest]:
    return [item for item in yaml.safe_load_all(path.read_text()) if item]


def is_patch(path: Path) -> bool:
    kustomization = path.parent / "kustomization.yaml"
    return kustomization.exists() and path.name in str(
        yaml.safe_load(kustomization.read_text()).get("patches", [])
    )


@pytest.fixture(scope="session", params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> list[Manifest]:
    """All manifests of an overlay, as kubectl renders them."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip(
            "kubectl is not installed: overlays are not rendered, only single files checked"
        )
    done = subprocess.run(
        [kubectl, "kustomize", "--load-restrictor", "LoadRestrictionsNone",
         K8S / "overlays" / request.param],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def find_pods(manifests: list[Manifest]) -> Iterator[tuple[str, dict[str, Any]]]:
    for item in manifests:
        spec = item.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in spec:
            yield f"{item['kind']}/{item['metadata']['name']}", spec["template"]["spec"]


def find_values(node: Any, key: str) -> Iterator[Any]:
    """Yield what stands under `key`, at any depth."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name == key:
                yield value
            yield from find_values(value, key)
    elif isinstance(node, list):
        for value in node:
            yield from find_values(value, key)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(K8S)))
def test_files_are_what_kubernetes_expects(path: Path, version: str) -> None:
    for item in read_manifests(path):
        if item["kind"] == "Kustomization":
            named = (
                [*item.get("resources", []), *(p["path"] for p in item["patches"] if "path" in p)]
                if "patches" in item
                else item["resources"]
            )
            assert all((path.parent / name).exists() for name in named)
        elif not is_patch(path):
            kubernetes_validate.validate(item, version, strict=True)


def test_overlays_are_what_kubernetes_expects(overlay: list[Manifest]) -> None:
    assert len(overlay) > 25
    for item in overlay:
        kubernetes_validate.validate(item, VERSIONS[-1], strict=True)
        assert item["kind"] == "Namespace" or item["metadata"]["namespace"] == "ocsf"


def test_pods_keep_to_the_restricted_profile(overlay: list[Manifest]) -> None:
    pods = dict(find_pods(overlay))
    assert {"Deployment/ingest", "Deployment/gateway", "StatefulSet/clickhouse"} <= set(pods)
    for name, pod in pods.items():
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["automountServiceAccountToken"] is False, name
        assert not any("hostPath" in volume for volume in pod.get("volumes", [])), name
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False, name
            assert security["readOnlyRootFilesystem"] is True, name
            assert security["capabilities"] == {"drop": ["ALL"]}, name
            assert {"requests", "limits"} <= set(container["resources"]), name
            assert re.search(r":v?\d+\.\d+[\w.-]*$", container["image"]), name


def test_services_policies_and_budgets_select_pods_that_exist(overlay: list[Manifest]) -> None:
    labels = [
        item["spec"]["template"]["metadata"]["labels"]
        for item in overlay
        if item["kind"] in {"Deployment", "StatefulSet"}
    ]
    for item in overlay:
        spec = item.get("spec", {})
        if item["kind"] == "Service":
            wanted = spec["selector"]
        elif item["kind"] == "PodDisruptionBudget":
            wanted = spec["selector"]["matchLabels"]
        else:
            continue
        assert any(wanted.items() <= given.items() for given in labels), item["metadata"]["name"]


def test_nothing_is_reachable_unless_named(overlay: list[Manifest]) -> None:
    policies = {
        item["metadata"]["name"]: item["spec"]
        for item in overlay
        if item["kind"] == "NetworkPolicy"
    }
    assert policies["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    open_to_all = [
        name
        for name, spec in policies.items()
        for rule in spec.get("ingress", [])
        if "from" not in rule
    ]
    assert open_to_all == ["gateway"]


def test_secrets_and_config_maps_are_made_or_documented(overlay: list[Manifest]) -> None:
    made = {item["metadata"]["name"] for item in overlay if item["kind"] == "ConfigMap"}
    guide = (ROOT / "docs" / "deploy.md").read_text()
    maps = {item["name"] for item in find_values(overlay, "configMapRef")}
    assert maps <= made
    secrets = {
        item["name"] for key in ("secretRef", "secretKeyRef") for item in find_values(overlay, key)
    }
    secrets |= set(find_values(overlay, "secretName"))
    secrets |= {item["name"] for item in find_values(overlay, "secret") if "name" in item}
    assert secrets
    assert [name for name in sorted(secrets) if f"`{name}`" not in guide] == []


def test_the_cluster_names_the_pods_that_there_are() -> None:
    root = ElementTree.parse(K8S / "overlays" / "prod" / "cluster.xml").getroot()
    hosts = [host.text for host in root.iterfind("remote_servers/ocsf/shard/replica/host")]
    (patch,) = read_manifests(K8S / "overlays" / "prod" / "clickhouse.yaml")
    count = patch["spec"]["replicas"]
    assert hosts == [f"clickhouse-{number}.clickhouse-pods" for number in range(count)]
    (macros,) = patch["spec"]["template"]["spec"]["initContainers"]
    shards = len(root.findall("remote_servers/ocsf/shard"))
    assert int(macros["env"][0]["value"]) == count // shards
    keeper = ElementTree.parse(K8S / "overlays" / "prod" / "keeper.xml").getroot()
    voters = [
        host.text for host in keeper.iterfind("keeper_server/raft_configuration/server/hostname")
    ]
    assert voters == [host.text for host in root.iterfind("zookeeper/node/host")]


@pytest.mark.parametrize("shards", [1, 2])
def test_a_pod_finds_its_shard(shards: int, tmp_path: Path) -> None:
    """The init container's script, run as it is."""
    manifests = read_manifests(K8S / "base" / "clickhouse" / "clickhouse.yaml")
    pod = dict(find_pods(manifests))["StatefulSet/clickhouse"]
    script = pod["initContainers"][0]["args"][0].replace("/macros/", f"{tmp_path}/")
    found = []
    for number in range(4):
        environment = {"POD_NAME": f"clickhouse-{number}", "REPLICAS_PER_SHARD": str(4 // shards)}
        subprocess.run(
            ["bash", "-ec", script], check=True, env=environment | {"PATH": "/bin:/usr/bin"}
        )
        macros = ElementTree.parse(tmp_path / "macros.xml").getroot()
        found.append((macros.findtext("macros/shard"), macros.findtext("macros/replica")))
    assert [shard for shard, _replica in found] == [str(n * shards // 4 + 1) for n in range(4)]
    assert [replica for _shard, replica in found] == [f"clickhouse-{n}" for n in range(4)]


def test_the_run_launchers_configuration_is_what_dagster_k8s_takes(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(
        "{apiVersion: v1, kind: Config, current-context: c, users: [{name: u, user: {}}],"
        " clusters: [{name: k, cluster: {server: 'https://127.0.0.1'}}],"
        " contexts: [{name: c, context: {cluster: k, user: u}}]}"
    )
    given = VALUES["runLauncher"]["config"]["k8sRunLauncher"]
    run = given["runK8sConfig"]
    known = {
        "containerConfig": "container_config",
        "podSpecConfig": "pod_spec_config",
        "jobSpecConfig": "job_spec_config",
    }
    assert set(run) <= set(known)
    config = {known[name]: value for name, value in run.items()}
    parsed = UserDefinedDagsterK8sConfig.from_dict(config)
    launcher = K8sRunLauncher(
        service_account_name=VALUES["serviceAccount"]["name"],
        instance_config_map="dagster-instance",
        dagster_home=VALUES["global"]["dagsterHome"],
        postgres_password_secret=VALUES["global"]["postgresqlSecretName"],
        load_incluster_config=False,
        kubeconfig_file=str(kubeconfig),
        env_config_maps=[item["name"] for item in given["envConfigMaps"]],
        env_secrets=[item["name"] for item in given["envSecrets"]],
        run_k8s_config=config,
        k8s_client_batch_api=object(),
    )
    assert launcher.run_k8s_config == config or parsed.container_config == run["containerConfig"]
    pod = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "run"},
        "spec": {
            **run["podSpecConfig"],
            "containers": [{"name": "run", "image": "x:1", **run["containerConfig"]}],
        },
    }  # fmt: skip
    kubernetes_validate.validate(pod, VERSIONS[-1], strict=True)


def test_values_say_what_dagster_yaml_says() -> None:
    server = yaml.safe_load((ROOT / "dagster.yaml").read_text())
    daemon = VALUES["dagsterDaemon"]
    monitoring = server["run_monitoring"]
    same = {
        "cancelTimeoutSeconds": "cancel_timeout_seconds",
        "maxRuntimeSeconds": "max_runtime_seconds",
        "pollIntervalSeconds": "poll_interval_seconds",
        "maxResumeRunAttempts": "max_resume_run_attempts",
        "freeSlotsAfterRunEndSeconds": "free_slots_after_run_end_seconds",
    }
    for ours, dagsters in same.items():
        assert daemon["runMonitoring"][ours] == monitoring[dagsters], ours
    assert daemon["runRetries"]["maxRetries"] == server["run_retries"]["max_retries"]
    scheme = server["storage"]["postgres"]["postgres_db"]["scheme"]
    assert VALUES["postgresql"]["postgresqlScheme"] == scheme
    assert VALUES["telemetry"] == server["telemetry"]
    pins = (ROOT / "constraints.txt").read_text()
    chart = re.search(r"--version (\S+)", (K8S / "values.yaml").read_text())
    assert chart is not None
    assert f"\ndagster=={chart[1]}\n" in pins
