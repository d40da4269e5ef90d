"""Processes that are started, watched, killed, and restarted as `restart: unless-stopped` would.

Belongs here: processes and their health. Does not belong here: which ones there are.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from ocsf_pipeline_tests.rehearsal.plan import Process

_RESTART_SECONDS = 1.0


class RehearsalError(AssertionError):
    """Something did not hold; the message says what, and where its log is."""


class TooSlowError(RehearsalError):
    """Something did not come in time; nothing says that it would not have."""


def wait_until(
    what: str, is_true: Callable[[], bool], timeout_s: float, interval_s: float = 1.0
) -> float:
    """Ask until it is so; return the seconds that it took. Raises TooSlowError."""
    started = time.monotonic()
    while time.monotonic() - started < timeout_s:
        if is_true():
            return time.monotonic() - started
        time.sleep(interval_s)
    raise TooSlowError(f"{what}: not within {timeout_s:.0f} s")


class Supervisor:
    """Starts processes and starts them anew when they end."""

    def __init__(self, folder: Path) -> None:
        self._logs = folder / "logs"
        self._logs.mkdir(parents=True, exist_ok=True)
        self._work = folder
        self._plans: dict[str, Process] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._lock = threading.RLock()
        self._closing = threading.Event()
        self.restarts: dict[str, int] = {}
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def start(self, process: Process) -> None:
        """Start a process and keep it running."""
        with self._lock:
            self._plans[process.name] = process
            self.restarts.setdefault(process.name, 0)
            self._running[process.name] = self._spawn(process)

    def run(self, process: Process, timeout_s: float) -> None:
        """Run a process to its end. Raises RehearsalError when it fails."""
        if self._spawn(process).wait(timeout_s):
            raise RehearsalError(f"{process.name} failed:\n{self.tail(process.name)}")

    def kill(self, name: str) -> int:
        """Kill -9 a process and all that it started, as the end of a container does."""
        with self._lock:
            pid = self._running[name].pid
            os.killpg(pid, signal.SIGKILL)
        return pid

    def freeze(self, name: str, seconds: float) -> None:
        """Stop a process for a while: it neither answers nor refuses."""
        pid = self._running[name].pid
        os.killpg(pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.killpg(pid, signal.SIGCONT)

    def is_healthy(self, name: str) -> bool:
        """Run the service's own health check."""
        process = self._plans[name]
        with self._lock:
            if self._running[name].poll() is not None:
                return False
        done = subprocess.run(
            self._resolve(process.health), env=process.environment, cwd=self._work,
            capture_output=True, timeout=60,
        )  # fmt: skip
        return done.returncode == 0

    def wait_healthy(self, name: str, timeout_s: float = 240) -> float:
        """Wait for the health check; return the seconds. Raises TooSlowError with the log."""
        try:
            return wait_until(f"{name} is healthy", lambda: self.is_healthy(name), timeout_s)
        except TooSlowError as error:
            raise TooSlowError(f"{error}\n{self.tail(name)}") from error

    def tail(self, name: str, lines: int = 40) -> str:
        """Return the end of a process's log."""
        path = self._logs / f"{name}.log"
        text = path.read_text("utf-8", "replace") if path.exists() else ""
        return "\n".join([f"--- {path}", *text.splitlines()[-lines:]])

    def close(self) -> None:
        """End everything, the last started first."""
        self._closing.set()
        with self._lock:
            for name, running in reversed(self._running.items()):
                if running.poll() is None:
                    # Postgres stops at once on SIGINT; SIGTERM would wait for its clients.
                    os.killpg(running.pid, signal.SIGINT if name == "postgres" else signal.SIGTERM)
            deadline = time.monotonic() + 15
            for running in self._running.values():
                try:
                    running.wait(max(0.1, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    os.killpg(running.pid, signal.SIGKILL)
                    running.wait()

    def _watch(self) -> None:
        while not self._closing.wait(0.3):
            with self._lock:
                ended = [name for name, item in self._running.items() if item.poll() is not None]
            for name in ended:
                if self._closing.wait(_RESTART_SECONDS):
                    return
                with self._lock:
                    self.restarts[name] += 1
                    self._running[name] = self._spawn(self._plans[name])

    def _spawn(self, process: Process) -> subprocess.Popen[bytes]:
        with (self._logs / f"{process.name}.log").open("ab") as log:
            return subprocess.Popen(
                self._resolve(process.command), env=process.environment, cwd=self._work,
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True, user=process.user,
            )  # fmt: skip

    def _resolve(self, command: tuple[str, ...]) -> list[str]:
        """Find the program as the process itself would: by its own PATH."""
        bin_folder = next(iter(self._plans.values())).environment["PATH"] if self._plans else ""
        for folder in bin_folder.split(":"):
            found = Path(folder) / command[0]
            if folder and found.exists():
                return [str(found), *command[1:]]
        return list(command)
