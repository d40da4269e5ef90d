"""Fixtures: one pipeline on a temporary folder, its knowledge materialised once per session."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from ocsf_pipeline_tests.fakes.pipeline import Pipeline, build_pipeline


@pytest.fixture(scope="session")
def prepared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared")
    pipeline = build_pipeline(folder)
    with dg.DagsterInstance.ephemeral() as instance:
        pipeline.run("knowledge_job", instance)
    return folder


@pytest.fixture
def pipeline(prepared_folder: Path, tmp_path: Path) -> Pipeline:
    """A pipeline of its own, with the knowledge already in place."""
    folder = tmp_path / "data"
    # The tables are made anew: a copied folder of chDB's does not open.
    shutil.copytree(prepared_folder / "artefacts", folder / "artefacts")
    return build_pipeline(folder)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral
