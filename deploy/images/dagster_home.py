"""Makes $DAGSTER_HOME ready: dagster.yaml with the numbers that the environment names.

Belongs here: what an image's start needs before Dagster's own commands. Does not belong here: any
choice; those are in dagster.yaml and in the environment. Dagster reads texts from the environment
by itself (`env:`), but takes numbers as literals only.

    dagster_home.py DAGSTER_YAML [--processes] [-- COMMAND…]

writes the file to $DAGSTER_HOME and becomes COMMAND. With `--processes` runs are processes of
the code location instead of containers, for machines without a container engine.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

NUMBERS = {
    "DAGSTER_MAX_CONCURRENT_RUNS": ("concurrency", "runs", "max_concurrent_runs"),
    "DAGSTER_POOL_LIMIT": ("concurrency", "pools", "default_limit"),
    "DAGSTER_RUN_START_TIMEOUT_SECONDS": ("run_monitoring", "start_timeout_seconds"),
    "DAGSTER_RUN_MAX_RUNTIME_SECONDS": ("run_monitoring", "max_runtime_seconds"),
    "DAGSTER_RUN_POLL_SECONDS": ("run_monitoring", "poll_interval_seconds"),
    "DAGSTER_RUN_MAX_RETRIES": ("run_retries", "max_retries"),
    "DAGSTER_FREE_SLOTS_SECONDS": ("run_monitoring", "free_slots_after_run_end_seconds"),
    "DAGSTER_TICKS_SKIPPED_DAYS": ("retention", "sensor", "purge_after_days", "skipped"),
    "DAGSTER_TICKS_FAILED_DAYS": ("retention", "sensor", "purge_after_days", "failure"),
    "DAGSTER_TICKS_DONE_DAYS": ("retention", "sensor", "purge_after_days", "success"),
}
"""Variables, and where in dagster.yaml the number stands that they replace."""


def fill_numbers(text: str, environ: Mapping[str, str], processes: bool = False) -> str:
    """Return dagster.yaml with the numbers of `environ`; an empty variable counts as absent.

    Raises SystemExit naming the variable that is no whole number.
    """
    config: dict[str, Any] = yaml.safe_load(text)
    for variable, (*parents, last) in NUMBERS.items():
        given = environ.get(variable, "").strip()
        if not given:
            continue
        if not given.isdecimal():
            raise SystemExit(f"{variable} must be a whole number, but it is {given!r}")
        section = config
        for parent in parents:
            section = section.setdefault(parent, {})
        section[last] = int(given)
    if processes:
        config.pop("run_launcher", None)
    return yaml.safe_dump(config, sort_keys=False)


def main(arguments: list[str], environ: Mapping[str, str]) -> None:
    """Write the file, then become the command that follows `--`, if one does."""
    options, _, command = (
        (arguments, "", []) if "--" not in arguments else _split(arguments, arguments.index("--"))
    )
    source = Path(next(item for item in options if not item.startswith("--")))
    home = Path(environ["DAGSTER_HOME"])
    home.mkdir(parents=True, exist_ok=True)
    filled = fill_numbers(source.read_text("utf-8"), environ, "--processes" in options)
    (home / "dagster.yaml").write_text(filled, "utf-8")
    if command:
        os.execvp(command[0], command)  # noqa: S606 - the image's own command


def _split(arguments: list[str], at: int) -> tuple[list[str], str, list[str]]:
    return arguments[:at], arguments[at], arguments[at + 1 :]


if __name__ == "__main__":
    main(sys.argv[1:], os.environ)
