"""`ocsf-pipeline override`: preview, write, list, undo, and how it refuses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ocsf_pipeline import opening
from ocsf_pipeline.commands.knowledge import open_decider
from ocsf_pipeline.settings import Settings
from ocsf_pipeline.steps.classify import decide_hour
from ocsf_pipeline.steps.events import classify_hour, prepare_tables
from ocsf_pipeline.steps.logs import normalize_hour
from ocsf_pipeline_tests.fakes.small_knowledge import use_small_knowledge

HOUR = datetime(2026, 3, 2, 11, tzinfo=UTC)
DECIDED = ("--class", "api_activity", "--author", "ana", "--reason", "seen it")


@pytest.fixture(scope="module")
def reviewed_dir(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of its own, with three logs of one cloud product."""
    folder = tmp_path_factory.mktemp("reviewed")
    shutil.copytree(data_dir / "artefacts", folder / "artefacts")
    settings = Settings(data_dir=folder)
    with pytest.MonkeyPatch.context() as patch:
        use_small_knowledge(patch)
        decider = open_decider(settings, lambda text: None)
        objects, artefacts = opening.open_objects(settings), opening.open_artefacts(settings)
        lines = [
            {"vendor": "Acme", "product": "Doors", "eventType": "door.opened", "user": f"u{n}"}
            for n in range(3)
        ]
        body = "\n".join(json.dumps(line) for line in lines)
        objects.write_object("logs/dt=2026-03-02/hour=11/a.ndjson", body.encode())
        tables = opening.open_tables(settings)
        prepare_tables(tables, decider.schema)
        normalize_hour(objects, artefacts, HOUR, prefix="logs")
        decided = decide_hour(artefacts, decider, HOUR)
        classify_hour(artefacts, tables, decider.schema, decided, HOUR, "test")
    return folder


@pytest.fixture
def call(run: Callable[..., Any], reviewed_dir: Path) -> Callable[..., Any]:
    def call(*arguments: str) -> Any:
        return run(*arguments, data=reviewed_dir)

    return call


def query(call: Callable[..., Any], sql: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(call("query", sql, "--format", "json").out)
    return rows


def test_the_whole_way_of_an_override(call: Callable[..., Any]) -> None:
    first = query(call, "SELECT template_id, source FROM events LIMIT 1")[0]
    command = ("override", "template", first["template_id"], *DECIDED, "--activity", "Create")
    shown = call(*command, "--preview")
    assert shown.code == 0
    assert "3 past events in 1 hours would change" in shown.out
    assert "API Activity: Create" in shown.out
    assert call("override", "list", "--json").out == "", "a preview writes nothing"

    asked = call(*command)
    assert asked.code == 2
    assert "--yes" in asked.err

    assert "is in force" in call(*command, "--yes").out
    classes = (
        "SELECT class_name, activity_name, status, count() AS n FROM current_events GROUP BY ALL"
    )
    assert query(call, classes) == [
        {"class_name": "API Activity", "activity_name": "Create", "status": "overridden", "n": 3}
    ]
    listed = json.loads(call("override", "list", "--json").out)
    assert (listed["author"], listed["reason"], listed["undone_by"]) == ("ana", "seen it", "")
    assert "in force" in call("override", "list").out
    undone = call("override", "undo", listed["override_id"], "--author", "bob")
    assert "is undone" in undone.out
    assert query(call, "SELECT countIf(status = 'overridden') AS n FROM current_events") == [
        {"n": 0}
    ]


def test_an_event_type_and_an_event_as_json(call: Callable[..., Any]) -> None:
    source = query(call, "SELECT source FROM events LIMIT 1")[0]["source"]
    done = json.loads(
        call("override", "event-type", source, "door.opened", *DECIDED, "--json", "--preview").out
    )
    assert (done["changed_count"], done["override_id"]) == (3, None)
    uid = query(call, "SELECT event_uid FROM events LIMIT 1")[0]["event_uid"]
    done = json.loads(call("override", "event", uid, *DECIDED, "--json").out)
    assert done["changed_count"] == 1
    assert query(call, "SELECT countIf(status = 'overridden') AS n FROM current_events") == [
        {"n": 1}
    ]
    assert call("override", "undo", done["override_id"]).code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("template", "nowhere", *DECIDED), 1, "review_queue"),
        (("template", "x", "--class", "autentication", "--reason", "y"), 2, "no class"),
        (("event", "x", *DECIDED, "--activity", "fly"), 2, "no activity"),
        (("undo", "nothing"), 1, "no override"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    call: Callable[..., Any], arguments: tuple[str, ...], code: int, said: str
) -> None:
    outcome = call("override", *arguments)
    assert outcome.code == code
    assert said in outcome.err
    assert len(outcome.err.strip().splitlines()) == 1


def test_releases_are_listed_planned_and_pinned(call: Callable[..., Any]) -> None:
    listed = json.loads(call("knowledge", "list", "--json").out)
    version = listed["release"]["version"]
    assert (listed["is_in_force"], listed["is_pinned"]) == (True, False)
    assert "in force" in call("knowledge", "list").out
    for arguments in ((), (version[:8],)):
        planned = json.loads(call("knowledge", "plan", *arguments, "--json").out)
        assert (planned["hours"], planned["events_changed"]) == ([], 0)
    assert "0 events of 0 templates in 0 hours would change" in call("knowledge", "plan").out
    assert "is pinned" in call("knowledge", "rollback", version[:8]).out
    assert json.loads(call("knowledge", "list", "--json").out)["is_pinned"]
    assert "comes into force" in call("knowledge", "latest").out
    assert "no release was pinned" in call("knowledge", "latest").out
    refused = call("knowledge", "rollback", "nowhere")
    assert refused.code == 1
    assert version in refused.err
