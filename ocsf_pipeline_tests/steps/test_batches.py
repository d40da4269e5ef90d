"""How normalised records are stored and read back: every record once, templates together."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import polars as pl
import pytest

from ocsf_pipeline.logs.records import NORMALIZED_SCHEMA
from ocsf_pipeline.steps import batches
from ocsf_pipeline.steps.artefacts import read_json, write_json
from ocsf_pipeline.steps.batches import (
    HourBatches,
    ObjectBatch,
    gather_records,
    iterate_records,
    load_hour,
    name_manifest,
    write_manifest,
    write_records,
)
from ocsf_pipeline_tests.fakes.object_store import FakeObjectStore

HOUR = datetime(2026, 3, 1, 14, tzinfo=UTC)


def make_records(count: int, key: str, digits: str = "0123456789abcdef") -> pl.DataFrame:
    """Return records whose templates' ids begin with each of `digits` in turn."""
    numbers = pl.int_range(count, eager=True)
    return pl.DataFrame(
        {
            "event_uid": pl.Series([f"{key}-{number}" for number in numbers]),
            "position": numbers,
            "object_key": key,
            "template_id": pl.Series([f"{digits[n % len(digits)]}{n % 7}" for n in numbers]),
            "fields": pl.Series(['{"a":1}' if n % 3 else "raw" for n in numbers]),
            "raw": "raw",
        }
    ).select(
        (pl.col(name) if name in ("event_uid", "object_key", "template_id", "fields", "raw")
         else pl.col(name).cast(dtype) if name == "position"
         else pl.lit(None, dtype).alias(name))
        for name, dtype in NORMALIZED_SCHEMA.items()
    )  # fmt: skip


def store_batch(
    artefacts: FakeObjectStore, key: str, *portions: pl.DataFrame
) -> tuple[ObjectBatch, pl.DataFrame]:
    names: list[str] = []
    for number, records in enumerate(portions):
        names += write_records(artefacts, f"logs/{key}", number, records)
    records = pl.concat(portions)
    count = records.height
    batch = ObjectBatch(key, "1", f"logs/{key}", 1, 1, count, count, 0, tuple(names), "digest")
    return batch, records


def sort_rows(records: pl.DataFrame) -> pl.DataFrame:
    return records.sort("object_key", "position")


@pytest.mark.parametrize(
    ("count", "part_count"),
    [(1, 1), (7_999, 1), (8_000, 2), (16_000, 4), (64_000, 16), (90_000, 16)],
)
def test_large_batches_are_cut_by_template(count: int, part_count: int) -> None:
    artefacts = FakeObjectStore()
    batch, records = store_batch(artefacts, "a", make_records(count, "a"))
    assert len(batch.parts) == part_count
    parts = list(iterate_records(artefacts, batch))
    assert sort_rows(pl.concat(parts)).equals(records)
    for part in parts:
        ids = part["template_id"]
        assert ids.is_sorted()
        positions = part.group_by("template_id").agg(pl.col("position").is_sorted())
        assert positions["position"].all(), "logs of a template stay in their order"
    held = [set(part["template_id"]) for part in parts]
    assert sum(map(len, held)) == records["template_id"].n_unique(), "no template in two parts"


def test_ranges_without_records_are_not_written_and_none_is_lost_outside_them() -> None:
    artefacts = FakeObjectStore()
    batch, records = store_batch(artefacts, "a", make_records(64_000, "a", digits="!3z"))
    assert batch.parts == (
        "part-00000-0-0.parquet", "part-00000-3-3.parquet", "part-00000-f-f.parquet",
    )  # fmt: skip
    assert sort_rows(pl.concat(iterate_records(artefacts, batch))).equals(records)


def test_an_hour_is_gathered_range_by_range() -> None:
    artefacts = FakeObjectStore()
    stored = [
        store_batch(artefacts, "a", make_records(70_000, "a"), make_records(70_000, "a2")),
        store_batch(artefacts, "b", make_records(9_000, "b")),
        store_batch(artefacts, "c", make_records(500, "c")),
        store_batch(artefacts, "d", make_records(130_000, "d")),
    ]
    gathered = list(gather_records(artefacts, [batch for batch, _records in stored]))
    assert sort_rows(pl.concat(gathered)).equals(sort_rows(pl.concat(item[1] for item in stored)))
    assert all(50_000 <= part.height < 80_000 for part in gathered[:-1])
    whole = {"c"}
    in_ranges = [part.filter(~pl.col("object_key").is_in(whole | {"b"})) for part in gathered]
    seen = [set(part["template_id"].str.slice(0, 1)) for part in in_ranges]
    assert not any(left & right for left, right in pairwise(seen))


def test_many_records_of_one_range_are_gathered_in_bounded_pieces() -> None:
    artefacts = FakeObjectStore()
    batch, records = store_batch(
        artefacts, "a", *(make_records(140_000, f"a{n}", digits="7") for n in range(4))
    )
    gathered = list(gather_records(artefacts, [batch]))
    assert [part.height for part in gathered] == [140_000] * 4
    assert sort_rows(pl.concat(gathered)).equals(sort_rows(records))


@pytest.mark.parametrize(("pieced_hour_rows", "heights"), [(250_000, 125_000), (200_000, 50_000)])
def test_larger_hours_are_gathered_in_smaller_pieces(
    pieced_hour_rows: int, heights: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "_PIECED_HOUR_ROWS", pieced_hour_rows)
    artefacts = FakeObjectStore()
    batch, records = store_batch(
        artefacts, "a", *(make_records(25_000, f"a{n}", digits="7") for n in range(10))
    )
    gathered = list(gather_records(artefacts, [batch]))
    assert all(part.height == heights for part in gathered[:-1])
    assert sort_rows(pl.concat(gathered)).equals(sort_rows(records))


def test_manifests_of_earlier_releases_are_read() -> None:
    artefacts = FakeObjectStore()
    batch, records = store_batch(artefacts, "a", make_records(5, "a"), make_records(6, "a2"))
    write_manifest(artefacts, HourBatches(HOUR, (batch,)))
    assert load_hour(artefacts, HOUR).objects == (batch,)
    document = read_json(artefacts, name_manifest(HOUR)) or {}
    for entry in document["objects"]:
        assert entry.pop("parts") == ["part-00000.parquet", "part-00001.parquet"]
        entry["part_count"] = 2
    write_json(artefacts, name_manifest(HOUR), document)
    [earlier] = load_hour(artefacts, HOUR).objects
    assert earlier == batch
    assert sort_rows(pl.concat(gather_records(artefacts, [earlier]))).equals(sort_rows(records))


def test_an_hour_without_records_gathers_nothing() -> None:
    artefacts = FakeObjectStore()
    empty = ObjectBatch("a", "1", "logs/a", 1, 1, 0, 0, 0, (), "digest")
    assert list(gather_records(artefacts, [empty])) == []
