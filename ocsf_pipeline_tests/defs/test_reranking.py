"""A re-ranker in the pipeline: asked for what is unsure, its outage seen, made up for later."""

from __future__ import annotations

import shutil
from pathlib import Path

import dagster as dg
import pytest

from ocsf_pipeline.ports import Reranker
from ocsf_pipeline.settings import Settings, SettingsError
from ocsf_pipeline.steps.classify import load_decider
from ocsf_pipeline.steps.reclassify import plan_reclassification
from ocsf_pipeline_tests.fakes.pipeline import HOUR, Pipeline, build_pipeline
from ocsf_pipeline_tests.fakes.reranker import FakeReranker

LOGS = b"It rained all afternoon and we read letters.\nthe kettle is on, come over at five\n"


def build(folder: Path, prepared: Path, reranker: Reranker | None) -> Pipeline:
    shutil.copytree(prepared / "artefacts", folder / "artefacts")
    pipeline = build_pipeline(folder, reranker=reranker)
    pipeline.drop("prose.log", LOGS)
    return pipeline


def run_hour(pipeline: Pipeline, instance: dg.DagsterInstance) -> dict[str, object]:
    result = pipeline.run("hour_job", instance, HOUR)
    [event] = result.asset_materializations_for_node("template_decisions")
    told = event.metadata["reranker"].value
    assert isinstance(told, dict)
    return told


def read_versions(pipeline: Pipeline) -> set[str]:
    with pipeline.tables as tables:
        found = tables.run_query("SELECT DISTINCT ranker_version FROM events")
    return {version.partition("+")[2] for version in found["ranker_version"]}


def test_off_by_default(
    prepared_folder: Path, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    pipeline = build(tmp_path / "data", prepared_folder, None)
    assert run_hour(pipeline, instance) == {"name": "off"}
    assert read_versions(pipeline) == {""}


def test_an_outage_is_seen_and_made_up_for(
    prepared_folder: Path, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    reranker = FakeReranker(outage="the endpoint is down")
    pipeline = build(tmp_path / "data", prepared_folder, reranker)
    told = run_hour(pipeline, instance)
    assert told == {
        "name": "fake", "answered": 0, "unanswered": 0, "failed": 2,
        "troubles": {"the endpoint is down": 2},
    }  # fmt: skip
    assert read_versions(pipeline) == {"fake:failed"}

    # Still down: nothing is written anew, and the plan leaves the hour alone.
    assert run_hour(pipeline, instance)["failed"] == 2
    decider = load_decider(
        pipeline.artefacts, pipeline.class_index, pipeline.embedder, reranker=reranker
    )
    assert plan_reclassification(pipeline.artefacts, decider).hours == ()

    # Back again: the plan finds the hour, and writing it again uses the answers.
    reranker.outage = ""
    assert plan_reclassification(pipeline.artefacts, decider).hours == (HOUR,)
    told = run_hour(pipeline, instance)
    assert (told["answered"], told["failed"]) == (2, 0)
    assert read_versions(pipeline) == {"fake"}
    asked = len(reranker.questions)
    run_hour(pipeline, instance)
    assert len(reranker.questions) == asked, "what was answered is not asked again"


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"reranker": "chat"}, "OCSF_PIPELINE_RERANKER_URL"),
        ({"reranker": "chat", "reranker_url": "http://x/v1"}, "OCSF_PIPELINE_RERANKER_MODEL"),
        ({"reranker": "cross_encoder"}, "OCSF_PIPELINE_RERANKER_MODEL"),
    ],
)
def test_a_setting_that_lacks_is_named(given: dict[str, str], missing: str) -> None:
    from ocsf_pipeline.opening import open_reranker

    with pytest.raises(SettingsError, match=missing):
        open_reranker(Settings.model_validate(given))


def test_settings_choose_the_reranker(tmp_path: Path) -> None:
    from ocsf_pipeline.opening import open_reranker

    def name(**given: str) -> str:
        found = open_reranker(Settings.model_validate({"data_dir": tmp_path, **given}))
        return found.name if found else "off"

    assert name() == "off"
    assert name(reranker="cross_encoder", reranker_model="/m/tiny") == "cross-encoder-tiny@256"
    chat = {"reranker": "chat", "reranker_url": "http://x/v1", "reranker_model": "small"}
    assert name(**chat, reranker_key="k") == "chat-small-p1"
    assert "k-secret" not in repr(Settings.model_validate({**chat, "reranker_key": "k-secret"}))
