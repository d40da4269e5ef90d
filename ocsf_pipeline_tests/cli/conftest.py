from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ocsf_pipeline.cli import main
from ocsf_pipeline_tests.fakes.small_knowledge import use_small_knowledge


@dataclass(frozen=True)
class Outcome:
    """What one call of the command line did."""

    code: int
    out: str
    err: str

    @property
    def results(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Outcome]


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder whose knowledge base is built, as the first command leaves it."""
    folder = tmp_path_factory.mktemp("cli")
    with pytest.MonkeyPatch.context() as patch:
        use_small_knowledge(patch)
        with pytest.raises(SystemExit) as ended:
            main(["--data-dir", str(folder), "learn"])
        assert ended.value.code == 0
        yield folder


@pytest.fixture
def run(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Run:  # fmt: skip
    """Call the command line on the built data folder, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    for name in ("OCSF_PIPELINE_DATA_DIR", "OCSF_PIPELINE_PACKS_DIR"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: str, stdin: str | bytes = "", data: Path = data_dir) -> Outcome:
        body = stdin.encode() if isinstance(stdin, str) else stdin
        stream = io.TextIOWrapper(io.BytesIO(body))
        capsys.readouterr()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.stdin", stream)
            with pytest.raises(SystemExit) as ended:
                main(["--data-dir", str(data), *arguments])
        captured = capsys.readouterr()
        code = ended.value.code
        return Outcome(code if isinstance(code, int) else 1, captured.out, captured.err)

    return call
