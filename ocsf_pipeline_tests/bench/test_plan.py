"""Plans: arithmetic that a person can check, a simulation that does not contradict it."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest
import typer

from ocsf_pipeline.bench.plan import (
    RATES,
    Assumptions,
    Calibration,
    main,
    make_jobs,
    plan_rate,
    read_assumptions,
    run_jobs,
    time_run,
)

MEASURED, ASSUMED = Calibration(), Assumptions()


def test_a_run_takes_what_its_events_take() -> None:
    seconds = time_run(1_000_000, 1_000_000, MEASURED, ASSUMED)
    start = 30 + MEASURED.start_seconds
    work = (MEASURED.read_core_us + MEASURED.write_core_us) / (4 * 0.75)
    assert seconds == pytest.approx(start + work)
    rewritten = time_run(0, 1_000_000, MEASURED, ASSUMED)
    assert rewritten == pytest.approx(start + MEASURED.write_core_us / 3)


def test_runs_wait_for_a_free_pod() -> None:
    jobs = [(3_600.0, 100.0, 3_600.0, shard) for shard in range(4)]
    assert run_jobs(jobs, 4) == [100.0] * 4
    assert run_jobs(jobs, 2) == [100.0, 100.0, 200.0, 200.0]


def test_an_hour_that_is_written_while_it_fills_costs_more() -> None:
    def cost(max_wait: float) -> float:
        assumed = replace(ASSUMED, max_wait_seconds=max_wait, late_share=0.0)
        return sum(job[1] for job in make_jobs(20_000, 1, MEASURED, assumed, 1))

    assert cost(900) > 1.5 * cost(3_600)


@pytest.fixture(scope="module")
def plans() -> list:
    return [plan_rate(rate, MEASURED, ASSUMED) for rate in RATES]


def test_the_plan_keeps_its_promise_of_freshness(plans: list) -> None:
    assert all(plan.fresh_minutes_p95 * 60 <= ASSUMED.fresh_seconds for plan in plans)


def test_more_events_take_more_of_everything(plans: list) -> None:
    for small, large in itertools.pairwise(plans):
        for name in ("shards", "runs", "pods", "objects", "kept_tb", "clickhouse_nodes", "usd"):
            assert getattr(small, name) <= getattr(large, name), name
    assert plans[-1].usd_per_billion < plans[0].usd_per_billion


def test_amounts_add_up(plans: list) -> None:
    plan = plans[RATES.index(100_000)]
    assert plan.raw_gb == pytest.approx(100_000 * 86_400 * 67 / 1e9)
    assert plan.table_gb == pytest.approx(100_000 * 86_400 * 300 * 2 / 1e9)
    core_seconds = 100_000 * 86_400 * (29.3 + 38.5) / 1e6
    assert plan.pods * ASSUMED.pod_cores * 86_400 > core_seconds, "there are cores for the work"


def test_what_was_measured_may_come_from_the_bench(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stages = {
        "normalize": {"cpu_seconds": 2.0}, "map_and_insert": {"cpu_seconds": 3.0},
        "prepare": {"seconds": 5.0},
    }  # fmt: skip
    warm = {"events": 100_000, "bytes": 7e6, "text_bytes": 6e7, "peak_rss_bytes": 2e9,
            "stages": stages}  # fmt: skip
    path = tmp_path / "bench.json"
    path.write_text(json.dumps({"warm": warm, "machine": {"cpu_count": 8}}))
    main(rate=[5_000], bench=path, assume=["pod_cores=8"], as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert document["measured"]["read_core_us"] == 20.0
    assert document["measured"]["write_core_us"] == 30.0
    assert document["assumed"]["pod_cores"] == 8
    main(rate=[5_000], bench=path, assume=[], as_json=False)
    text = capsys.readouterr().out
    assert "5,000 events/s" in text
    assert "100,000 events, 8 cores" in text
    assert "clickhouse_core_rows 25,000" in text


@pytest.mark.parametrize("text", ["nonsense=1", "pod_cores=many", "pod_cores"])
def test_an_assumption_that_cannot_be_made_is_named(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="pod_cores"):
        read_assumptions([text])


def test_the_table_in_the_documentation_is_the_plan(plans: list) -> None:
    text = (Path(__file__).parents[2] / "docs" / "scaling.md").read_text(encoding="utf-8")
    pods = next(line for line in text.splitlines() if line.startswith("| pods |"))
    assert pods == "| pods | " + " | ".join(f"{plan.pods:,}" for plan in plans) + " |"
