"""What the documents tell people to type exists: make targets, commands, options, settings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from ocsf_pipeline.cli import app
from ocsf_pipeline.settings import Settings, name_variable

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

_CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
_MAKE = re.compile(r"(?:^|[\s`&;])make ((?:[a-z]+ ?)+)")
_COMMAND = re.compile(r"ocsf-pipeline((?: +[^\s`|]+)*)")
_VARIABLE = re.compile(r"\b(?:OCSF_PIPELINE|TRIEVE)_[A-Z_]+")


def read_code(path: Path) -> list[str]:
    """Return the code spans and blocks of a document."""
    return _CODE.findall(path.read_text(encoding="utf-8"))


def list_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def find_options(words: list[str]) -> set[str]:
    """Return the options that the command named by `words` knows, its groups' included."""
    command = typer.main.get_command(app)
    takes_value: dict[str, bool] = {}
    is_value = False
    for word in words:
        for item in command.params:
            is_flag = getattr(item, "is_flag", False)
            takes_value.update(dict.fromkeys(item.opts, not is_flag))
        if is_value or word.startswith("-"):
            is_value = not is_value and takes_value.get(word, False)
            continue
        commands = getattr(command, "commands", {})
        if commands:
            assert word in commands, f"ocsf-pipeline {' '.join(words)}: there is no {word!r}"
            command = commands[word]
    known = {option for item in command.params for option in item.opts}
    return known | set(takes_value) | {"--help", "-h"}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_make_targets_exist(path: Path) -> None:
    named = {
        target
        for code in read_code(path)
        for targets in _MAKE.findall(code)
        for target in targets.split()
    }
    assert named - list_targets() == set()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_commands_and_options_exist(path: Path) -> None:
    for code in read_code(path):
        for line in _COMMAND.findall(code):
            # A word in quotes or capitals stands for the reader's own: SQL, a file.
            words = re.sub(r"\"[^\"]*\"|'[^']*'", "", line).split()
            words = [word for word in words if re.fullmatch(r"-{0,2}[a-z][a-z-]*", word)]
            named = {word for word in words if word.startswith("-")}
            assert named <= find_options(words), line


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_settings_exist(path: Path) -> None:
    known = {name_variable(field) for field in Settings.model_fields}
    known |= set(_VARIABLE.findall((ROOT / "docker-compose.yml").read_text(encoding="utf-8")))
    named = set(_VARIABLE.findall(path.read_text(encoding="utf-8")))
    assert {name for name in named if not name.endswith("_")} <= known


def test_every_make_target_says_what_it_does() -> None:
    described = re.findall(r"^([a-z]+):.*## (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {name for name, _text in described} == list_targets()


@pytest.mark.parametrize(
    ("line", "is_right"),
    [
        ("classify --jsonl --field raw file", True),
        ("--data-dir elsewhere classify --explain", True),
        ("packs check folder", True),
        ("packs check --explain", False),
        ("classify --format json", False),
        ("clasify", False),
        ("packs list", False),
    ],
)
def test_this_check_itself(line: str, is_right: bool) -> None:
    words = line.split()
    try:
        found = {word for word in words if word.startswith("-")} <= find_options(words)
    except AssertionError:
        found = False
    assert found is is_right
