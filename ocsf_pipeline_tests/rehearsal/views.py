"""What can be seen from outside: runs through Dagster's GraphQL, rows as analysts read them.

Belongs here: questions. Does not belong here: waiting, judging.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import clickhouse_connect
import httpx

from ocsf_pipeline_tests.rehearsal.plan import ADDRESSES, Plan

UI = f"http://{ADDRESSES['webserver']}:3000"
UNFINISHED = {"QUEUED", "NOT_STARTED", "MANAGED", "STARTING", "STARTED", "CANCELING"}

_RUNS = """
query { runsOrError(limit: 500) { ... on Runs { results {
  runId jobName status tags { key value } } } } }
"""


@dataclass(frozen=True)
class Run:
    """One run of Dagster's."""

    run_id: str
    job: str
    status: str
    tags: dict[str, str]


def list_runs() -> list[Run]:
    """Return all runs, the latest first; none while the web server does not answer."""
    try:
        answer = httpx.post(f"{UI}/graphql", json={"query": _RUNS}, timeout=15)
        found = answer.json()["data"]["runsOrError"]["results"]
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return []
    return [
        Run(
            item["runId"], item["jobName"], item["status"],
            {tag["key"]: tag["value"] for tag in item["tags"]},
        )
        for item in found
    ]  # fmt: skip


def list_backfills() -> list[tuple[str, list[str]]]:
    """Return (status, hours) of each backfill."""
    query = """query { partitionBackfillsOrError(limit: 20) { ... on PartitionBackfills {
      results { status partitionNames } } } }"""
    try:
        answer = httpx.post(f"{UI}/graphql", json={"query": query}, timeout=15)
        found = answer.json()["data"]["partitionBackfillsOrError"]["results"]
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return []
    return [(item["status"], item["partitionNames"] or []) for item in found]


def find_process(run: Run) -> int:
    """Return the process of a run's container, or 0 while it has none."""
    name = run.tags.get("docker/container_id", "")
    url = f"http://{ADDRESSES['docker-api']}:2375/containers/{name}/json"
    answer = httpx.get(url, timeout=10)
    state = answer.json().get("State", {}) if answer.status_code == httpx.codes.OK else {}
    return int(state.get("Pid", 0)) if state.get("Running") else 0


def read_containers(folder: Path) -> list[dict[str, Any]]:
    """Return what the launcher asked of the engine, container by container."""
    return [json.loads(path.read_text()) for path in (folder / "runs").glob("*.json")]


class Tables:
    """The rows, read as an analyst would."""

    def __init__(self, plan: Plan) -> None:
        self._parts = urlsplit(plan.environment("code")["OCSF_PIPELINE_TABLES_DSN"])

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query; none while the tables or their server are not there."""
        try:
            client = clickhouse_connect.get_client(
                host=self._parts.hostname, port=self._parts.port, username=self._parts.username,
                password=self._parts.password, database="ocsf", autogenerate_session_id=False,
            )  # fmt: skip
            with client:
                return [tuple(row) for row in client.query(sql).result_rows]
        except clickhouse_connect.driver.exceptions.ClickHouseError:
            return []

    def count_numbers(self) -> Counter[int]:
        """Return how often each number of a sent event is in the tables."""
        rows = self.ask(
            "SELECT toUInt32(extract(raw_data, 'rehearsal-([0-9]{6})')) AS n, count() "
            "FROM events WHERE raw_data LIKE '%rehearsal-%' GROUP BY n"
        )
        return Counter({int(number): int(times) for number, times in rows})

    def read_accounts(self) -> dict[str, tuple[int, int]]:
        """Return (read, written or quarantined) of each object that is in force."""
        rows = self.ask(
            "SELECT object_key, sum(read_count), "
            "sum(classified_count + review_count + quarantined_count) FROM batches GROUP BY 1"
        )
        return {str(key): (int(read), int(kept)) for key, read, kept in rows}
