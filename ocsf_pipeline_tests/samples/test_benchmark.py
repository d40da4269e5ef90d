"""The benchmark's logs: enough, of products that nothing else knows, readable, rightly labelled."""

from __future__ import annotations

import collections
import ipaddress
import json
import re
from importlib import resources

import pytest

from ocsf_pipeline.adapters.schema_package import EmbeddedSchemaSource
from ocsf_pipeline.logs.single import normalize_texts
from ocsf_pipeline.samples.labels import read_benchmark_logs, read_sample_logs
from ocsf_pipeline.schema.model import DEFAULT_VERSION, OcsfSchema
from ocsf_pipeline.schema.parse import parse_schema
from ocsf_pipeline.steps.benchmark import load_baseline

LOGS = read_benchmark_logs()
_BLOCKS = [
    ipaddress.ip_network(block)
    for block in ("10.0.0.0/8", "127.0.0.0/8", "172.16.0.0/12", "192.0.2.0/24", "192.168.0.0/16",
                  "198.51.100.0/24", "203.0.113.0/24", "0.0.0.0/8")
]  # fmt: skip


@pytest.fixture(scope="module")
def schema() -> OcsfSchema:
    return parse_schema(EmbeddedSchemaSource().fetch_schema(DEFAULT_VERSION).body)


def list_packs() -> dict[str, str]:
    folder = resources.files("ocsf_pipeline") / "packs"
    return {
        entry.name.removesuffix(".yaml"): entry.read_text(encoding="utf-8")
        for entry in folder.iterdir()
        if entry.name.endswith(".yaml")
    }


def test_most_products_have_neither_pack_nor_sample() -> None:
    sampled = {log.source for log in read_sample_logs()}
    names = set(list_packs())
    unknown = [log for log in LOGS if log.source not in names | sampled]
    assert len(unknown) >= 150
    assert len({log.source for log in unknown}) >= 60


def test_no_log_is_an_example_or_a_sample() -> None:
    known = "\n".join(list_packs().values()) + "\n".join(log.raw for log in read_sample_logs())
    assert [log.id for log in LOGS if log.raw in known] == []


def test_most_live_classes_and_formats_appear(schema: OcsfSchema) -> None:
    live = {item.uid for item in schema.live_classes}
    counts = collections.Counter(log.class_uid for log in LOGS)
    assert len(counts.keys() & live) >= 50
    assert max(counts.values()) <= len(LOGS) / 5
    assert len({log.format for log in LOGS}) >= 5


def test_labels_are_live_classes_and_activities(schema: OcsfSchema) -> None:
    live = {item.uid: item for item in schema.live_classes}
    for log in LOGS:
        assert log.class_uid in live, log.id
        assert log.activity_id in live[log.class_uid].activities, log.id
        assert set(log.acceptable) <= live.keys(), log.id
        assert log.class_uid not in log.acceptable, log.id


def test_ids_and_logs_are_distinct_and_json_parses() -> None:
    assert len({log.id for log in LOGS}) == len({log.raw for log in LOGS}) == len(LOGS)
    for log in LOGS:
        if log.format == "json":
            assert isinstance(json.loads(log.raw), dict), log.id


def test_only_documentation_and_private_addresses_appear() -> None:
    for log in LOGS:
        for text in re.findall(r"(?<![\w./\-])(?:\d{1,3}\.){3}\d{1,3}(?![\w.\-])", log.raw):
            address = ipaddress.ip_address(text)
            assert any(address in block for block in _BLOCKS), (log.id, text)


def test_every_log_is_read_and_no_template_has_two_classes() -> None:
    frame = normalize_texts([log.raw for log in LOGS])
    assert frame.quarantine.is_empty()
    assert frame.records["position"].to_list() == list(range(len(LOGS)))
    classes = collections.defaultdict(set)
    for log, template in zip(LOGS, frame.records["template_id"], strict=True):
        classes[template].add(log.class_uid)
    assert [uids for uids in classes.values() if len(uids) > 1] == []


def test_the_baseline_is_of_these_logs() -> None:
    baseline = load_baseline()
    assert baseline["logs"] == len(LOGS), "run: ocsf-pipeline evaluate --baseline FILE"
    assert baseline["products"] == len({log.source for log in LOGS})
