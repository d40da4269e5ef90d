"""The export asset through Dagster: real events, read back; refused where no lake is set."""

from __future__ import annotations

import io

import dagster as dg
import pyarrow.parquet as pq

from ocsf_pipeline.adapters.object_store import open_object_store
from ocsf_pipeline.logs.layout import format_partition
from ocsf_pipeline_tests.fakes.pipeline import HOUR, Pipeline, make_duo_lines, make_ssh_lines


def test_a_written_hour_is_exported_whole(pipeline: Pipeline, instance: dg.DagsterInstance) -> None:
    pipeline.drop("ssh.log", make_ssh_lines(20))
    pipeline.drop("duo.ndjson", make_duo_lines(15))
    pipeline.run("hour_job", instance, HOUR)

    sensor = pipeline.definitions.resolve_sensor_def("hours_to_export")
    with dg.build_sensor_context(instance=instance, definitions=pipeline.definitions) as context:
        requests = sensor.evaluate_tick(context).run_requests
    assert [request.partition_key for request in requests or []] == [format_partition(HOUR)]
    done = pipeline.run("security_lake_job", instance, HOUR)
    metadata = done.asset_materializations_for_node("security_lake_export")[0].metadata
    assert metadata["dagster/partition_row_count"].value == 35

    lake = open_object_store(str(pipeline.folder / "lake"))
    tables = {
        ref.key: pq.read_table(io.BytesIO(lake.read_object(ref.key)))
        for ref in lake.list_objects("")
    }
    assert sum(table.num_rows for table in tables.values()) == 35
    events = pipeline.tables.run_query(
        "SELECT class_uid, count() AS n FROM events GROUP BY class_uid"
    )
    counted: dict[int, int] = {}
    for key, table in tables.items():
        (class_uid,) = set(table["class_uid"].to_pylist())
        counted[class_uid] = counted.get(class_uid, 0) + table.num_rows
        times = table["time"].to_pylist()
        assert times == sorted(times)
        assert "/region=eu-central-1/accountId=123456789012/eventDay=" in key
        assert table.schema.field("metadata").type.get_field_index("product") >= 0
    assert counted == dict(events.rows())
