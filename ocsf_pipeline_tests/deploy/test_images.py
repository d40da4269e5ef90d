"""The images: linted, pinned, not root, and all that they copy is in their context.

What only an engine can show is not here: that they build, and how large they are.
"""

from __future__ import annotations

import fnmatch
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

ROOT = Path(__file__).parents[2]
IMAGES = sorted((ROOT / "deploy" / "images").glob("*.Dockerfile"))


@pytest.fixture(scope="module")
def home() -> ModuleType:
    path = ROOT / "deploy" / "images" / "dagster_home.py"
    spec = importlib.util.spec_from_file_location("dagster_home", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.name)
def test_hadolint_finds_nothing(path: Path) -> None:
    program = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([program, path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.name)
def test_images_are_pinned_and_not_root(path: Path) -> None:
    text = path.read_text()
    bases = re.findall(r"^ARG \w+_IMAGE=(\S+)", text, re.MULTILINE)
    assert bases
    assert all(re.fullmatch(r"[\w./-]+:[\w-]*\d+\.\d+[\w.-]*", base) for base in bases)
    assert re.findall(r"^USER (\S+)", text, re.MULTILINE)[-1] == "10001:10001"
    assert "-c constraints.txt" in text or "-c /tmp/constraints.txt" in text


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.name)
def test_what_is_copied_is_in_the_context(path: Path) -> None:
    kept = [
        line[1:]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    ]
    for line in re.findall(r"^COPY (?!--from)(.+)$", path.read_text(), re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert any(fnmatch.fnmatch(source, f"{item}*") for item in kept), source


def test_the_pipeline_runs_without_the_embedded_engine() -> None:
    """The image leaves chDB out: half a gigabyte that servers have no use for."""
    assert "pip uninstall --yes chdb chdb-core" in IMAGES[-1].read_text()
    code = (
        "import sys; sys.modules['chdb'] = None\n"
        "from ocsf_pipeline.definitions import build_defs; build_defs()\n"
        "from ocsf_pipeline.opening import load_settings, open_tables\n"
        "open_tables(load_settings({'OCSF_PIPELINE_TABLES_DSN': 'clickhouse://u:p@h:8123/ocsf'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_numbers_of_the_environment_replace_those_of_the_file(home: ModuleType) -> None:
    text = (ROOT / "dagster.yaml").read_text()
    same = yaml.safe_load(home.fill_numbers(text, {"DAGSTER_POOL_LIMIT": " "}))
    assert same == yaml.safe_load(text)
    changed = yaml.safe_load(
        home.fill_numbers(text, {"DAGSTER_MAX_CONCURRENT_RUNS": "40", "DAGSTER_POOL_LIMIT": "3"})
    )
    assert changed["concurrency"]["runs"]["max_concurrent_runs"] == 40
    assert changed["concurrency"]["pools"] == {"granularity": "run", "default_limit": 3}


def test_every_number_stands_in_the_file(home: ModuleType) -> None:
    config = yaml.safe_load((ROOT / "dagster.yaml").read_text())
    for variable, path in home.NUMBERS.items():
        section = config
        for part in path:
            section = section[part]
        assert isinstance(section, int), variable


def test_a_number_that_is_none_names_its_variable(home: ModuleType) -> None:
    with pytest.raises(SystemExit, match="DAGSTER_POOL_LIMIT must be a whole number"):
        home.fill_numbers("concurrency: {}", {"DAGSTER_POOL_LIMIT": "many"})


def test_without_containers_runs_are_processes(home: ModuleType, tmp_path: Path) -> None:
    source = ROOT / "dagster.yaml"
    home.main([str(source), "--processes"], {"DAGSTER_HOME": str(tmp_path / "home")})
    written = yaml.safe_load((tmp_path / "home" / "dagster.yaml").read_text())
    assert "run_launcher" not in written
    assert written["storage"] == yaml.safe_load(source.read_text())["storage"]
