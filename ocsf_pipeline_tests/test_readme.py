"""The README's table of settings is made from the code."""

from __future__ import annotations

from pathlib import Path

from ocsf_pipeline.settings import describe_settings
from ocsf_pipeline.steps.reports import format_table

_README = Path(__file__).parents[1] / "README.md"
_BEGIN = "<!-- settings: begin (made by describe_settings; a test compares) -->\n"
_END = "<!-- settings: end -->"


def make_table() -> str:
    return format_table(("variable", "default", "meaning"), describe_settings())


def test_settings_are_those_of_the_code() -> None:
    text = _README.read_text(encoding="utf-8")
    table = text.partition(_BEGIN)[2].partition(_END)[0].strip()
    assert table == make_table(), f"replace the table in README.md by:\n{make_table()}"
