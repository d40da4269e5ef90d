"""Events as forms and values: what is written, and that it is put together again."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocsf_pipeline.events import run
from ocsf_pipeline.events.compiler import compile_mappings
from ocsf_pipeline.events.execute import EventMapper
from ocsf_pipeline.events.fill import fill_forms
from ocsf_pipeline.events.forms import GAP, join_forms
from ocsf_pipeline.events.rows import STORED_SCHEMA
from ocsf_pipeline.events.run import join_events
from ocsf_pipeline.schema.model import OcsfSchema
from ocsf_pipeline_tests.fakes.mapped_logs import make_decisions, make_records

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@settings(deadline=None)  # the first call compiles
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=20))
def test_any_text_is_escaped_as_json_has_it(rows: list[tuple[str, str]]) -> None:
    columns = [pl.Series([row[place] for row in rows]) for place in (0, 1)]
    kinds = np.arange(len(rows), dtype=np.int32) % 3
    gaps = [[0, 1, 0], [], [1]]
    filled = fill_forms(columns, [True, True], kinds, gaps)
    for row, kind, values in zip(rows, kinds, filled, strict=True):
        wanted = [json.dumps(row[place], ensure_ascii=False)[1:-1] for place in gaps[kind]]
        assert values.replace("\x7f", "").split(GAP) == [
            *(text.replace("\x7f", "").replace("\\u007f", "") for text in wanted), ""
        ]  # fmt: skip


def test_texts_lie_in_many_buffers_and_slices() -> None:
    pieces = [
        pl.Series([f"a long text that is not inline {n}.{m}" for n in range(9)]) for m in "ab"
    ]
    column = pl.concat(pieces, rechunk=False).gather([17, 0, 9, 3]).slice(1)
    kinds = np.zeros(3, dtype=np.int32)
    filled = fill_forms([column, column], [True, False], kinds, [[1, 0]])
    assert filled.to_list() == [f"{text}{GAP}{text}{GAP}" for text in column]


def test_room_grows_when_everything_is_escaped() -> None:
    column = pl.Series(["\x01" * 5_000, "x", "\x02" * 90_000])
    filled = fill_forms([column], [True], np.zeros(3, dtype=np.int32), [[0]])
    assert [json.loads(f'"{text[:-1]}"') for text in filled] == column.to_list()


def test_json_is_written_as_it_is_but_for_zero_bytes() -> None:
    column = pl.Series(['{"a":"\\u0001 \\""}', '{"name":"x\x00y"}'])
    filled = fill_forms([column], [False], np.zeros(2, dtype=np.int32), [[0]])
    assert filled.to_list() == ['{"a":"\\u0001 \\""}\0', '{"name":"x\\u0000y"}\0']


def test_a_form_and_its_values_make_the_event() -> None:
    forms = pl.Series(['{"a":"\0","b":\0}', "", "{}"])
    values = pl.Series(["x\0" + "1\0", '{"whole":1}', ""])
    assert join_forms(forms, values).to_list() == ['{"a":"x","b":1}', '{"whole":1}', "{}"]


@pytest.mark.parametrize("most", [500, 1])
def test_forms_beyond_the_bound_are_stored_whole(
    schema: OcsfSchema, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(run, "MAX_FORMS", most)
    names = ["userName", "srcIp", "note", "outcome"]
    logs = [
        {name: "192.0.2.1" for bit, name in enumerate(names) if n >> bit & 1} for n in range(16)
    ]
    sample = json.dumps(dict.fromkeys(names, "192.0.2.1"))
    decisions = make_decisions(schema, {"t1": (3002, 1, sample)})
    mapper = EventMapper(schema, decisions, compile_mappings(schema, decisions))
    (mapped,) = mapper.map_by_template(make_records(logs))
    assert mapped.frame.schema == STORED_SCHEMA
    assert mapped.invalid_count == 0
    forms = set(mapped.frame.get_column("event_form").to_list())
    assert len(forms) == (16 if most == 500 else 2)
    events = join_events(mapped.frame).sort("position").get_column("event")
    for log, text in zip(logs, events, strict=True):
        event = json.loads(text)
        assert event.get("unmapped", {}).get("note") == log.get("note")
        assert ("src_endpoint" in event) == ("srcIp" in log)
