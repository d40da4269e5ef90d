"""The sample logs: enough of them, labels that the schema knows, readable as what they are."""

import collections
import ipaddress
import json
import re
from datetime import UTC, datetime
from importlib import resources

import pytest

from ocsf_pipeline.adapters.schema_package import EmbeddedSchemaSource
from ocsf_pipeline.logs.single import normalize_texts
from ocsf_pipeline.samples.labels import read_sample_logs
from ocsf_pipeline.samples.objects import FIRST_HOUR
from ocsf_pipeline.schema.model import DEFAULT_VERSION
from ocsf_pipeline.schema.parse import parse_schema

LOGS = read_sample_logs()
FORMATS = {
    "json", "syslog", "syslog5424", "cef", "leef", "kv", "csv", "xml", "access", "text",
}  # fmt: skip

# What a log of each format may be recognised as: syslog is a header around any other format.
RECOGNISED_AS = {
    "json": {"json"},
    "syslog": {"syslog", "kv"},
    "syslog5424": {"syslog", "kv", "json"},
    "cef": {"cef"},
    "leef": {"leef"},
    "kv": {"kv"},
    "csv": {"csv", "syslog", "text"},  # rows without a header have no names for their cells
    "xml": {"xml"},
    "access": {"access"},
    "text": {"text", "syslog", "kv"},
}


@pytest.fixture(scope="module")
def schema():
    return parse_schema(EmbeddedSchemaSource().fetch_schema(DEFAULT_VERSION).body)


@pytest.fixture(scope="module")
def records():
    texts = [log.raw for log in LOGS]
    frame = normalize_texts(texts, observed_time=FIRST_HOUR)
    assert frame.quarantine.is_empty()
    return frame.records.to_dicts()


def test_there_are_enough_logs_products_classes_and_formats():
    assert len(LOGS) >= 420
    assert len({log.source for log in LOGS}) >= 36
    assert len({log.class_uid for log in LOGS}) >= 30
    assert {log.format for log in LOGS} == FORMATS


def test_many_logs_come_from_products_that_no_pack_knows():
    packs = resources.files("ocsf_pipeline") / "packs"
    known = {entry.name.removesuffix(".yaml") for entry in packs.iterdir()}
    unknown = [log for log in LOGS if log.source not in known]
    assert len({log.source for log in unknown}) >= 20
    assert len(unknown) >= 100


def test_ids_and_logs_are_distinct():
    assert len({log.id for log in LOGS}) == len(LOGS)
    assert len({log.raw for log in LOGS}) == len(LOGS)


def test_labels_are_live_classes_and_activities_of_the_schema(schema):
    live = {item.uid: item for item in schema.live_classes}
    for log in LOGS:
        assert log.class_uid in live, log.id
        assert log.activity_id in live[log.class_uid].activities, log.id
        assert set(log.acceptable) <= live.keys(), log.id
        assert log.class_uid not in log.acceptable, log.id


def test_no_class_has_more_than_a_fifth_of_the_logs():
    [(_class_uid, most)] = collections.Counter(log.class_uid for log in LOGS).most_common(1)
    assert most <= len(LOGS) / 5


def test_json_logs_parse():
    for log in LOGS:
        if log.format == "json":
            assert isinstance(json.loads(log.raw), dict), log.id


def test_only_documentation_and_private_addresses_appear():
    blocks = (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12",
        "192.0.2.0/24", "192.168.0.0/16", "198.51.100.0/24", "203.0.113.0/24", "255.255.255.255/32",
    )  # fmt: skip
    networks = [ipaddress.ip_network(block) for block in blocks]
    for log in LOGS:
        for text in re.findall(r"(?<![\w./\-])(?:\d{1,3}\.){3}\d{1,3}(?![\w.\-])", log.raw):
            if text.endswith(".0.0.0"):  # a browser's version
                continue
            address = ipaddress.ip_address(text)
            assert any(address in network for network in networks), (log.id, text)


def test_every_log_is_recognised_as_its_format(records):
    odd = {
        log.id: (log.format, record["format"])
        for log, record in zip(LOGS, records, strict=True)
        if record["format"] not in RECOGNISED_AS[log.format]
    }
    assert odd == {}


def test_every_log_has_fields(records):
    for log, record in zip(LOGS, records, strict=True):
        assert json.loads(record["fields"]), log.id


def test_nearly_every_log_has_its_own_time_within_the_days_of_the_samples(records):
    own = [record for record in records if not record["time_is_observed"]]
    assert len(own) >= 0.93 * len(records)
    first, last = datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 23, tzinfo=UTC)
    within = [record for record in own if first <= record["time"] < last]
    assert len(within) >= 0.98 * len(own)


def test_logs_of_two_classes_never_share_a_template(records):
    classes = collections.defaultdict(set)
    for log, record in zip(LOGS, records, strict=True):
        classes[record["template_id"]].add((log.class_uid, log.event_type))
    shared = [pairs for pairs in classes.values() if len({uid for uid, _event in pairs}) > 1]
    assert shared == []
