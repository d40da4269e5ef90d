"""Words of enums are cast once each; what comes out is what casting every row gives."""

from __future__ import annotations

import polars as pl
import pytest

from ocsf_pipeline.events.column_casts import WordCast
from ocsf_pipeline.events.mapping import Rule
from ocsf_pipeline.events.plan import Column
from ocsf_pipeline.events.schema_view import view_schema
from ocsf_pipeline.schema.model import OcsfSchema


@pytest.fixture
def severity(schema: OcsfSchema) -> Column:
    owner = view_schema(schema).classes[3002]
    attribute = owner.attributes["severity_id"]
    return Column("m0", Rule(("level",), "severity_id", "enum"), attribute, ("m0s", attribute))


def cast_each(item: Column, texts: pl.Series) -> pl.DataFrame:
    """Cast row by row: none is repeated, so that nothing is remembered."""
    rows = [WordCast(item).cast(texts[place : place + 1]) for place in range(len(texts))]
    return pl.concat(rows)


def test_repeated_words_are_cast_as_each_by_itself(severity: Column) -> None:
    cast = WordCast(severity)
    for words in (["high", "weird", None, "High", "1"], ["low", None], ["high"], [None], []):
        texts = pl.Series("m0r", words * 40, dtype=pl.String)
        made = cast.cast(texts)
        assert made.columns == ["m0", "m0s", "m0!"]
        assert made.height == len(texts)
        if words:
            assert made.equals(cast_each(severity, texts))


def test_new_words_in_a_later_batch_are_not_missed(severity: Column) -> None:
    cast = WordCast(severity)
    assert cast.cast(pl.Series("m0r", ["low"] * 20))["m0"].to_list() == [2] * 20
    later = cast.cast(pl.Series("m0r", ["low", "critical"] * 10))
    assert later["m0"].to_list() == [2, 5] * 10
