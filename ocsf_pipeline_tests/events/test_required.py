"""Every live class gives valid events, judged by two validators that are not ours."""

import json
from pathlib import Path
from typing import Any

import pytest
from ocsf.v1_7_0 import events as pydantic_events
from pydantic import ValidationError

from ocsf_pipeline_tests.fakes.mapped_logs import Judge, MapLogs, map_logs_with, read_schema

RICH_LOG = json.loads((Path(__file__).parent / "rich_log.json").read_text("utf-8"))
HALF_LOG = {key: value for number, (key, value) in enumerate(RICH_LOG.items()) if number % 2}
LIVE = [(item.uid, item.key) for item in read_schema().live_classes]
OLDER = "1.7.0"  # the newest that pydantic-ocsf carries
OLDER_LIVE = [
    (item.uid, item.key)
    for item in read_schema(OLDER).live_classes
    if item.extension is None  # pydantic-ocsf has no extension classes
]


def _events(frame: Any) -> list[dict[str, Any]]:
    return [json.loads(text) for text in frame.get_column("event")]


@pytest.mark.parametrize(("class_uid", "key"), LIVE, ids=[key for _uid, key in LIVE])
def test_class_is_valid_by_json_schema(
    class_uid: int, key: str, map_logs: MapLogs, judge: Judge
) -> None:
    for logs, sample in (([{}], {}), ([RICH_LOG, HALF_LOG, {}], RICH_LOG), ([RICH_LOG], {})):
        mapped = map_logs(class_uid, logs, sample)
        assert mapped.invalid_count == 0
        for event in _events(mapped.frame):
            assert judge(event) == []


@pytest.mark.parametrize(("class_uid", "key"), OLDER_LIVE, ids=[key for _uid, key in OLDER_LIVE])
def test_class_is_valid_by_pydantic(class_uid: int, key: str) -> None:
    model = getattr(pydantic_events, "".join(part.capitalize() for part in key.split("_")))
    for log in ({}, RICH_LOG):
        mapped = map_logs_with(read_schema(OLDER), class_uid, [log])
        (event,) = _events(mapped.frame)
        try:
            model.model_validate(event)
        except ValidationError as error:
            # Enums of pydantic-ocsf lack the values that a class inherits, and it takes the text
            # enum http_method for a number; enums are judged by the JSON Schemas above.
            kinds = {fault["type"] for fault in error.errors()}
            assert kinds <= {"enum", "int_parsing"}, error.errors()


def test_patch_state_names_its_os_version(map_logs: MapLogs) -> None:
    (bare,) = _events(map_logs(5004, [{}]).frame)
    assert bare["device"]["os"]["version"] == "unknown"
    (full,) = _events(map_logs(5004, [{"os": {"name": "Linux", "version": "6.1"}}]).frame)
    assert full["device"]["os"]["version"] == "6.1"


def test_stand_ins_are_counted(map_logs: MapLogs) -> None:
    mapped = map_logs(3002, [{"userName": "alice"}, {"userName": "-"}, {}])
    assert mapped.fallback_counts["3002:user.name"] == 2
    names = [event["user"]["name"] for event in _events(mapped.frame)]
    assert names == ["alice", "unknown", "unknown"]
    # A stand-in is no finding: the hot column stays empty.
    assert mapped.frame.get_column("user_name").to_list() == ["alice", None, None]


def test_record_stands_in_for_finding(map_logs: MapLogs) -> None:
    (event,) = _events(map_logs(2004, [{}], message="Beacon seen").frame)
    assert event["finding_info"] == {"uid": "t1-0", "title": "Beacon seen"}


def test_only_one_of_just_one(map_logs: MapLogs, judge: Judge) -> None:
    (event,) = _events(map_logs(3003, [{"groupName": "admins", "privileges": ["root"]}]).frame)
    assert ("group" in event) != ("privileges" in event)
    assert judge(event) == []
