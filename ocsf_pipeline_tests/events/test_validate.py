"""Our own judgement of rows: each rule is kept, wherever the row stands."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from ocsf_pipeline.events.rows import STORED_SCHEMA
from ocsf_pipeline.events.schema_view import view_schema
from ocsf_pipeline.events.validate import find_faults, list_classes
from ocsf_pipeline_tests.fakes.event_rows import make_event, make_frame
from ocsf_pipeline_tests.fakes.mapped_logs import read_schema

CLASSES = list_classes(view_schema(read_schema()))
BROKEN: dict[str, dict[str, Any]] = {
    "event_uid is missing": {"event_uid": None},
    "time is missing": {"time": None},
    "event is missing": {"event_values": None},
    "event is no JSON object": {"event_values": '{"class_uid":3002'},
    "class_uid is no live class of the schema": {"class_uid": 424_242},
    "category_uid is not the class's": {"category_uid": 4},
    "activity_id is none of the class's": {"activity_id": 77, "type_uid": 300_277},
    "type_uid is not class_uid * 100 + activity_id": {"type_uid": 300_299},
    "severity_id is not in the enum": {"severity_id": 42},
    "status_id is not in the enum": {"status_id": 42},
}


def make_rows(*changes: dict[str, Any]) -> pl.DataFrame:
    rows = []
    for number, change in enumerate(changes):
        row = make_event(number)
        row["event_form"], row["event_values"] = "", row.pop("event")
        rows.append({**row, "event_uid": f"row-{number}", **change})
    return make_frame(STORED_SCHEMA, rows)


def test_good_rows_have_no_fault() -> None:
    form = '{"class_uid":\0}'
    rows = make_rows({}, {"status_id": 1}, {}, {"event_form": form, "event_values": "3002"})
    faults = find_faults(rows, CLASSES)
    assert faults.is_empty()
    assert faults.columns == ["event_uid", "template_id", "reason"]
    assert find_faults(rows.clear(), CLASSES).is_empty()


@pytest.mark.parametrize("reason", BROKEN)
@pytest.mark.parametrize("place", [0, 2, 4])
def test_a_broken_row_is_named_with_its_reason(reason: str, place: int) -> None:
    changes: list[dict[str, Any]] = [{} for _row in range(5)]
    changes[place] = BROKEN[reason]
    faults = find_faults(make_rows(*changes), CLASSES)
    assert faults["reason"].to_list() == [reason]
    assert faults["event_uid"].to_list() == [BROKEN[reason].get("event_uid", f"row-{place}")]


def test_every_broken_row_is_named_once() -> None:
    faults = find_faults(make_rows({}, *BROKEN.values(), {}, *BROKEN.values()), CLASSES)
    assert faults["reason"].to_list() == [*BROKEN, *BROKEN]
