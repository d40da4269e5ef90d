"""Vector's configuration agrees with what the pipeline reads and the endpoint takes.

Vector itself is in none of the package indexes that the tests may use: nothing here runs it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from ocsf_pipeline.logs.layout import format_hour_folder, parse_hour
from ocsf_pipeline.settings import Settings

PATH = Path(__file__).parents[2] / "deploy" / "vector" / "vector.yaml"
CONFIG = yaml.safe_load(PATH.read_text(encoding="utf-8"))
SINKS = CONFIG["sinks"]
HOUR = datetime(2026, 11, 20, 7, tzinfo=UTC)


def test_every_source_goes_to_exactly_one_sink() -> None:
    inputs = [name for sink in SINKS.values() for name in sink["inputs"]]
    assert sorted(inputs) == sorted(CONFIG["sources"])


def test_both_ways_are_there() -> None:
    assert {sink["type"] for sink in SINKS.values()} == {"aws_s3", "http"}


def test_objects_land_where_the_sensor_looks() -> None:
    sink = SINKS["objects"]
    prefix = HOUR.strftime(sink["key_prefix"])
    assert prefix == format_hour_folder(Settings().objects_prefix, HOUR) + "/"
    assert parse_hour(f"{prefix}1763622000-uuid.{sink['filename_extension']}") == HOUR
    assert sink["filename_append_uuid"] is True


@pytest.mark.parametrize("name", SINKS)
def test_nothing_is_dropped_and_nothing_acknowledged_early(name: str) -> None:
    sink = SINKS[name]
    assert sink["acknowledgements"] == {"enabled": True}
    assert sink["buffer"]["type"] == "disk"
    assert sink["buffer"]["when_full"] == "block"
    assert sink["buffer"]["max_size"] >= 268_435_488, "Vector's least"
    assert sink["compression"] == "zstd"
    assert (sink["encoding"], sink["framing"]) == (
        {"codec": "json"},
        {"method": "newline_delimited"},
    )


def test_batches_are_within_the_limits_of_the_other_side() -> None:
    settings = Settings()
    assert SINKS["endpoint"]["batch"]["max_bytes"] < settings.ingest_max_body_bytes
    for source in CONFIG["sources"].values():
        longest = source.get("max_line_bytes", source.get("max_length", 0))
        assert longest <= settings.max_line_bytes


def test_secrets_come_from_the_environment() -> None:
    text = PATH.read_text(encoding="utf-8")
    assert SINKS["endpoint"]["auth"]["token"] == "${OCSF_INGEST_TOKEN:-}"
    assert not re.search(r"(?i)(secret|password)\w*:", text)
