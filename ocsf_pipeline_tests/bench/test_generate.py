"""Made-up hours: as many logs as asked, mixed as said, hardly a template more."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
import zstandard

from ocsf_pipeline.bench.generate import (
    JSON_SHARE,
    LogTemplate,
    cut_template,
    cut_templates,
    make_objects,
)
from ocsf_pipeline.logs.single import normalize_texts
from ocsf_pipeline.samples.labels import read_sample_logs

HOUR = datetime(2026, 3, 2, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def templates() -> list[LogTemplate]:
    return cut_templates([sample.raw for sample in read_sample_logs()])


def read_lines(body: bytes) -> list[str]:
    return zstandard.ZstdDecompressor().decompress(body).decode().splitlines()


def test_counts_and_shares_are_kept(templates: list[LogTemplate]) -> None:
    made = list(make_objects(templates, 3_001, HOUR, seed=1))
    lines = {item.name: read_lines(item.body) for item in made}
    assert sum(len(rows) for rows in lines.values()) == 3_001
    assert [item.event_count for item in made] == [len(rows) for rows in lines.values()]
    logs = []
    for name, rows in lines.items():
        documents = [json.loads(row) for row in rows]
        if name.startswith("vector"):
            assert set(documents[0]) == {"host", "message", "source_type", "timestamp"}
            logs += [document["message"] for document in documents]
        else:
            logs += rows
    share = sum(log.startswith("{") for log in logs) / len(logs)
    assert share == pytest.approx(JSON_SHARE, abs=0.01)


def test_a_seed_gives_the_same_bytes_and_another_gives_others(
    templates: list[LogTemplate],
) -> None:
    first, again, other = (
        [item.body for item in make_objects(templates, 2_000, HOUR, seed)] for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_a_skewed_hour_is_as_many_logs_of_few_templates(templates: list[LogTemplate]) -> None:
    (even,), (skewed,) = (
        [
            read_lines(item.body)
            for item in make_objects(templates, 3_000, HOUR, 1, is_skewed=is_skewed)
            if item.name.startswith("bare")
        ]
        for is_skewed in (False, True)
    )
    assert len(even) == len(skewed)
    most_even, most_skewed = (
        Counter(" ".join(sorted(json.loads(line))) for line in lines).most_common(1)[0][1]
        for lines in (even, skewed)
    )
    assert most_skewed > 3 * most_even


def test_made_logs_stay_near_the_templates_of_the_samples(templates: list[LogTemplate]) -> None:
    rng = np.random.default_rng(3)
    samples = [sample.raw for sample in read_sample_logs() if "\n" not in sample.raw.strip()]
    made = pl.concat([template.fill(5, rng, HOUR) for template in templates])
    known = set(normalize_texts(samples).records["template_id"])
    frame = normalize_texts(made.to_list())
    assert frame.quarantine.is_empty()
    assert len(set(frame.records["template_id"])) <= 1.1 * len(known)
    assert made.n_unique() > 0.9 * len(made)


def test_what_varies_is_replaced_in_its_own_notation() -> None:
    raw = (
        "Nov 22 10:00:01 fw src=192.0.2.7 user=kim@example.com at=2026-11-22T10:00:01Z "
        "epoch=1763805601 ms=1763805601123 id=0b3c1a52-9f0e-4a7b-8c1d-2e3f4a5b6c7d code=4625"
    )
    filled = cut_template(raw).fill(50, np.random.default_rng(1), HOUR)
    pattern = (
        r"^Mar  2 10:\d\d:\d\d fw src=10(\.\d+){3} user=[a-z]+\d+@example\.com "
        r"at=2026-03-02T10:\d\d:\d\dZ epoch=17724\d{5} ms=17724\d{8} "
        r"id=[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12} code=4625$"
    )
    assert filled.str.contains(pattern).all()


def test_a_log_without_anything_that_varies_is_repeated() -> None:
    assert (
        cut_template("link down").fill(3, np.random.default_rng(1), HOUR).to_list()
        == ["link down"] * 3
    )


def test_samples_of_one_kind_only_are_refused() -> None:
    with pytest.raises(ValueError, match="JSON logs and others"):
        list(make_objects([cut_template("{}")], 10, HOUR, seed=1))
