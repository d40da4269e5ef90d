"""The measurements run the real steps and lose nothing; figures themselves are no test's matter."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocsf_pipeline.bench.__main__ import choose_measurements, put_together
from ocsf_pipeline.bench.measure import MEASUREMENTS, Figures, Workplace, tell
from ocsf_pipeline.commands.knowledge import open_decider
from ocsf_pipeline.settings import Settings
from ocsf_pipeline_tests.fakes.small_knowledge import use_small_knowledge

EVENTS = 2_000


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Figures]]:
    with pytest.MonkeyPatch.context() as patch:
        use_small_knowledge(patch)
        settings = Settings(data_dir=tmp_path_factory.mktemp("knowledge"))
        place = Workplace(settings, tmp_path_factory.mktemp("bench"), EVENTS)
        open_decider(settings, tell)
        yield {name: measure(place) for name, measure in MEASUREMENTS.items()}


def test_every_log_reaches_the_tables(measured: dict[str, Figures]) -> None:
    for name in ("cold", "warm", "skewed"):
        figures = measured[name]
        assert figures["classified"] + figures["review"] == EVENTS
        assert figures["quarantined"] == figures["invalid"] == 0
        assert figures["bytes"] == measured["generate"][name]["bytes"]
        assert figures["text_bytes"] == measured["generate"][name]["text_bytes"]


def test_every_accepted_batch_is_stored_under_load_and_overload(
    measured: dict[str, Figures],
) -> None:
    for name in ("connections", "connections_linger_0", "overload"):
        figures = measured["ingest"][name]
        assert figures["batches_stored"] == figures["batches_accepted"] > 0
    assert set(measured["ingest"]["overload"]["128"]["statuses"]) == {"200", "429"}


def test_cold_decides_all_templates_and_warm_hardly_any(measured: dict[str, Figures]) -> None:
    cold, warm = measured["cold"], measured["warm"]
    assert cold["new_templates"] == cold["templates"] > 100
    assert warm["new_templates"] < 0.1 * cold["new_templates"]


def test_every_stage_is_timed_by_wall_and_by_cpu(measured: dict[str, Figures]) -> None:
    for name in ("cold", "warm"):
        stages = measured[name]["stages"]
        assert set(stages) == {"prepare", "normalize", "decide", "map_and_insert"}
        assert sum(stage["seconds"] for stage in stages.values()) > measured[name]["seconds"]
        assert all(stage["cpu_seconds"] >= 0 for stage in stages.values())
        assert measured[name]["events_per_s"] == EVENTS / measured[name]["seconds"]
    assert set(measured["parts"]) == {"decompress_and_split", "normalize", "map", "insert"}
    assert set(measured["reading"]) == {"decompress_and_split", "normalize"}
    assert set(measured["scans"]) == {"survey", "decode"}


def test_mapping_alone_is_measured_by_number_of_templates(measured: dict[str, Figures]) -> None:
    figures = measured["mapping"]
    assert {item["templates"] for item in figures.values() if isinstance(item, dict)} == {
        10, 100, 300,
    }  # fmt: skip
    assert all(item["invalid"] == 0 for item in figures.values())


def test_the_document_is_json_and_compares_with_the_work_per_log(
    measured: dict[str, Figures],
) -> None:
    document = json.loads(json.dumps(put_together(measured, EVENTS, Settings())))
    assert document["per_log"]["seconds_per_event_ratio"] > 1
    assert document["machine"]["workers"] == 2


def test_a_measurement_brings_what_it_builds_on() -> None:
    assert choose_measurements(None) == list(MEASUREMENTS)
    assert choose_measurements(["warm"]) == ["generate", "cold", "warm"]
    assert choose_measurements(["generate"]) == ["generate"]


def test_an_unknown_measurement_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ocsf_pipeline.bench", "--only", "nothing"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert "cold" in done.stderr
    assert "Traceback" not in done.stderr
