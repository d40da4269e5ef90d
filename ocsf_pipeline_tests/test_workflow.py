"""The hosted CI runs what `.ci/run` runs, with no rights beyond reading."""

from __future__ import annotations

import os
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))


def test_the_workflow_runs_the_script_and_nothing_else() -> None:
    [job] = WORKFLOW["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == ["bash .ci/run"]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert job["timeout-minutes"] <= 90


def test_the_workflow_may_only_read() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}


def test_what_a_repository_should_say_is_there() -> None:
    for name in ("LICENSE", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "README.md"):
        assert (ROOT / name).stat().st_size > 300, name
