import pytest

from ocsf_pipeline.events.evaluate import EventPair, score_events

LOGIN = {
    "time": 1772447400000, "severity_id": 1, "severity": "Informational", "status_id": 1,
    "user": {"name": "alice"}, "src_endpoint": {"ip": "192.0.2.7", "port": 443},
}  # fmt: skip


def _score(expected: dict[str, object], produced: dict[str, object] | None) -> tuple[int, int, int]:
    score = score_events([EventPair("door", expected, produced)]).overall
    return score.expected, score.produced, score.right


def test_equal_events_score_one() -> None:
    report = score_events([EventPair("door", LOGIN, LOGIN)])
    assert report.overall.f1 == report.macro_f1 == report.by_source["door"].f1 == 1
    assert set(report.by_attribute) == {
        "time", "severity", "status", "user.name", "src_endpoint.ip", "src_endpoint.port",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("expected", "produced"),
    [
        ({"time": "2026-03-02T10:30:00.000000Z"}, {"time": 1772447400000}),
        ({"time": "2026-03-02T11:30:00+01:00"}, {"time_dt": "2026-03-02T10:30:00Z"}),
        ({"status_id": 99, "status": "Odd"}, {"status": "odd"}),
        ({"severity_id": 4}, {"severity_id": 4, "severity": "High"}),
        ({"severity": "high"}, {"severity_id": 4, "severity": "High"}),
        ({"evidences": [{"src_endpoint": {"ip": "::1"}}]}, {"src_endpoint": {"ip": "::1"}}),
        ({"process": {"path": "/bin/sh"}}, {"process": {"file": {"path": "/bin/sh"}}}),
        ({"traffic": {"bytes": 5.0}}, {"traffic": {"bytes": "5"}}),
    ],
)
def test_one_thing_may_be_spelled_in_two_ways(
    expected: dict[str, object], produced: dict[str, object]
) -> None:
    assert _score(expected, produced) == (1, 1, 1)


@pytest.mark.parametrize(
    "event",
    [
        {"severity_id": 0, "severity": "Unknown"}, {"user": {"name": "unknown"}},
        {"message": None}, {"status_id": 99, "status": ""}, {"class_uid": 3002},
        {"unmapped": {"a": "b"}}, {"metadata": {"version": "1.8.0"}}, {"observables": [{}]},
    ],
)  # fmt: skip
def test_what_says_nothing_is_not_scored(event: dict[str, object]) -> None:
    assert _score(event, event) == (0, 0, 0)


def test_missing_wrong_and_needless_values_are_told_apart() -> None:
    expected = {"user": {"name": "alice", "uid": "7"}, "file": {"hashes": [{"value": "a"}]}}
    produced = {"user": {"name": "bob"}, "file": {"hashes": [{"value": "a"}, {"value": "b"}]}}
    report = score_events([EventPair("x", expected, produced), EventPair("y", LOGIN, None)])
    hashes = report.by_attribute["file.hashes.value"]
    assert (hashes.precision, hashes.recall) == (0.5, 1)
    assert report.by_attribute["user.name"].right == 0
    assert report.by_source["y"].recall == 0
    assert {item.attribute for item in report.disagreements} >= {"user.name", "file.hashes.value"}
    assert report.to_dict()["macro_f1"] == round(report.by_source["x"].f1 / 2, 4)


def test_nothing_to_compare_is_refused() -> None:
    with pytest.raises(ValueError, match="not empty"):
        score_events([])
