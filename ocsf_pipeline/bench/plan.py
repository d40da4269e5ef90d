"""`python -m ocsf_pipeline.bench.plan`: from events per second to runs, pods, storage and cost.

Belongs here: the simulation of hours, runs and pods, and its table. Does not belong here: measuring
(`measure`). What a run costs comes from the JSON of `make bench`; everything that was not measured
is an assumption: a field with its reason, printed with every plan, to be set by an option.
"""

from __future__ import annotations

import heapq
import json
import math
import random
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from ocsf_pipeline.steps.reports import format_table

RATES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
_DAYS = 3
_HOUR = 3_600.0
_MOST_SHARDS = 60
"""Simulated; more shards are alike, and scale the result."""


@dataclass(frozen=True)
class Calibration:
    """What one run costs, as measured by `make bench`; the defaults are the README's machine."""

    read_core_us: float = 13.3
    """CPU microseconds to read and normalise an event."""
    write_core_us: float = 15.2
    """CPU microseconds to map, check and insert an event."""
    start_seconds: float = 1.8
    """Opening tables, reading the schema; ranker and model are loaded where a template is new."""
    object_bytes: float = 67.0
    """Stored bytes of an event, zstd."""
    text_bytes: float = 588.0
    peak_gb: float = 2.1
    source: str = "defaults: 2 cores, 1,000,000 made logs, 2026-11"

    @classmethod
    def from_bench(cls, document: dict[str, Any]) -> Calibration:
        """Read the JSON of `make bench`. Raises KeyError for a document without `warm`."""
        warm = document["warm"]
        events, stages = warm["events"], warm["stages"]
        return cls(
            stages["normalize"]["cpu_seconds"] / events * 1e6,
            stages["map_and_insert"]["cpu_seconds"] / events * 1e6,
            stages["prepare"]["seconds"],
            warm["bytes"] / events,
            warm["text_bytes"] / events,
            warm["peak_rss_bytes"] / 1e9,
            f"make bench: {events:,} events, {document['machine']['cpu_count']} cores",
        )


@dataclass(frozen=True)
class Assumptions:
    """What was not measured. Change what you know better."""

    pod_cores: int = 4
    efficiency: float = 0.75
    """Share of the cores that a run keeps busy; measured 0.88 on 2, unknown on more."""
    pod_start_seconds: float = 30.0
    """From Dagster's queue to a running pod."""
    peak_factor: float = 2.0
    """Busiest hour over the mean; the day is a sine between."""
    max_wait_seconds: float = 3_600.0
    """OCSF_PIPELINE_DROP_MAX_WAIT_SECONDS: each time writes the hour so far anew."""
    late_share: float = 0.05
    """Hours that get another object after their end, and one more run."""
    fresh_seconds: float = 2_400.0
    """An hour is wanted in the tables so long after its end, 95 times of 100."""
    spare_share: float = 0.25
    """Pods beyond what the simulation needs: failures, backfills, reclassification."""
    object_mb: float = 16.0
    """Stored size of an object: what the shippers' batches make."""
    table_bytes: float = 300.0
    """Bytes of an event in ClickHouse; 290 measured on random values (decision 0005)."""
    artefact_share: float = 0.2
    """Normalised batches, as a share of the text; 0.11 measured on made logs (zstd Parquet)."""
    retention_days: int = 90
    artefact_days: int = 30
    replicas: int = 2
    clickhouse_core_rows: float = 25_000.0
    """Rows a second that a core of ClickHouse inserts and merges, queries beside it."""
    node_cores: int = 16
    node_tb: float = 8.0
    core_hour_usd: float = 0.045
    """With its 4 GB of memory."""
    object_gb_month_usd: float = 0.023
    disk_gb_month_usd: float = 0.08
    request_1000_usd: float = 0.0054
    """One write or listing and one read."""


@dataclass(frozen=True)
class Plan:
    """What a rate takes, per day where it is an amount."""

    events_per_s: int
    shards: int
    runs: int
    minutes_of_a_run: float
    pods: int
    busy_share: float
    fresh_minutes_p50: float
    fresh_minutes_p95: float
    objects: int
    raw_gb: float
    artefact_gb: float
    table_gb: float
    kept_tb: float
    clickhouse_nodes: int
    usd: float
    usd_per_billion: float


