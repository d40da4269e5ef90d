"""The real process, killed and restarted: what was answered is stored, what is stored is once."""

from __future__ import annotations

import collections
import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from ocsf_pipeline.adapters.object_store import open_object_store
from ocsf_pipeline_tests.fakes.killed_endpoint import TOKEN, Endpoints, run_endpoints
from ocsf_pipeline_tests.ingest.conftest import read_lines

_HEADERS = {"Authorization": f"Bearer {TOKEN}"}
Open = Callable[..., Endpoints]


def find_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def endpoints(tmp_path: Path) -> Iterator[Endpoints]:
    with run_endpoints(tmp_path / "data", find_port()) as running:
        yield running


def count_stored(endpoints: Endpoints) -> collections.Counter[int]:
    lines = read_lines(open_object_store(str(endpoints.folder / "objects")))
    return collections.Counter(line["n"] for line in lines)


def send_batches(url: str, numbers: range, answered: list[int]) -> None:
    """Send one event a request, each again until it is answered with success."""
    deadline = time.monotonic() + 90
    with httpx.Client(headers=_HEADERS, timeout=10) as client:
        for number in numbers:
            while time.monotonic() < deadline:
                with contextlib.suppress(httpx.TransportError):
                    answer = client.post(f"{url}/logs", content=b'{"n":%d}' % number)
                    if answer.status_code == 200:
                        answered.append(number)
                        break
                time.sleep(0.1)


def test_every_event_is_stored_once_whenever_the_endpoint_is_killed(endpoints: Endpoints) -> None:
    endpoints.start(4)  # dies before the third write
    answered: list[int] = []
    ranges = [range(start, start + 15) for start in (0, 100, 200)]
    senders = [
        threading.Thread(target=send_batches, args=(endpoints.url, numbers, answered))
        for numbers in ranges
    ]
    for sender in senders:
        sender.start()
    for number in (5, 1, 4, -1):  # after the third write, after the first, before the third
        assert endpoints.wait() == -signal.SIGKILL
        endpoints.start(number)
    for sender in senders:
        sender.join(60)
    assert endpoints.end() in (0, -signal.SIGTERM)
    expected = {number for numbers in ranges for number in numbers}
    assert set(answered) == expected
    assert count_stored(endpoints) == dict.fromkeys(expected, 1)


def test_a_term_signal_stores_and_answers_what_is_in_flight(tmp_path: Path) -> None:
    settings = {"OCSF_PIPELINE_INGEST_LINGER_SECONDS": "30"}
    with run_endpoints(tmp_path / "data", find_port(), **settings) as endpoints:
        endpoints.start()
        answered: list[int] = []
        # The first is stored at once; the others wait for half a minute to be gathered.
        send_batches(endpoints.url, range(1), answered)
        senders = [
            threading.Thread(target=send_batches, args=(endpoints.url, range(n, n + 1), answered))
            for n in range(1, 9)
        ]
        for sender in senders:
            sender.start()
        deadline = time.monotonic() + 30
        while "requests_in_flight 8.0" not in httpx.get(f"{endpoints.url}/metrics").text:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        started = time.monotonic()
        endpoints.end()
        assert time.monotonic() - started < 15
        for sender in senders:
            sender.join(10)
        assert sorted(answered) == list(range(9))
        assert count_stored(endpoints) == dict.fromkeys(range(9), 1)


def test_a_second_endpoint_knows_what_the_first_stored(tmp_path: Path) -> None:
    """A load balancer sends the retry of a lost answer to another instance."""
    folder = tmp_path / "data"
    with run_endpoints(folder, find_port()) as first, run_endpoints(folder, find_port()) as second:
        second.start()
        first.start(1)  # dies after its first write, before the answer
        with pytest.raises(httpx.TransportError):
            httpx.post(f"{first.url}/logs", content=b'{"n":1}', headers=_HEADERS)
        time.sleep(1.1)  # as often as others are looked at
        answer = httpx.post(f"{second.url}/logs", content=b'{"n":1}', headers=_HEADERS)
        assert answer.status_code == 200
        assert count_stored(second) == {1: 1}
        metrics = httpx.get(f"{second.url}/metrics").text
        assert "ocsf_ingest_repeated_batches_total 1.0" in metrics


def test_tokens_are_rotated_while_it_runs(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("old:the-old-token-of-vector\n")
    settings = {"OCSF_PIPELINE_INGEST_TOKENS_FILE": str(tokens)}
    with run_endpoints(tmp_path / "data", find_port(), **settings) as endpoints:
        endpoints.start()

        def send(token: str) -> int:
            headers = {"Authorization": f"Bearer {token}"}
            body = os.urandom(8).hex().encode()
            return httpx.post(f"{endpoints.url}/logs", content=body, headers=headers).status_code

        def wait_for(token: str, status: int) -> None:
            deadline = time.monotonic() + 20
            while send(token) != status:
                assert time.monotonic() < deadline
                time.sleep(0.1)

        assert (send("the-old-token-of-vector"), send("the-new-token-of-vector")) == (200, 403)
        tokens.write_text("old:the-old-token-of-vector\nnew:the-new-token-of-vector\n")
        wait_for("the-new-token-of-vector", 200)
        assert send("the-old-token-of-vector") == 200
        tokens.write_text("new:the-new-token-of-vector # the old one is withdrawn\n")
        wait_for("the-old-token-of-vector", 403)
        tokens.write_text("broken\n")
        time.sleep(1.5)
        assert send("the-new-token-of-vector") == 200
        assert "ocsf_ingest_tokens_failed 1.0" in httpx.get(f"{endpoints.url}/metrics").text
