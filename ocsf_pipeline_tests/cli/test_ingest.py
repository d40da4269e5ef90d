"""Whether the endpoint may start, told before it does."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocsf_pipeline.commands import ingest
from ocsf_pipeline.commands.common import CommandError
from ocsf_pipeline.ingest.app import Endpoint
from ocsf_pipeline.settings import Settings, read_settings

_VARIABLE = "OCSF_PIPELINE_INGEST_"


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Note what would be served instead of serving."""
    calls: list[tuple[str, int]] = []

    def note(endpoint: Endpoint, host: str, port: int, **options: object) -> bool:
        calls.append((host, port))
        return port != 1

    monkeypatch.setattr(ingest, "run_server", note)
    return calls


def start(settings: Settings, host: str = "127.0.0.1", port: int = 8088, **more: bool) -> list[str]:
    said: list[str] = []
    ingest.serve(settings, host, port, more.get("allow_anonymous", False), said.append)
    return said


def test_without_tokens_only_this_machine_may_send(
    tmp_path: Path, served: list[tuple[str, int]]
) -> None:
    settings = Settings(data_dir=tmp_path)
    for host in ("127.0.0.1", "::1", "localhost"):
        assert "anyone" in start(settings, host)[0]
    for host in ("0.0.0.0", "::", "192.0.2.1", "logs.example"):
        with pytest.raises(CommandError, match="--allow-anonymous") as caught:
            start(settings, host)
        assert caught.value.exit_code == 2
    assert "anyone" in start(settings, "0.0.0.0", allow_anonymous=True)[0]
    assert len(served) == 4


def test_tokens_come_from_the_environment_and_from_a_file(
    tmp_path: Path, served: list[tuple[str, int]]
) -> None:
    path = tmp_path / "tokens"
    path.write_text("vector:0123456789abcdef\n")
    environ = {f"{_VARIABLE}TOKENS_FILE": str(path), f"{_VARIABLE}TOKENS": "a:0123456789abcdef-2"}
    settings = read_settings({**environ, "OCSF_PIPELINE_DATA_DIR": str(tmp_path)})
    assert "0123456789abcdef" not in repr(settings)
    start(settings, "0.0.0.0")
    tokens = ingest.open_tokens(settings).tokens
    assert tokens.find_sender("Bearer 0123456789abcdef") == "vector"
    assert tokens.find_sender("Bearer 0123456789abcdef-2") == "a"
    assert served == [("0.0.0.0", 8088)]


@pytest.mark.parametrize("text", [None, "", "# none\n", "vector:short\n"])
def test_a_file_of_tokens_that_cannot_be_used_stops_the_start(
    tmp_path: Path, text: str | None, served: list[tuple[str, int]]
) -> None:
    path = tmp_path / "tokens"
    if text is not None:
        path.write_text(text)
    settings = Settings(data_dir=tmp_path, ingest_tokens_file=str(path))
    with pytest.raises(CommandError, match=r"token|TOKENS"):
        start(settings)
    assert served == []


def test_a_port_that_is_taken_is_told(tmp_path: Path, served: list[tuple[str, int]]) -> None:
    with pytest.raises(CommandError, match=r"could not be started on 127\.0\.0\.1:1"):
        start(Settings(data_dir=tmp_path), port=1)


def test_the_settings_reach_the_endpoint(tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path, objects_prefix="raw", ingest_max_body_bytes=2_000,
        ingest_linger_seconds=2.0, ingest_retry_window_seconds=60, ingest_max_requests=7,
    )  # fmt: skip
    options = ingest.build_options(settings)
    assert options.body.max_body_bytes == 2_000
    assert (options.gather.prefix, options.gather.linger_seconds) == ("raw", 2.0)
    assert (options.gather.window_seconds, options.max_requests) == (60, 7)
