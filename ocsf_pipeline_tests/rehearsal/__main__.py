"""The rehearsal: start everything, push logs, kill -9 everything in turn, count the rows.

make rehearse                     all of it; the browser too, where Chromium is installed
python -m ocsf_pipeline_tests.rehearsal --keep      leave it running, for a look around
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ocsf_pipeline_tests.rehearsal import browser, stores, views
from ocsf_pipeline_tests.rehearsal.plan import Plan, make_plan
from ocsf_pipeline_tests.rehearsal.supervise import (
    RehearsalError,
    Supervisor,
    TooSlowError,
    wait_until,
)
from ocsf_pipeline_tests.rehearsal.traffic import Sender, land_past_hours

TOO_SLOW = 2
"""Exit status when something did not come in time; 1: something is wrong."""
_STARTED = time.monotonic()


def say(text: str) -> None:
    """Print a line of progress with the time since the start."""
    seconds = time.monotonic() - _STARTED
    sys.stdout.write(f"[{seconds // 60:02.0f}:{seconds % 60:02.0f}] {text}\n")
    sys.stdout.flush()


class Rehearsal:
    """One rehearsal in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.plan: Plan = make_plan(folder)
        self.supervisor = Supervisor(folder)
        self.tables = views.Tables(self.plan)
        self.s3: Any = None
        self.sender: Sender | None = None
        self.killed_runs: set[str] = set()
        self.postgres_folder = Path()

    # 1 ----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the services in the order of docker-compose.yml."""
        say("Postgres, an S3 server, the tables' front, the engine's stand-in")
        postgres = stores.prepare_postgres(self.plan)
        self.postgres_folder = Path(postgres.environment["HOME"])
        for process in (
            postgres, stores.plan_s3(self.plan), stores.plan_tables(self.plan),
            stores.plan_engine(self.plan),
        ):  # fmt: skip
            self.supervisor.start(process)
        for name in ("postgres", "s3", "clickhouse", "docker-api"):
            self.supervisor.wait_healthy(name)
        stores.create_database(postgres)
        self.s3 = stores.open_s3(self.plan)
        for bucket in ("objects", "artefacts"):
            self.s3.create_bucket(Bucket=bucket)
        say("prepare: Dagster's tables, the pool of the knowledge base")
        self.supervisor.run(self.plan.process("prepare"), 120)
        say("code location (gRPC), ingest endpoint")
        for name in ("code", "ingest"):
            self.supervisor.start(self.plan.process(name))
        self.supervisor.wait_healthy("code")
        say("web server, daemon")
        for name in ("webserver", "daemon"):
            self.supervisor.start(self.plan.process(name))
        for name in ("ingest", "webserver"):
            self.supervisor.wait_healthy(name)
        say("up")

    # 2 ----------------------------------------------------------------------------------------

    def send(self) -> None:
        """Put objects into past hours and begin to push events of this one."""
        count = land_past_hours(self.plan, self.s3)
        self.sender = Sender(self.plan)
        self.sender.start()
        say(f"{count} objects in past hours; numbered events are being pushed")

    # 3 ----------------------------------------------------------------------------------------

    def kill_while_learning(self) -> None:
        """Kill what does no run, while the knowledge base is being built."""
        wait_until("a run of knowledge_job", lambda: bool(self._runs("STARTED")), 300)
        say("knowledge_job runs")
        for name in ("ingest", "webserver"):
            self._kill(name)
        wait_until("knowledge_job", self._has_knowledge, 900)
        say("knowledge_job is done")

    def kill_while_hours_run(self) -> None:
        """Kill a run, then each service, while hours are being written."""
        self._in_an_hour(self._kill_run)
        for name in ("clickhouse", "daemon", "code", "postgres"):
            self._in_an_hour(lambda _run, name=name: self._kill(name))
        say("s3: frozen for 8 s (moto keeps objects in memory, so it is not killed)")
        self.supervisor.freeze("s3", 8)

    # 4 ----------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Stop sending and wait until nothing is left to do."""
        assert self.sender is not None
        sent = self.sender.finish()
        say(
            f"{sent:,} events accepted, {self.sender.repeats} requests had to be repeated; settling"
        )
        wait_until("everything is written", self._is_settled, 900, 3)

    def check(self) -> None:
        """Count. Raises RehearsalError unless everything is there, once."""
        assert self.sender is not None
        numbers = self.tables.count_numbers()
        missing = sorted(set(range(self.sender.sent)) - set(numbers))
        twice = sorted(number for number, times in numbers.items() if times > 1)
        say(f"events: {self.sender.sent:,} sent, {len(numbers):,} found, {len(missing)} missing, "
            f"{len(twice)} more than once")  # fmt: skip
        accounts = self.tables.read_accounts()
        read, kept = (sum(pair[side] for pair in accounts.values()) for side in (0, 1))
        objects = self._list_objects()
        say(f"objects: {len(objects)} in the store, {len(accounts)} accounted for; {read:,} logs "
            f"read = {kept:,} classified, in review or quarantined")  # fmt: skip
        if missing or twice or read != kept or objects != set(accounts):
            raise RehearsalError(f"lost {missing[:5]}, double {twice[:5]}")
        self._check_containers()
        runs = Counter(f"{run.job} {run.status}" for run in views.list_runs())
        say("runs: " + ", ".join(f"{count} {name}" for name, count in sorted(runs.items())))
        restarts = {name: n for name, n in self.supervisor.restarts.items() if n}
        say("restarts: " + ", ".join(f"{name} {n}" for name, n in sorted(restarts.items())))

    def _check_containers(self) -> None:
        """The launcher asked for what dagster.yaml and docker-compose.yml say."""
        asked = views.read_containers(self.plan.folder)
        for container in asked:
            host = container["HostConfig"]
            closed = host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"] and host["AutoRemove"]
            if not closed or host["Memory"] != 4 << 30 or host["NetworkMode"] != "ocsf_core":
                raise RehearsalError(f"a run's container was asked for as {host}")
        say(f"containers: {len(asked)}, each read-only, without capabilities, with 4 GiB")

    # 5 ----------------------------------------------------------------------------------------

    def visit(self, pictures: Path | None) -> None:
        """Use Dagster's pages in a browser, where there is one."""
        if browser.find_browser() is None:
            say(f"SKIPPED: the web pages were not looked at. {browser.MISSING}")
            return
        browser.visit(pictures or self.plan.folder / "pictures")
        wait_until("the run of the hour", lambda: bool(self._list_manual_runs()), 60)
        wait_until("the backfill", lambda: bool(views.list_backfills()), 60)
        wait_until("the backfill's runs", self._is_backfilled, 600, 3)
        wait_until("everything is written", self._is_settled, 600, 3)
        say(f"browser: graph seen, an hour materialised, backfills {views.list_backfills()}")

    def _list_manual_runs(self) -> list[views.Run]:
        """Return the runs that neither a sensor nor a backfill asked for."""
        others = {"dagster/sensor_name", "dagster/backfill"}
        return [
            run for run in views.list_runs() if "hour" in run.job and not others & set(run.tags)
        ]

    def _is_backfilled(self) -> bool:
        done = {"COMPLETED", "COMPLETED_SUCCESS"}
        return all(status in done for status, _hours in views.list_backfills())

    # --------------------------------------------------------------------------------------------

    def _runs(self, *statuses: str, job: str = "") -> list[views.Run]:
        return [
            run for run in views.list_runs()
            if run.status in statuses and job in run.job and run.run_id not in self.killed_runs
        ]  # fmt: skip

    def _has_knowledge(self) -> bool:
        failed = self._runs("FAILURE", job="knowledge_job")
        if failed:
            raise RehearsalError(
                f"knowledge_job failed: {failed[0].run_id}; see {self.plan.folder}"
            )
        return bool(self._runs("SUCCESS", job="knowledge_job"))

    def _in_an_hour(self, act: Callable[[views.Run], object]) -> None:
        """Wait until an hour is being written, and act."""
        wait_until(
            "a run of an hour", lambda: bool(self._runs("STARTED", job="hour_job")), 200, 0.5
        )
        act(self._runs("STARTED", job="hour_job")[0])

    def _kill(self, name: str) -> None:
        self.supervisor.kill(name)
        time.sleep(0.5)
        seconds = self.supervisor.wait_healthy(name)
        say(f"{name}: killed, works again after {seconds:.0f} s")

    def _kill_run(self, run: views.Run) -> None:
        wait_until("the run's container", lambda: views.find_process(run) > 0, 30)
        os.killpg(views.find_process(run), signal.SIGKILL)
        self.killed_runs.add(run.run_id)
        say(f"run {run.run_id[:8]} of {run.tags.get('dagster/partition')}: killed")

    def _list_objects(self) -> set[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket="objects")
        return {item["Key"] for page in pages for item in page.get("Contents", [])}

    def _is_settled(self) -> bool:
        assert self.sender is not None
        runs = views.list_runs()
        if not runs or any(run.status in views.UNFINISHED for run in runs):
            return False
        return self._list_objects() == set(self.tables.read_accounts()) and set(
            range(self.sender.sent)
        ) <= set(self.tables.count_numbers())


