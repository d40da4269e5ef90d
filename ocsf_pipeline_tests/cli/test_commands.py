"""The other commands, and how the command line fails."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ocsf_pipeline import opening
from ocsf_pipeline.adapters.embedding_cache import hash_text, read_vectors
from ocsf_pipeline.commands.configuration import format_env, format_markdown
from ocsf_pipeline.commands.knowledge import open_decider
from ocsf_pipeline.knowledge.chunks import examples_to_chunks
from ocsf_pipeline.settings import Settings, describe_settings
from ocsf_pipeline.steps.classify import decide_hour
from ocsf_pipeline.steps.events import classify_hour, prepare_tables
from ocsf_pipeline.steps.knowledge import load_class_chunks, load_stored_examples
from ocsf_pipeline.steps.logs import normalize_hour
from ocsf_pipeline_tests.fakes.embedder import FakeEmbedder

ROOT = Path(__file__).parents[2]
HOUR = datetime(2026, 3, 2, 10, tzinfo=UTC)
SSH = "<38>Nov 22 10:00:01 web1 sshd[812]: Failed password for kim from 192.0.2.7 port 50514 ssh2"


@pytest.fixture(scope="module")
def filled_dir(data_dir: Path) -> Path:
    """The data folder with one hour in its tables, as Dagster leaves it."""
    settings = Settings(data_dir=data_dir)
    objects, artefacts = opening.open_objects(settings), opening.open_artefacts(settings)
    body = f'{SSH}\n{{"broken\n{SSH.replace("kim", "lee")}\n'.encode()
    objects.write_object("logs/dt=2026-03-02/hour=10/a.log", body)
    decider = open_decider(settings, lambda text: None)
    tables = opening.open_tables(settings)
    prepare_tables(tables, decider.schema)
    normalize_hour(objects, artefacts, HOUR, prefix="logs")
    decided = decide_hour(artefacts, decider, HOUR)
    classify_hour(artefacts, tables, decider.schema, decided, HOUR, "test")
    return data_dir


def test_query_prints_json_csv_and_a_table(run: Callable[..., Any], filled_dir: Path) -> None:
    sql = "SELECT user_name, hour FROM events ORDER BY user_name;"
    rows = json.loads(run("query", sql, "--format", "json").out)
    assert [row["user_name"] for row in rows] == ["kim", "lee"]
    assert datetime.fromisoformat(rows[0]["hour"]) == HOUR
    table = list(csv.DictReader(run("query", sql, "--format", "csv").out.splitlines()))
    assert [row["user_name"] for row in table] == ["kim", "lee"]
    shown = run("query", sql).out
    assert "kim" in shown
    assert "2 rows" in shown


def test_query_binds_parameters(run: Callable[..., Any], filled_dir: Path) -> None:
    sql = "SELECT count() AS n FROM events WHERE user_name = {user:String}"
    for value, count in (("kim", 1), ("' OR 1=1 --", 0)):
        outcome = run("query", sql, "--param", f"user={value}", "--format", "json")
        assert json.loads(outcome.out) == [{"n": count}]


def test_query_shows_quarantined_bytes(run: Callable[..., Any], filled_dir: Path) -> None:
    rows = json.loads(run("query", "SELECT reason, bytes FROM quarantine", "--format", "json").out)
    assert rows == [{"reason": "invalid_json", "bytes": '{"broken'}]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("query", "DROP TABLE events"), 1, "only reading statements"),
        (("query", "SELECT nothing FROM nowhere"), 1, "nowhere"),
        (("query", "SELECT 1", "--param", "broken"), 2, "name=value"),
        (("classify", "/nonexistent/logs"), 2, "check the path"),
        (("classify", "."), 2, "check the path"),
        (("evaluate", "/nonexistent.jsonl"), 2, "check the path"),
        (("evaluate", "x.jsonl", "--report", "report.pdf"), 2, ".md or .html"),
        (("packs", "check", "."), 2, "docs/packs.md"),
        (("no-such-command",), 2, "No such command"),
    ],
)  # fmt: skip
def test_mistakes_get_one_sentence_and_a_code(
    run: Callable[..., Any], filled_dir: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    outcome = run(*arguments)
    assert outcome.code == code
    assert said in outcome.err
    assert "Traceback" not in outcome.err
    assert outcome.out == ""


def test_query_without_tables_says_how_to_get_some(run: Callable[..., Any], tmp_path: Path) -> None:
    outcome = run("query", "SELECT 1", data=tmp_path / "bare")
    assert outcome.code == 1
    assert "ocsf-pipeline demo" in outcome.err
    assert not (tmp_path / "bare").exists()


def test_an_unknown_setting_is_named(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCSF_PIPELINE_WORKERS", "many")
    outcome = run("status")
    assert outcome.code == 2
    assert "OCSF_PIPELINE_WORKERS" in outcome.err


def test_settings_come_from_dot_env_below_the_environment(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("OCSF_PIPELINE_WORKERS=none\n")
    assert run("status").code == 2
    monkeypatch.setenv("OCSF_PIPELINE_WORKERS", "2")
    assert run("status").code == 0


def test_the_first_command_builds_and_the_second_reuses(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    first = run("classify", stdin=SSH, data=tmp_path / "new")
    assert first.code == 0
    assert "building the knowledge base" in first.err
    second = run("classify", stdin=SSH, data=tmp_path / "new")
    assert second.err == ""
    assert second.results == first.results


def test_status_tells_what_is_stored(run: Callable[..., Any], filled_dir: Path) -> None:
    found = json.loads(run("status", "--json").out)
    assert found["rows"]["events"] == 2
    assert found["rows"]["quarantine"] == 1
    assert found["knowledge_base"]["chunk_count"] > 100
    assert [hour["records"] for hour in found["hours"]] == [2]
    shown = run("status").out
    assert "class_ranker" in shown
    assert "2026-03-02" in shown


def test_status_of_a_bare_folder(run: Callable[..., Any], tmp_path: Path) -> None:
    outcome = run("status", data=tmp_path / "bare")
    assert outcome.code == 0
    assert "not built yet" in outcome.out


def test_evaluate_measures_labelled_logs(run: Callable[..., Any], tmp_path: Path) -> None:
    labels = [
        {"id": "1", "raw": SSH, "class_uid": 3002, "acceptable": [3002], "source": "sshd"},
        {"id": "1", "raw": '{"cut', "class_uid": 4001},
    ]
    path = tmp_path / "labels.jsonl"
    path.write_text("\n\n".join(json.dumps(label) for label in labels))
    outcome = run("evaluate", str(path), "--json", "--report", str(tmp_path / "report.html"))
    assert outcome.code == 0
    report = json.loads(outcome.out)
    assert report["overall"]["count"] == 2
    assert report["overall"]["top1"] == 0.5
    html = (tmp_path / "report.html").read_text()
    assert "<table>" in html
    assert html.count("<svg") == 3
    assert [item["is_measured"] for item in report["yardsticks"]][:2] == [True, True]
    assert "top-1" in run("evaluate", str(path), "--report", str(tmp_path / "report.md")).out
    assert "| top-1 |" in (tmp_path / "report.md").read_text()
    assert "![reliability](report.reliability.svg)" in (tmp_path / "report.md").read_text()
    assert (tmp_path / "report.reliability.svg").read_text().startswith("<svg")
    shown = run("evaluate", str(path), "--no-yardsticks", "--baseline", str(tmp_path / "b.json"))
    assert "Authentication" in shown.out
    assert json.loads((tmp_path / "b.json").read_text())["figures"]["top1"] == 0.5


def test_evaluate_compares_events(run: Callable[..., Any], tmp_path: Path) -> None:
    event = {"user": {"name": "kim"}, "status_id": 2, "status": "Failure"}
    label = {"raw": SSH, "class_uid": 3002, "source": "sshd", "ocsf": event}
    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps(label))
    measured = json.loads(run("evaluate", str(path), "--json").out)["mapping"]
    assert measured["by_source"]["sshd"] == measured["by_source"]["sshd"] | {"expected": 2}
    assert measured["by_attribute"]["user.name"]["right"] == 1
    assert "F1" in run("evaluate", str(path), "--report", str(tmp_path / "report.md")).out
    assert "| user.name | 1 |" in (tmp_path / "report.md").read_text()
    path.write_text(f"{json.dumps(label)}\n{json.dumps({**label, 'ocsf': None})}")
    assert "line 2 has no event in 'ocsf'" in run("evaluate", str(path)).err.replace("\n", " ")


@pytest.mark.parametrize(
    "line", ["not json", "[]", '{"raw": "x"}', '{"raw": "x", "class_uid": "?"}', ""]
)
def test_evaluate_names_the_line_that_is_no_label(
    run: Callable[..., Any], tmp_path: Path, line: str
) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text(line)
    outcome = run("evaluate", str(path))
    assert outcome.code == 2
    assert str(path) in outcome.err.replace("\n", "")


def test_packs_check_tells_every_fault(run: Callable[..., Any], tmp_path: Path) -> None:
    folder = tmp_path / "packs"
    folder.mkdir()
    pack = (
        "product: {name}\nvendor: Acme\nname: Acme\nfamily: firewall\nformats: [text]\n"
        "about: x\nevents:\n- {{name: e, class_uid: {uid}, activity_id: 1, meaning: m, "
        "examples: ['something happened']}}\n"
    )
    (folder / "good.yaml").write_text(pack.format(name="good", uid=3002))
    assert run("packs", "check", str(folder)).code == 0
    (folder / "other_class.yaml").write_text(pack.format(name="other_class", uid=9999))
    (folder / "no_yaml.yaml").write_text("{")
    (folder / "misnamed.yaml").write_text(pack.format(name="good", uid=3002))
    outcome = run("packs", "check", str(folder))
    assert outcome.code == 1
    faults = [line for line in outcome.out.splitlines() if line.startswith("fault: ")]
    assert {fault.split(": ")[1] for fault in faults} == {"other_class", "no_yaml", "misnamed"}
    assert "good: 1 events, 1 examples" in outcome.out


def test_packs_embed_covers_every_text_of_the_knowledge_base(
    run: Callable[..., Any], data_dir: Path, tmp_path: Path
) -> None:
    path = tmp_path / "vectors.npz"
    assert run("packs", "embed", "--output", str(path)).code == 0
    artefacts = opening.open_artefacts(Settings(data_dir=data_dir))
    chunks = load_class_chunks(artefacts) + examples_to_chunks(load_stored_examples(artefacts))
    shipped = read_vectors(path.read_bytes(), FakeEmbedder().name)
    assert {hash_text(chunk.text) for chunk in chunks} <= set(shipped)
    first = path.read_bytes()
    assert run("packs", "embed", "--output", str(path)).code == 0
    assert path.read_bytes() == first
    assert run("packs", "embed", "--output", str(tmp_path / "no" / "folder")).code == 1


def test_env_example_is_what_the_code_says() -> None:
    written = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert written == format_env(), "run: ocsf-pipeline settings --format env > .env.example"


def test_every_setting_is_described() -> None:
    for variable, _default, meaning in describe_settings():
        assert f"`{variable}`" in format_markdown()
        assert meaning


def test_help_is_fast_and_imports_nothing_heavy() -> None:
    code = (
        "import sys; from ocsf_pipeline.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'polars', 'dagster', 'torch', 'chdb', 'sklearn', 'pydantic'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    seconds = time.perf_counter() - start
    assert done.returncode == 0, done.stderr
    assert seconds < 5, "half a second on a quiet machine"
    for command in ("classify", "map", "evaluate", "query", "demo", "status", "packs", "learn"):
        assert command in done.stdout


@pytest.mark.parametrize("command", ["classify", "map", "evaluate", "query", "demo", "packs"])
def test_every_command_has_help(run: Callable[..., Any], command: str) -> None:
    outcome = run(command, "--help")
    assert outcome.code == 0
    assert len(outcome.out) > 200


def test_version(run: Callable[..., Any]) -> None:
    assert run("--version").out.startswith("ocsf-pipeline ")


def test_a_reader_that_stops_early_is_no_failure() -> None:
    command = f"{sys.executable} -m ocsf_pipeline.cli settings --format env | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert "Traceback" not in done.stderr
