"""Files of Amazon Security Lake, read back by another library than wrote them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ocsf_pipeline.adapters.clickhouse import ClickHouseTables
from ocsf_pipeline.events.rows import EVENT_SCHEMA
from ocsf_pipeline.ports import PermanentPortError
from ocsf_pipeline.schema.model import OcsfSchema
from ocsf_pipeline.steps.overrides import OverrideRequest, apply_override
from ocsf_pipeline.steps.security_lake import Lake, LakeHour, export_hour
from ocsf_pipeline_tests.contracts.event_tables import write
from ocsf_pipeline_tests.fakes.event_rows import (
    HOUR,
    make_decision,
    make_decisions,
    make_event,
    make_frame,
)
from ocsf_pipeline_tests.fakes.object_store import FakeObjectStore

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def opened_tables(chdb_folder: Path) -> Iterator[ClickHouseTables]:
    with ClickHouseTables(f"chdb://{chdb_folder}", "lake") as tables:
        tables.migrate_tables()
        yield tables


def make_logon(position: int, time: datetime) -> dict[str, Any]:
    event = {
        "class_uid": 3002,
        "time": int(time.timestamp() * 1000),
        "user": {"name": f"user{position}", "uid": str(position)},
        "src_endpoint": {"ip": "10.0.0.7", "port": 40000 + position},
        "is_mfa": position % 2 == 0,
        "observables": [{"name": "user.name", "type_id": 4, "value": f"user{position}"}],
        "metadata": {"product": {"name": "OpenSSH"}, "version": "1.8.0"},
        "unmapped": {"tty": "pts/0", "weird key": {"a": [1, "2"]}, f"only{position}": position},
    }
    if position == 3:
        event["severity_id"] = 1
        del event["src_endpoint"]
    return make_event(position, event=event, time=time)


@pytest.fixture
def tables(opened_tables: ClickHouseTables) -> ClickHouseTables:
    """Eight logons, two of them from the day before, and one network event."""
    for table in ("events", "quarantine", "batches", "hour_writes", "templates", "overrides"):
        opened_tables.execute(f"TRUNCATE TABLE {table}")
    times = [HOUR - timedelta(minutes=n) for n in range(6)]
    times += [MIDNIGHT - timedelta(seconds=1), MIDNIGHT - timedelta(hours=1)]
    rows = [make_logon(n, time) for n, time in enumerate(times)]
    network = {"class_uid": 4001, "time": 1_772_373_600_000, "traffic": {"bytes_out": 2**40}}
    rows.append(make_event(8, class_uid=4001, event=network, template_id="net"))
    write(opened_tables, make_frame(EVENT_SCHEMA, rows))
    opened_tables.upsert_templates(make_decisions([make_decision("t3002"), make_decision("net")]))
    return opened_tables


@pytest.fixture
def lake() -> Lake:
    return Lake(FakeObjectStore(), "ocsf", "eu-central-1", "123456789012")


@pytest.fixture
def artefacts() -> FakeObjectStore:
    return FakeObjectStore()


def read_files(lake: Lake) -> dict[str, pa.Table]:
    return {
        ref.key: pq.read_table(io.BytesIO(lake.store.read_object(ref.key)))
        for ref in lake.store.list_objects("")
    }


def test_an_hour_becomes_files_of_one_class_each(
    tables: ClickHouseTables, lake: Lake, artefacts: FakeObjectStore, ocsf_schema: OcsfSchema
) -> None:
    done = export_hour(tables, artefacts, ocsf_schema, lake, HOUR, page_rows=4)
    files = read_files(lake)
    place = "region=eu-central-1/accountId=123456789012"
    assert sorted(files) == sorted(done.files) == [
        f"ocsf_authentication/{place}/eventDay=20260228/20260301T14-00000.parquet",
        f"ocsf_authentication/{place}/eventDay=20260301/20260301T14-00000.parquet",
        f"ocsf_authentication/{place}/eventDay=20260301/20260301T14-00001.parquet",
        f"ocsf_network_activity/{place}/eventDay=20260301/20260301T14-00000.parquet",
    ]  # fmt: skip
    assert sum(table.num_rows for table in files.values()) == 9
    for key, table in files.items():
        assert len(set(table["class_uid"].to_pylist())) == 1, key
        times = table["time"].to_pylist()
        assert times == sorted(times), key
        days = {datetime.fromtimestamp(time / 1000, UTC).strftime("%Y%m%d") for time in times}
        assert f"eventDay={days.pop()}/" in key
        described = pq.ParquetFile(io.BytesIO(lake.store.read_object(key))).metadata
        assert described.row_group(0).column(0).compression == "ZSTD"
    assert done.class_counts == {"authentication": 8, "network_activity": 1}


def test_columns_have_the_types_of_ocsf(
    tables: ClickHouseTables, lake: Lake, artefacts: FakeObjectStore, ocsf_schema: OcsfSchema
) -> None:
    export_hour(tables, artefacts, ocsf_schema, lake, HOUR)
    files = read_files(lake)
    logons = next(table for key, table in files.items() if "eventDay=20260301" in key)
    types = {field.name: field.type for field in logons.schema}
    assert types["time"] == pa.int64()
    assert types["class_uid"] == types["activity_id"] == pa.int32()
    assert types["type_uid"] == pa.int64()
    assert types["is_mfa"] == pa.bool_()
    assert {field.name for field in types["user"]} == {"name", "uid"}
    rows = {row["user"]["name"]: row for row in logons.to_pylist()}
    assert rows["user2"]["src_endpoint"] == {"ip": "10.0.0.7", "port": 40002}
    assert rows["user3"]["src_endpoint"] is None
    assert rows["user2"]["observables"][0]["value"] == "user2"
    assert '"only2":2' in rows["user2"]["unmapped"], "any keys: kept as text"
    assert rows["user2"]["raw_data"].startswith("<38>")
    network = next(table for key, table in files.items() if "network" in key).to_pylist()[0]
    assert network["traffic"] == {"bytes_out": 2**40}


def test_an_hour_again_is_the_same_files_and_what_is_gone_is_removed(
    tables: ClickHouseTables, lake: Lake, artefacts: FakeObjectStore, ocsf_schema: OcsfSchema
) -> None:
    export_hour(tables, artefacts, ocsf_schema, lake, HOUR)
    first = read_files(lake)
    export_hour(tables, artefacts, ocsf_schema, lake, HOUR)
    assert read_files(lake) == first

    request = OverrideRequest("template", 3002, "ana", "a logon", 1, template_id="net")
    apply_override(tables, artefacts, ocsf_schema, request)
    moved = export_hour(tables, artefacts, ocsf_schema, lake, HOUR)
    assert [key.partition("/")[0] for key in moved.removed] == ["ocsf_network_activity"]
    files = read_files(lake)
    assert all(key.startswith("ocsf_authentication/") for key in files)
    assert sum(table.num_rows for table in files.values()) == 9
    for table in files.values():
        assert set(table["class_uid"].to_pylist()) == {3002}


def test_an_empty_hour_has_no_files(
    tables: ClickHouseTables, lake: Lake, artefacts: FakeObjectStore, ocsf_schema: OcsfSchema
) -> None:
    done = export_hour(tables, artefacts, ocsf_schema, lake, HOUR + timedelta(hours=1))
    assert done == LakeHour()


@pytest.mark.parametrize(
    ("source", "region", "account", "said"),
    [
        ("OCSF!", "eu-central-1", "123456789012", "source"),
        ("ocsf", "europe", "123456789012", "region"),
        ("ocsf", "eu-central-1", "12345", "account"),
        ("ocsf", "eu-central-1/../..", "123456789012", "region"),
    ],
)
def test_a_lake_that_is_none_says_what_to_change(
    tables: ClickHouseTables, artefacts: FakeObjectStore, ocsf_schema: OcsfSchema,
    source: str, region: str, account: str, said: str,
) -> None:  # fmt: skip
    lake = Lake(FakeObjectStore(), source, region, account)
    with pytest.raises(PermanentPortError, match=said):
        export_hour(tables, artefacts, ocsf_schema, lake, HOUR)