def plan_rate(rate: int, measured: Calibration, assumed: Assumptions, seed: int = 1) -> Plan:
    """Return what `rate` events per second take: shards by arithmetic, pods by simulation."""
    shards = _count_shards(rate, measured, assumed)
    simulated = min(shards, _MOST_SHARDS)
    jobs = make_jobs(rate / shards, simulated, measured, assumed, seed)
    pods, waits = _find_pods(jobs, assumed)
    scale = shards / simulated
    seconds = [job[1] for job in jobs]
    per_day = rate * 86_400
    wanted = math.ceil(pods * scale * (1 + assumed.spare_share))
    raw, artefact = per_day * measured.object_bytes / 1e9, _artefact_gb(per_day, measured, assumed)
    table = per_day * assumed.table_bytes / 1e9 * assumed.replicas
    kept_disk = table * assumed.retention_days
    kept_objects = raw * assumed.retention_days + artefact * assumed.artefact_days
    by_rows = rate * assumed.peak_factor * assumed.replicas / assumed.clickhouse_core_rows
    nodes = max(
        assumed.replicas,
        math.ceil(by_rows / assumed.node_cores),
        math.ceil(kept_disk / 1e3 / assumed.node_tb),
    )
    objects = math.ceil(max(raw * 1e3 / assumed.object_mb, shards * 24))
    cost = (
        (wanted * assumed.pod_cores + nodes * assumed.node_cores) * 24 * assumed.core_hour_usd
        + kept_objects / 30 * assumed.object_gb_month_usd
        + kept_disk / 30 * assumed.disk_gb_month_usd
        + objects * 40 / 1e3 * assumed.request_1000_usd  # found, read, its parts written and read
    )
    return Plan(
        rate, shards, round(len(jobs) / _DAYS * scale), _quantile(seconds, 0.95) / 60, wanted,
        sum(seconds) / (_DAYS * 86_400 * wanted) * scale, _quantile(waits, 0.5) / 60,
        _quantile(waits, 0.95) / 60, objects, raw, artefact, table,
        (kept_disk + kept_objects) / 1e3, nodes, cost, cost / per_day * 1e9,
    )  # fmt: skip


def _artefact_gb(per_day: float, measured: Calibration, assumed: Assumptions) -> float:
    return per_day * measured.text_bytes * assumed.artefact_share / 1e9


def time_run(fresh: float, whole: float, measured: Calibration, assumed: Assumptions) -> float:
    """Return the seconds of a run that reads `fresh` events and writes the `whole` hour so far."""
    work = (fresh * measured.read_core_us + whole * measured.write_core_us) / 1e6
    start = assumed.pod_start_seconds + measured.start_seconds
    return start + work / (assumed.pod_cores * assumed.efficiency)


def _count_shards(rate: int, measured: Calibration, assumed: Assumptions) -> int:
    """Return how many pipelines share the load, so that one's busiest hour is fresh in time.

    An hour of a shard is one run: what that cannot do in time, no number of pods can.
    """
    peak = rate * assumed.peak_factor * _HOUR
    start = time_run(0, 0, measured, assumed)
    # Two thirds of the time: the rest is for waiting for a pod.
    per_shard = assumed.fresh_seconds * 2 / 3 - start
    whole = time_run(peak, peak, measured, assumed) - start
    return max(1, math.ceil(whole / per_shard))


Job = tuple[float, float, float, int]
"""(ready at, seconds, end of its hour, shard)"""


def make_jobs(
    rate: float, shards: int, measured: Calibration, assumed: Assumptions, seed: int
) -> list[Job]:
    """Return the runs of some days, by the time when they are requested."""
    dice = random.Random(seed)  # noqa: S311 - a simulation
    jobs: list[Job] = []
    for shard in range(shards):
        for hour in range(24 * _DAYS):
            swing = (assumed.peak_factor - 1) * math.sin(math.tau * (hour - 8) / 24)
            events = rate * _HOUR * max(0.1, 1 + swing)
            end = (hour + 1) * _HOUR
            done = 0.0
            # Sensors look every half minute; shards do not end their hours in the same second.
            jitter = dice.uniform(30, 90)
            steps = max(1, math.ceil(_HOUR / max(60.0, assumed.max_wait_seconds)))
            for step in range(1, steps + 1):
                so_far = events * step / steps
                seconds = time_run(so_far - done, so_far, measured, assumed)
                jobs.append((end - _HOUR + _HOUR * step / steps + jitter, seconds, end, shard))
                done = so_far
            if dice.random() < assumed.late_share:
                ready = end + dice.expovariate(1 / (6 * _HOUR)) + 600
                jobs.append((ready, time_run(events * 0.01, events, measured, assumed), 0.0, shard))
    return sorted(jobs)


