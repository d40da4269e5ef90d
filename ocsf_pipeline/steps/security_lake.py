"""The asset `security_lake_export`: one hour of the tables as files of Amazon Security Lake.

Belongs here: reading an hour page by page, writing its files, removing those that it no longer has.
Does not belong here: what a file looks like (`tables.security_lake`).
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from ocsf_pipeline.ports import EventTables, ObjectStore, PermanentPortError
from ocsf_pipeline.schema.model import OcsfSchema
from ocsf_pipeline.steps.artefacts import read_json, write_json
from ocsf_pipeline.tables.security_lake import (
    PATCHED,
    LakeError,
    check_lake,
    name_object,
    shape_events,
    split_days,
)
from ocsf_pipeline.tables.views import name_class_views, select_current_events

_PAGE_ROWS = 50_000
_START = datetime(1970, 1, 1)  # noqa: DTZ001  # bound as UTC
# The event without `unmapped`, whose keys are anybody's: it is kept as text.
_MEMBERS = "arrayFilter(x -> x.1 != 'unmapped', JSONExtractKeysAndValuesRaw(event))"
_EVENT = (
    "concat('{', arrayStringConcat(arrayMap(x -> concat(toJSONString(x.1), ':', x.2), "
    f"{_MEMBERS}), ','), '}}')"
)


@dataclass(frozen=True)
class Lake:
    """Where files go and what they are named after."""

    store: ObjectStore
    """The folder `ext` of the lake's bucket."""
    source: str
    region: str
    account: str


@dataclass
class LakeHour:
    """What one hour became in the lake."""

    files: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    """Files of an earlier export of the hour that it no longer has."""
    class_counts: Counter[str] = field(default_factory=Counter)
    size_bytes: int = 0


def export_hour(
    tables: EventTables,
    artefacts: ObjectStore,
    schema: OcsfSchema,
    lake: Lake,
    hour: datetime,
    page_rows: int = _PAGE_ROWS,
) -> LakeHour:
    """Write the events of `hour`, overrides applied, and remove what an earlier export left.

    The same hour gives the same names, so it can be repeated. Raises PermanentPortError when the
    lake is not described properly.
    """
    try:
        check_lake(lake.source, lake.region, lake.account)
    except LakeError as error:
        raise PermanentPortError(str(error)) from error
    result = LakeHour()
    with tables:
        for class_name, class_uid in _list_classes(tables, schema, hour):
            _export_class(tables, schema, lake, hour, class_name, class_uid, page_rows, result)
    manifest = f"tables/security_lake/{hour:%Y-%m-%d-%H}.json"
    before = read_json(artefacts, manifest) or {"files": []}
    result.removed = sorted(set(before["files"]) - set(result.files))
    for key in result.removed:
        lake.store.delete_object(key)
    write_json(artefacts, manifest, {"files": result.files})
    return result


def _list_classes(tables: EventTables, schema: OcsfSchema, hour: datetime) -> list[tuple[str, int]]:
    found = tables.run_query(
        f"SELECT DISTINCT class_uid FROM ({select_current_events()}) "  # noqa: S608
        "WHERE hour = {hour:DateTime64(6, 'UTC')} ORDER BY class_uid",
        {"hour": hour},
    )
    names = {item.uid: name for name, item in name_class_views(schema).items()}
    return [(names[uid], uid) for uid in found["class_uid"].to_list() if uid in names]


def _export_class(
    tables: EventTables,
    schema: OcsfSchema,
    lake: Lake,
    hour: datetime,
    class_name: str,
    class_uid: int,
    page_rows: int,
    result: LakeHour,
) -> None:
    for part, rows in enumerate(_read_pages(tables, hour, class_uid, page_rows)):
        for day, of_day in split_days(rows):
            shaped = shape_events(of_day, schema.get_class(class_uid), schema)
            key = name_object(lake.source, class_name, lake.region, lake.account, day, hour, part)
            body = io.BytesIO()
            shaped.write_parquet(body, compression="zstd")
            lake.store.write_object(key, body.getvalue())
            result.files.append(key)
            result.size_bytes += len(body.getvalue())
            result.class_counts[class_name] += len(of_day)


def _read_pages(
    tables: EventTables, hour: datetime, class_uid: int, page_rows: int
) -> Iterator[pl.DataFrame]:
    """Yield the rows of one class in the order of their time, a page at a time."""
    last_time, last_uid = _START, ""
    while True:
        page = tables.run_query(
            f"SELECT event_uid, time, {', '.join(PATCHED)}, raw_data, {_EVENT} AS event, "  # noqa: S608
            f"unmapped FROM (SELECT *, JSONExtractRaw(event, 'unmapped') AS unmapped "
            f"FROM ({select_current_events()})) WHERE hour = {{hour:DateTime64(6, 'UTC')}} "
            "AND class_uid = {class_uid:UInt32} "
            "AND (time, event_uid) > ({last_time:DateTime64(6, 'UTC')}, {last_uid:String}) "
            f"ORDER BY time, event_uid LIMIT {int(page_rows)}",
            {
                "hour": hour,
                "class_uid": class_uid,
                "last_time": last_time,
                "last_uid": last_uid,
            },
        )
        if page.is_empty():
            return
        yield page
        last_time, last_uid = page["time"][-1], page["event_uid"][-1]
