"""The sample objects: read as expected, the same at each call, and every log in one of them."""

import collections
from datetime import timedelta

import pytest

from ocsf_pipeline.logs.normalize import ObjectContext, TemplateRegistry
from ocsf_pipeline.logs.quarantine import REASONS
from ocsf_pipeline.logs.read import ObjectSummary, read_object
from ocsf_pipeline.samples.labels import read_sample_logs
from ocsf_pipeline.samples.objects import FIRST_HOUR, HOURS, build_sample_objects

PIECE_BYTES = 64 * 1024
OBJECTS = build_sample_objects()


def read_all(item, piece_bytes=PIECE_BYTES):
    """Return (summary, quarantine reasons, record formats, raw texts) of an object."""
    hour = FIRST_HOUR + timedelta(hours=item.hour_offset)
    context = ObjectContext(item.name, "1", hour, hour + timedelta(minutes=5))
    body = item.body
    pieces = (body[start : start + piece_bytes] for start in range(0, len(body), piece_bytes))
    summary = ObjectSummary()
    reasons, formats, raws = [], [], []
    for frame in read_object(pieces, context, TemplateRegistry(), summary):
        reasons += frame.quarantine["reason"].to_list()
        formats += frame.records["format"].to_list()
        raws += frame.records["raw"].to_list()
    return summary, reasons, formats, raws


@pytest.mark.parametrize("item", OBJECTS, ids=lambda item: f"{item.hour_offset}-{item.name}")
def test_object_reads_as_expected(item):
    summary, reasons, _formats, raws = read_all(item)
    assert summary.record_count + summary.quarantined_count == item.expected.read_count
    assert summary.quarantined_count == item.expected.quarantined_count
    assert tuple(reasons) == item.expected.quarantine_reasons
    assert summary.record_count == len(raws)


def test_pieces_of_any_size_read_the_same():
    small = [item for item in OBJECTS if len(item.body) < 20_000][::5]
    for item in small:
        assert read_all(item)[1:] == read_all(item, piece_bytes=311)[1:], item.name


def test_the_same_bytes_come_at_every_call():
    assert build_sample_objects() == OBJECTS


def test_three_hours_with_sound_and_broken_objects_in_each():
    assert {item.hour_offset for item in OBJECTS} == set(range(HOURS))
    for hour in range(HOURS):
        here = [item for item in OBJECTS if item.hour_offset == hour]
        assert any(item.expected.quarantine_reasons for item in here)
        assert sum(item.expected.read_count for item in here) >= 100
    keys = [(item.hour_offset, item.name) for item in OBJECTS]
    assert len(set(keys)) == len(keys)


def test_sound_objects_hold_every_log_once():
    sound = [item for item in OBJECTS if item.name.startswith("sample-")]
    assert all(not item.expected.quarantine_reasons for item in sound)
    assert sum(item.expected.read_count for item in sound) == len(read_sample_logs())


def test_lines_of_json_keep_their_raw_text():
    raws = collections.Counter()
    for item in OBJECTS:
        if item.name.startswith("sample-"):
            raws.update(read_all(item)[3])
    single_line = [log.raw for log in read_sample_logs() if "\n" not in log.raw]
    missing = [raw for raw in single_line if raw not in raws]
    # Pretty-printed documents and the XML document lose only the spaces between elements.
    assert all(raw.startswith(("{", "<")) for raw in missing)
    assert len(missing) < 40


def test_every_reason_but_the_largest_is_met():
    met = {reason for item in OBJECTS for reason in item.expected.quarantine_reasons}
    assert met == set(REASONS) - {"document_too_large"}  # that would take 64 MiB


def test_every_container_is_there():
    names = " ".join(item.name for item in OBJECTS)
    for part in (
        ".vector.ndjson.zst", ".ndjson.gz", ".array.json", ".records.json.gz", ".pretty.json",
        "sample-syslog.log", "sample-rfc5424", "sample-cef", "sample-leef", "sample-pairs",
        ".csv", ".tsv", ".w3c", ".xml", "sample-windows.log", "sample-access", "sample-audit",
    ):  # fmt: skip
        assert part in names, part


def test_bodies_stay_small():
    assert sum(len(item.body) for item in OBJECTS) < 11_000_000  # ten of them the long line