def run_jobs(jobs: list[Job], pods: int) -> list[float]:
    """Play the runs on `pods`, first come first served; return when each hour was whole, late by.

    Late runs (end of hour 0) take their time on the pods and do not count.
    """
    free = [0.0] * pods
    whole: dict[tuple[int, float], float] = {}
    for ready, seconds, end, shard in jobs:
        start = max(heapq.heappop(free), ready)
        heapq.heappush(free, start + seconds)
        if end and ready >= end:
            whole[shard, end] = start + seconds - end
    return list(whole.values())


def _find_pods(jobs: list[Job], assumed: Assumptions) -> tuple[int, list[float]]:
    """Return the fewest pods with which the hours are fresh in time, and the waits."""
    low, high = 1, 1
    while high < len(jobs) and _quantile(run_jobs(jobs, high), 0.95) > assumed.fresh_seconds:
        low, high = high + 1, high * 2
    while low < high:
        middle = (low + high) // 2
        if _quantile(run_jobs(jobs, middle), 0.95) > assumed.fresh_seconds:
            low = middle + 1
        else:
            high = middle
    return high, run_jobs(jobs, high)


def _quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def write_plans(plans: list[Plan], measured: Calibration, assumed: Assumptions) -> str:
    """Return the plans as Markdown, with everything that they rest on."""
    names = [item.name for item in fields(Plan)]
    rows = [(name, *(_show(getattr(plan, name)) for plan in plans)) for name in names[1:]]
    head = ("per day", *(f"{plan.events_per_s:,} events/s" for plan in plans))
    ground = [f"Measured ({measured.source}): {_list(asdict(measured))}."]
    ground.append(f"Assumed: {_list(asdict(assumed))}.")
    return format_table(head, rows) + "\n\n" + "\n\n".join(ground)


def _list(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {_show(value)}" for name, value in values.items() if name != "source")


def _show(value: float | int) -> str:
    return f"{value:,.0f}" if value >= 100 or float(value).is_integer() else f"{value:.3g}"


def main(
    rate: Annotated[
        list[int] | None, typer.Option(min=1, help="Events per second; repeatable.")
    ] = None,
    bench: Annotated[
        Path | None, typer.Option(help="JSON of `make bench`, from the machine you mean.")
    ] = None,
    assume: Annotated[
        list[str] | None,
        typer.Option(help="An assumption: name=number, e.g. pod_cores=8. Repeatable."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Plan runs, pods, storage and cost per day from events per second."""
    measured = Calibration()
    if bench is not None:
        measured = Calibration.from_bench(json.loads(bench.read_text(encoding="utf-8")))
    assumed = read_assumptions(assume or [])
    plans = [plan_rate(item, measured, assumed) for item in rate or RATES]
    if as_json:
        document = {
            "plans": [asdict(plan) for plan in plans],
            "measured": asdict(measured),
            "assumed": asdict(assumed),
        }
        typer.echo(json.dumps(document, indent=1))
    else:
        typer.echo(write_plans(plans, measured, assumed))


def read_assumptions(given: list[str]) -> Assumptions:
    """Return the assumptions with those of `given` (name=number) changed."""
    kinds = {name: type(value) for name, value in asdict(Assumptions()).items()}
    changed: dict[str, Any] = {}
    for text in given:
        name, _, value = text.partition("=")
        if name not in kinds:
            raise typer.BadParameter(f"--assume {text}: one of {', '.join(kinds)}, then = a number")
        try:
            changed[name] = kinds[name](value)
        except ValueError as error:
            raise typer.BadParameter(f"--assume {text}: {value!r} is no number") from error
    return replace(Assumptions(), **changed)


if __name__ == "__main__":
    typer.run(main)
