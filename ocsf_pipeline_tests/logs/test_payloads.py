"""The compiled pass opens envelopes as the rules for all of them do, or leaves them to those."""

import json
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocsf_pipeline.logs.envelopes import ENVELOPE_SCHEMA, find_inner
from ocsf_pipeline.logs.jsontext import check_json
from ocsf_pipeline.logs.meanings import OUTER_KEYS
from ocsf_pipeline.logs.payloads import Payloads, open_payloads
from ocsf_pipeline.logs.survey import KeyMeanings

untimed = settings(max_examples=300, deadline=None)
MEANINGS = KeyMeanings()
USUAL = st.sampled_from(["message", "log", "source_type", "stream", "timestamp", "host", "x", "id"])
KEYS = USUAL | st.sampled_from(OUTER_KEYS)
TEXTS = st.sampled_from(
    [
        "a log", '{"a":"b"}', '{"message":{"a":1}}', "", " ", "\u00a0", "x\n", "x\r\n\n", 'q"q',
        "back\\slash", "a\tb", "é", "{", "2026-11-22T10:00:01Z", "\b\f",
        "a much longer text",
    ]
)  # fmt: skip
VALUES = TEXTS | st.none() | st.integers(0, 9) | st.dictionaries(KEYS, TEXTS, max_size=2)
LINES = st.dictionaries(KEYS, VALUES, max_size=7).map(
    lambda item: json.dumps(item, separators=(",", ":"), ensure_ascii=False)
) | st.lists(st.tuples(USUAL, TEXTS), max_size=5).map(
    # A key may stand twice.
    lambda pairs: f"{{{','.join(f'{json.dumps(k)}:{json.dumps(v)}' for k, v in pairs)}}}"
)


def open_both(lines: list[str]) -> tuple[Payloads, pl.DataFrame]:
    """Return what the pass says of the lines that it is given, and what the rules say of all."""
    raw = pl.Series("raw", lines, dtype=pl.String)
    survey = MEANINGS.survey(raw)
    rows = np.flatnonzero(survey.has_keys & survey.may_wrap.to_numpy())
    _texts, parsed = check_json(raw, ENVELOPE_SCHEMA)
    return open_payloads(survey.keys, rows, MEANINGS.table), find_inner(raw, parsed)


@untimed
@given(st.lists(LINES, min_size=1, max_size=8))
def test_what_it_opens_the_rules_open_alike(lines: list[str]) -> None:
    payloads, said = open_both(lines)
    assert payloads.said.rows() == said[payloads.rows].rows()
    assert said["inner"][payloads.others].null_count() == len(payloads.others)


@pytest.mark.parametrize("text", ["a log", '{"a":"b\\n"}', "x" * 5_000])
@pytest.mark.parametrize(
    "envelope",
    [
        {"host": "h", "message": None, "source_type": "file", "timestamp": "2026-11-22T10:00:01Z"},
        {"@version": "1", "host": "h", "message": None, "@timestamp": "2026-11-22T10:00:01Z"},
        {"log": None, "stream": "stdout", "time": "2026-11-22T10:00:01Z", "host": "h"},
        {"message": None, "source_type": "x", "labels": {"message": "m"}, "host": "h", "time": "t"},
    ],
)
def test_it_opens_the_common_envelopes_itself(envelope: dict[str, Any], text: str) -> None:
    payload = "log" if "log" in envelope else "message"
    line = json.dumps({**envelope, payload: text + "\n"}, separators=(",", ":"))
    payloads, said = open_both([line])
    if "labels" in envelope:  # the rules look twice where the payload's name stands twice
        assert not len(payloads.rows)
    else:
        assert payloads.said["inner"].to_list() == [text]
        assert payloads.said["envelope_host"].to_list() == ["h"]
    assert said["inner"].to_list() == [text]


def test_events_with_a_message_are_known_to_be_none() -> None:
    payloads, said = open_both(['{"id":1,"message":"m"}', '{"message":"m","a":1}', '{"log":"x"}'])
    assert payloads.others.tolist() == [1]
    assert said["inner"].to_list() == [None, None, "x"]
