"""`classify` and `map`: one answer per log, whatever the input."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

SSH = "<38>Nov 22 10:00:01 web1 sshd[812]: Failed password for kim from 192.0.2.7 port 50514 ssh2"
SSH_LATER = (
    "<38>Nov 22 10:09:31 web2 sshd[99]: Failed password for lee from 192.0.2.9 port 41022 ssh2"
)
OKTA = json.dumps(
    {
        "eventType": "user.session.start",
        "published": "2026-11-22T10:00:00.000Z",
        "actor": {"alternateId": "kim@example.com", "type": "User"},
        "client": {"ipAddress": "192.0.2.7"},
        "outcome": {"result": "SUCCESS"},
    }
)
KEYS = [
    "id", "class_uid", "class_name", "category_uid", "activity_id", "type_uid", "confidence",
    "status", "candidates", "template_id", "evidence",
]  # fmt: skip


def write_jsonl(*documents: object) -> str:
    return "".join(json.dumps(document) + "\n" for document in documents)


def check_result(result: dict[str, Any]) -> None:
    assert list(result) == KEYS
    assert 0 <= result["confidence"] <= 1
    assert result["status"] in ("accepted", "review")
    assert result["type_uid"] == result["class_uid"] * 100 + result["activity_id"]
    assert result["category_uid"] == result["class_uid"] // 1000
    candidates = result["candidates"]
    assert 1 <= len(candidates) <= 5
    assert candidates[0]["class_uid"] == result["class_uid"]
    assert all(set(item) == {"class_uid", "class_name", "score"} for item in candidates)
    assert all(set(item) == {"kind", "text", "weight"} for item in result["evidence"])


def test_one_result_per_line_with_exactly_the_keys(run: Callable[..., Any]) -> None:
    outcome = run("classify", stdin=f"{SSH}\n{SSH_LATER}\n{OKTA}\n")
    assert outcome.code == 0
    for result in outcome.results:
        check_result(result)
    assert [result["id"] for result in outcome.results] == [1, 2, 3]
    first, second, third = outcome.results
    assert first["class_name"] == third["class_name"] == "Authentication"
    assert first["template_id"] == second["template_id"] != third["template_id"]


def test_a_file_is_read_like_standard_input(run: Callable[..., Any], tmp_path: Path) -> None:
    text = f"{SSH}\n{OKTA}\n"
    plain = run("classify", "-", stdin=text)
    for name, body in {
        "plain.log": text.encode(),
        "packed.gz": gzip.compress(text.encode()),
        "packed.bin": zstandard.compress(text.encode()),
    }.items():
        (tmp_path / name).write_bytes(body)
        assert run("classify", str(tmp_path / name)).results == plain.results, name


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (json.dumps([json.loads(OKTA)] * 3, indent=1), 3),
        (json.dumps({"Records": [json.loads(OKTA)] * 2}), 2),
        (json.dumps(json.loads(OKTA), indent=2), 1),
        ('<Events><Event xmlns="x"><System><EventID>4625</EventID></System></Event></Events>', 1),
    ],
    ids=["array", "records", "pretty-printed", "xml"],
)
def test_documents_give_one_result_per_log(run: Callable[..., Any], text: str, count: int) -> None:
    results = run("classify", stdin=text).results
    assert len(results) == count
    check_result(results[0])


def test_jsonl_carries_ids_and_reads_the_field(run: Callable[..., Any]) -> None:
    text = write_jsonl(
        {"id": "a-1", "text": SSH},
        {"id": 17, "text": json.loads(OKTA)},
        {"text": SSH_LATER},
        {"id": {"deep": ["\u00e9\ud83d"]}, "text": "lone \ud83d surrogate"},
    )
    outcome = run("classify", "--jsonl", "--field", "text", stdin=text)
    assert outcome.code == 0
    assert [result["id"] for result in outcome.results] == [
        "a-1", 17, 3, {"deep": ["\u00e9\ud83d"]},
    ]  # fmt: skip
    for result in outcome.results:
        check_result(result)


def test_bad_lines_lose_nothing_and_keep_their_place(run: Callable[..., Any]) -> None:
    lines = [
        json.dumps({"id": "good", "raw": SSH}).encode(),
        b'{"id": "half", "raw": "cut o',
        b"[1, 2]",
        b"",
        json.dumps({"id": "none"}).encode(),
        json.dumps({"id": "blank", "raw": " \n "}).encode(),
        json.dumps({"id": "broken", "raw": '{"eventType": "user.ses'}).encode(),
        b'{"id": "latin", "raw": "caf\xe9"}',
        b"[" * 100_000,
        json.dumps({"id": "last", "raw": OKTA}).encode(),
    ]
    outcome = run("classify", "--jsonl", stdin=b"\n".join(lines))
    assert outcome.code == 0
    told = [(result["id"], result["status"] == "quarantined") for result in outcome.results]
    assert told == [
        ("good", False), (2, True), (3, True), ("none", True), ("blank", True), ("broken", True),
        (8, True), (9, True), ("last", False),
    ]  # fmt: skip
    for result in outcome.results:
        if result["status"] == "quarantined":
            assert result["error"]
            assert result["reason"]


def test_an_overlong_line_is_quarantined_where_it_stands(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCSF_PIPELINE_MAX_LINE_BYTES", "4096")
    text = write_jsonl({"id": 1, "raw": SSH}, {"id": 2, "raw": "x" * 9000}, {"id": 3, "raw": SSH})
    results = run("classify", "--jsonl", stdin=text).results
    assert [result.get("reason") for result in results] == [None, "line_too_long", None]


def test_truncated_compression_answers_what_came_before(run: Callable[..., Any]) -> None:
    text = write_jsonl(*({"id": n, "raw": f"{SSH} {n * 7919}"} for n in range(5_000)))
    cut = gzip.compress(text.encode())[:-2_000]
    results = run("classify", "--jsonl", stdin=cut).results
    assert 10 < len(results) < 5_000
    assert [result["id"] for result in results[:-1]] == list(range(len(results) - 1))
    assert all("error" not in result for result in results[:-1])
    assert results[-1]["reason"] == "corrupt_compression"
    assert results[-1]["id"] == len(results)


def test_nothing_in_gives_nothing_out(run: Callable[..., Any]) -> None:
    for arguments in (("classify",), ("classify", "--jsonl"), ("map",)):
        assert run(*arguments, stdin="").out == ""


def test_explain_tells_why_per_template(run: Callable[..., Any]) -> None:
    out = run("classify", "--explain", stdin=f"{SSH}\n{SSH_LATER}\n").out
    assert out.count("confidence") == 1
    assert "2 logs" in out
    assert "candidates:" in out


def test_logs_cannot_style_the_terminal(run: Callable[..., Any]) -> None:
    out = run(
        "classify", "--explain", stdin="[bold red]alert[/bold red] [/] user kim logged in\n"
    ).out
    assert "[bold red]alert[/bold red] [/]" in out


def test_map_gives_whole_events(run: Callable[..., Any]) -> None:
    text = write_jsonl({"id": "a", "raw": SSH}, {"id": "b"}, {"id": "c", "raw": OKTA})
    first, broken, last = run("map", "--jsonl", stdin=text).results
    assert broken["status"] == "quarantined"
    assert broken["id"] == "b"
    for event, uid, raw in ((first, "a", SSH), (last, "c", OKTA)):
        assert event["class_uid"] == 3002
        assert event["raw_data"] == raw
        assert event["metadata"]["uid"] == uid
        assert event["metadata"]["version"]
        assert {"time", "severity_id", "type_uid", "category_uid"} <= set(event)


def test_many_logs_of_one_template_are_decided_once(run: Callable[..., Any]) -> None:
    text = "".join(SSH.replace("kim", f"user{n}") + "\n" for n in range(30_000))
    results = run("classify", stdin=text).results
    assert len(results) == 30_000
    assert len({result["template_id"] for result in results}) == 1
    assert results[-1]["id"] == 30_000