def main() -> int:
    """Run the story; return an exit status: 1 when something is wrong, 2 when it was too slow."""
    parser = argparse.ArgumentParser(prog="make rehearse", description=__doc__.split("\n")[0])
    parser.add_argument("--keep", action="store_true", help="leave everything running at the end")
    parser.add_argument("--pictures", type=Path, help="folder for screenshots of the web pages")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="rehearsal-"))
    say(f"rehearsal in {folder}; logs in {folder / 'logs'} and {folder / 'runs'}")
    rehearsal = Rehearsal(folder)
    # Ended from outside, it ends what it started.
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))
    try:
        rehearsal.start()
        rehearsal.send()
        rehearsal.kill_while_learning()
        rehearsal.kill_while_hours_run()
        rehearsal.settle()
        rehearsal.check()
        rehearsal.visit(options.pictures)
        if options.keep:
            say(f"running: {views.UI}; Ctrl-C ends it")
            signal.pause()
    except RehearsalError as error:
        say(f"FAILED: {error}")
        return TOO_SLOW if isinstance(error, TooSlowError) else 1
    except KeyboardInterrupt:
        return 130
    finally:
        rehearsal.supervisor.close()
    say("nothing lost, nothing double")
    shutil.rmtree(folder)
    shutil.rmtree(rehearsal.postgres_folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
