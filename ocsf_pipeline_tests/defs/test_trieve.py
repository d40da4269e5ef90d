"""The knowledge base in Trieve through Dagster: its state, its drift, hours while it is down."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from ocsf_pipeline.adapters.embedded_index import EmbeddedClassIndex
from ocsf_pipeline.adapters.object_store import open_object_store
from ocsf_pipeline.adapters.trieve import TrieveClassIndex
from ocsf_pipeline.defs.common import INDEX_RETRIES
from ocsf_pipeline.logs.layout import format_partition
from ocsf_pipeline.ports import ClassIndex, TransientPortError
from ocsf_pipeline.steps.indexes import choose_index
from ocsf_pipeline_tests.contracts.class_index import CHUNKS
from ocsf_pipeline_tests.fakes.class_index import FakeClassIndex
from ocsf_pipeline_tests.fakes.embedder import FakeEmbedder
from ocsf_pipeline_tests.fakes.pipeline import (
    HOUR,
    ChosenPacks,
    Pipeline,
    build_pipeline,
    make_ssh_lines,
)
from ocsf_pipeline_tests.fakes.trieve_server import TrieveStandIn, make_place, serve_trieve

KNOWLEDGE_BASE = dg.AssetKey("knowledge_base")
FEW = ChosenPacks(("linux_sshd", "nginx", "bind"))


@dataclass
class Prepared:
    """A pipeline whose knowledge base is in Trieve, with the embedded index standing by."""

    folder: Path
    server: TrieveStandIn
    url: str

    def open(self, *, stand_by: bool = False) -> Pipeline:
        trieve = TrieveClassIndex(make_place(self.url), sleep=lambda _: None)
        embedded = EmbeddedClassIndex(
            open_object_store(str(self.folder / "artefacts")), FakeEmbedder()
        )
        indexes: tuple[ClassIndex, ...] = (trieve, embedded) if stand_by else (trieve,)
        return build_pipeline(self.folder, FEW, indexes=indexes)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Prepared, dict[str, Any]]]:
    """Trieve and the stand-by filled once; the metadata of that run."""
    server = TrieveStandIn(delay_ticks=1)
    with serve_trieve(server) as url, dg.DagsterInstance.ephemeral() as instance:
        prepared = Prepared(tmp_path_factory.mktemp("trieve"), server, url)
        prepared.open(stand_by=True).run("knowledge_job", instance)
        yield prepared, read_metadata(instance)
    assert server.faults == []


@pytest.fixture
def prepared(built: tuple[Prepared, dict[str, Any]], tmp_path: Path) -> Iterator[Prepared]:
    """The same with a folder of its own; what a test breaks in the server is put right again."""
    shutil.copytree(built[0].folder / "artefacts", tmp_path / "artefacts")
    yield Prepared(tmp_path, built[0].server, built[0].url)
    built[0].server.failures.clear()


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


def read_metadata(instance: dg.DagsterInstance) -> dict[str, Any]:
    event = instance.get_latest_materialization_event(KNOWLEDGE_BASE)
    assert event is not None
    assert event.asset_materialization is not None
    return {name: item.value for name, item in event.asset_materialization.metadata.items()}


def tick(pipeline: Pipeline, instance: dg.DagsterInstance) -> list[dg.RunRequest]:
    sensor = pipeline.definitions.resolve_sensor_def("knowledge_drifted")
    with dg.build_sensor_context(instance=instance, definitions=pipeline.definitions) as context:
        return list(sensor.evaluate_tick(context).run_requests or [])


def test_the_asset_tells_counts_version_time_and_changes(
    built: tuple[Prepared, dict[str, Any]],
) -> None:
    prepared, metadata = built
    held = len(prepared.server.dataset.rows) - 1
    assert metadata["index"] == "trieve semantic fake-bag-of-words"
    assert metadata["chunks"] == metadata["added_or_changed"] == held
    assert metadata["removed"] == metadata["unchanged"] == 0
    assert metadata["seconds"] > 0
    assert "stored" in metadata["changes"]
    assert "example" in metadata["changes"]
    assert "embedded fake-bag-of-words" in metadata["copies"]
    assert metadata["version"] in metadata["copies"]


def test_a_second_run_changes_nothing(prepared: Prepared, instance: dg.DagsterInstance) -> None:
    prepared.server.requests.clear()
    prepared.open().run("repair_job", instance)
    metadata = read_metadata(instance)
    assert (metadata["added_or_changed"], metadata["removed"]) == (0, 0)
    assert "POST /api/chunk" not in prepared.server.requests


def test_drift_is_observed_repaired_once_and_gone(
    prepared: Prepared, instance: dg.DagsterInstance
) -> None:
    pipeline = prepared.open()
    assert tick(pipeline, instance) == []
    checked = pipeline.run("drift_job", instance)
    assert all(item.passed for item in checked.get_asset_check_evaluations())
    assert tick(pipeline, instance) == []

    rows = [*prepared.server.dataset.rows.values()]
    rows[0].chunk_html = "edited by hand"
    prepared.server.dataset.delete_row(rows[1])
    checked = pipeline.run("drift_job", instance)
    (evaluation,) = checked.get_asset_check_evaluations()
    assert not evaluation.passed
    assert evaluation.metadata["drifted"].value == 2
    observed = instance.fetch_observations(KNOWLEDGE_BASE, limit=1).records[0].asset_observation
    assert observed is not None
    assert observed.metadata["drifted"].value == 2

    (request,) = tick(pipeline, instance)
    assert request.run_key == tick(pipeline, instance)[0].run_key  # so Dagster runs it once
    pipeline.run("repair_job", instance)
    metadata = read_metadata(instance)
    assert metadata["added_or_changed"] == 2
    assert tick(pipeline, instance) == []


def test_an_hour_is_decided_by_trieve(prepared: Prepared, instance: dg.DagsterInstance) -> None:
    pipeline = prepared.open()
    pipeline.drop("ssh.log", make_ssh_lines(20))
    assert pipeline.run("hour_job", instance, HOUR).success
    event = instance.get_latest_materialization_event(dg.AssetKey("template_decisions"))
    assert event is not None
    assert event.asset_materialization is not None
    assert event.asset_materialization.metadata["index"].value.startswith("trieve semantic")
    classes = pipeline.tables.run_query("SELECT DISTINCT class_uid FROM events")
    assert classes["class_uid"].to_list() == [3002]


def test_an_hour_waits_for_trieve(prepared: Prepared, instance: dg.DagsterInstance) -> None:
    """Without a stand-by nothing is decided while Trieve is down; afterwards the hour is whole."""
    pipeline = prepared.open()
    pipeline.drop("ssh.log", make_ssh_lines(20))
    prepared.server.fail("/api/", 502, b"<html>", times=10**6)
    # Run by itself: within a run Dagster would now wait for minutes, as it should.
    template_decisions = pipeline.definitions.resolve_assets_def("template_decisions")
    assert template_decisions.op.retry_policy == INDEX_RETRIES
    with (
        dg.build_asset_context(partition_key=format_partition(HOUR)) as context,
        pytest.raises(TransientPortError, match="Trieve fails"),
    ):
        template_decisions(
            context,
            artefacts=pipeline.artefacts,
            class_index=pipeline.class_index,
            embedder=pipeline.embedder,
            reranker=None,
            settings=pipeline.settings,
        )

    prepared.server.failures.clear()
    assert pipeline.run("hour_job", instance, HOUR).success
    assert pipeline.tables.run_query("SELECT count() AS n FROM events")["n"].item() == 20


def test_an_hour_falls_back_where_that_is_wanted_and_says_so(
    prepared: Prepared, instance: dg.DagsterInstance
) -> None:
    pipeline = prepared.open(stand_by=True)
    pipeline.drop("ssh.log", make_ssh_lines(20))
    prepared.server.fail("/api/", 502, b"<html>", times=10**6)
    assert pipeline.run("hour_job", instance, HOUR).success
    event = instance.get_latest_materialization_event(dg.AssetKey("template_decisions"))
    assert event is not None
    assert event.asset_materialization is not None
    down = {name: item.value for name, item in event.asset_materialization.metadata.items()}
    assert down["index"] == "embedded fake-bag-of-words"

    prepared.server.failures.clear()
    again = prepared.open(stand_by=True)
    again.run("reclassification_job", instance)
    plan = instance.get_latest_materialization_event(dg.AssetKey("reclassification_plan"))
    assert plan is not None
    assert plan.asset_materialization is not None
    after = plan.asset_materialization.metadata["decision_version"].value
    assert after != down["decision_version"]


# --- choosing ---


class BrokenIndex(FakeClassIndex):
    """Raises whenever it is asked."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def read_version(self) -> str | None:
        raise self.error


def test_the_first_index_that_can_be_searched_is_chosen() -> None:
    full, empty = FakeClassIndex(CHUNKS), FakeClassIndex()
    down = BrokenIndex(TransientPortError("down"))
    refused = BrokenIndex(PermissionError("wrong key"))
    assert choose_index((full, FakeClassIndex(CHUNKS))) is full
    assert choose_index((down, full)) is full
    assert choose_index((empty, full)) is full
    assert choose_index((empty, FakeClassIndex())) is empty
    assert choose_index((down,)) is down
    assert choose_index((down, empty)) is down
    with pytest.raises(PermissionError):
        choose_index((refused, full))
