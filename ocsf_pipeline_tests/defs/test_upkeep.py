"""Old runs go, by Dagster's own means, and what they say of a partition stays."""

import time
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from ocsf_pipeline.defs import upkeep
from ocsf_pipeline.settings import Settings


@dg.asset(partitions_def=dg.HourlyPartitionsDefinition("2026-01-01-00:00"))
def counted(context: dg.AssetExecutionContext) -> None:
    """Count nothing, once an hour."""
    context.add_output_metadata({"rows": 1})


def materialise(instance: dg.DagsterInstance, partition: str) -> str:
    return dg.materialize([counted], instance=instance, partition_key=partition).run_id


def test_only_superseded_runs_are_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "_PAGE_RUNS", 2)
    with dg.DagsterInstance.ephemeral() as instance:
        runs = [materialise(instance, hour) for hour in ("2026-01-01-00:00", "2026-01-01-01:00")]
        time.sleep(0.01)
        again = materialise(instance, "2026-01-01-00:00")
        assert upkeep.forget_runs(instance, datetime.now(UTC) + timedelta(days=1)) == 1
        assert {run.run_id for run in instance.get_runs()} == {runs[1], again}
        assert instance.get_materialized_partitions(dg.AssetKey("counted")) == {
            "2026-01-01-00:00", "2026-01-01-01:00",
        }  # fmt: skip


@pytest.mark.parametrize("keep_runs_days", [90, 0])
def test_the_nightly_job_leaves_what_is_recent(keep_runs_days: int) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        runs = [materialise(instance, "2026-01-01-00:00") for _ in range(2)]
        settings = Settings(keep_runs_days=keep_runs_days)
        result = upkeep.upkeep_job.execute_in_process(
            instance=instance, resources={"settings": settings}
        )
        assert result.output_for_node("forget_old_runs") == 0
        assert {run.run_id for run in instance.get_runs()} == {*runs, result.run_id}
