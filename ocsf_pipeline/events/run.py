"""One plan over the rows of its templates: cast, write the events, fill the hot columns.

Belongs here: the column expressions of a plan, and which form each row's event has. Does not belong
here: grouping rows and what to do with rows that break their plan (`execute`), the text of forms
(`forms`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add

import numpy as np
import numpy.typing as npt
import polars as pl

from ocsf_pipeline.events.column_casts import (
    WordCast,
    cast_column,
    complete_column,
    read_source,
)
from ocsf_pipeline.events.decode import FieldDecoder
from ocsf_pipeline.events.fill import fill_forms
from ocsf_pipeline.events.forms import Form, join_forms, make_form
from ocsf_pipeline.events.plan import (
    VENDOR_COLUMN,
    EventPlan,
    datetime_name,
    echo_name,
    list_gap_columns,
    unfit_name,
)
from ocsf_pipeline.events.required import (
    HOST_COLUMN,
    MESSAGE_COLUMN,
    PRODUCT_COLUMN,
    TIME_COLUMN,
    UID_COLUMN,
    UNKNOWN,
)
from ocsf_pipeline.events.rows import EVENT_SCHEMA, HOT_ATTRIBUTES, OF_TEMPLATE, STORED_SCHEMA
from ocsf_pipeline.logs.records import Columns

ROW = "@row"
GROUP = "@group"
TEMPLATE = "@template"
OPENING = "@opening"
PACK_PRODUCT = "@pack_product"
PACK_VENDOR = "@pack_vendor"
RAW_COLUMN = "@raw"
_NO_HOSTS = ("", "localhost", "localhost.localdomain")
"""What a device without a name writes in front of its logs."""
SEVERITY_COLUMN = "@severity"
FIELDS = "fields"
MAX_FORMS = 500
"""Forms of one plan that are stored as such; events of further ones are stored whole."""
_MAX_REMEMBERED = 5_000
_BITS = 60
_AS_THEY_ARE = (
    "time", "time_is_observed", "observed_time", "hour", "format", "object_key", "position",
)  # fmt: skip
_RENAMED = {
    # column of an event's row: internal column that it repeats
    "event_uid": UID_COLUMN, "source": PRODUCT_COLUMN, "host": HOST_COLUMN,
    "message": MESSAGE_COLUMN, "raw_data": RAW_COLUMN,
}  # fmt: skip
_MAPPED: Columns = {
    ROW: pl.UInt32,
    TEMPLATE: pl.UInt32,
    **{name: dtype for name, dtype in STORED_SCHEMA.items() if name not in OF_TEMPLATE},
}
_MAPPED_SCHEMA = pl.Schema(_MAPPED)
_LATER_NULLS = r'(?:,"[^"\\:,{}\[\]]+":null)+'
_FIRST_NULL = r'\{"[^"\\:,{}\[\]]+":null,?'


@dataclass
class Tally:
    """Counts over one batch, by `class_uid:attribute path`."""

    fallbacks: Counter[str] = field(default_factory=Counter)
    unfit: Counter[str] = field(default_factory=Counter)


def base_columns() -> list[pl.Expr]:
    """Return the columns of a record that mapping reads, under their internal names."""
    vendor = pl.coalesce(_filled("vendor"), PACK_VENDOR)
    return [
        pl.col(ROW),
        pl.col(GROUP),
        pl.col(TEMPLATE),
        pl.col(OPENING),
        pl.col("event_uid").alias(UID_COLUMN),
        pl.col("time").dt.epoch("ms").alias(TIME_COLUMN),
        _name_source().alias(PRODUCT_COLUMN),
        vendor.alias(VENDOR_COLUMN),
        _filled("severity").alias(SEVERITY_COLUMN),
        pl.when(~pl.col("host").is_in(_NO_HOSTS)).then("host").alias(HOST_COLUMN),
        _filled("message").alias(MESSAGE_COLUMN),
        pl.col("raw").alias(RAW_COLUMN),
        pl.col(FIELDS).fill_null("{}"),
        *(pl.col(name) for name in _AS_THEY_ARE),
    ]


def _name_source() -> pl.Expr:
    """Return the product that the log names, else the one that it was recognised as."""
    return pl.coalesce(_filled("product"), PACK_PRODUCT, _filled("vendor"), pl.lit(UNKNOWN))


def _filled(name: str) -> pl.Expr:
    return pl.when(pl.col(name) != "").then(pl.col(name))


class PlanRunner:
    """A plan with its expressions made: they depend on the rows only by which columns are null."""

    def __init__(self, plan: EventPlan) -> None:
        """Make the expressions of `plan`; cheap next to running them, dear next to a few rows."""
        self.plan = plan
        self.decoder = FieldDecoder(plan.mapping.shape)
        self._captures = [
            pl.col(column).str.extract_groups(pattern).alias(f"p{number}")
            for number, (column, pattern) in enumerate(plan.patterns)
        ]
        if plan.echo:
            said = pl.col(plan.echo)
            is_other = said.ne_missing(pl.col(MESSAGE_COLUMN))
            self._captures.append(pl.when(is_other).then(said).alias(echo_name(plan.echo)))
        self._sources = [read_source(plan, item).alias(f"{item.name}r") for item in plan.columns]
        self._words = [WordCast(item) for item in plan.columns if item.rule.cast == "enum"]
        others = [item for item in plan.columns if item.rule.cast != "enum"]
        self._casts = [cast_column(item).alias(item.name) for item in others]
        self._second = [expr for item in others for expr in complete_column(item)]
        self._second += [reduce(add, map(pl.col, parts)).alias(name) for name, parts in plan.sums]
        self._second += [
            pl.from_epoch(name, time_unit="ms")
            .dt.to_string("%Y-%m-%dT%H:%M:%S%.3fZ")
            .alias(datetime_name(name))
            for name in plan.times
        ]
        self._gap_columns = list_gap_columns(plan)
        self._forms: dict[tuple[str, bool, int], Form] = {}
        self._stored: set[str] = set()

    def run(
        self, rows: pl.DataFrame, openings: Sequence[str], tally: Tally, keep_whole: bool
    ) -> pl.DataFrame:
        """Map rows (base_columns) that have the plan's leaves beside them as columns.

        `openings`: the openings of events, by number. `keep_whole`: the rows have fields that the
        plan does not know, so `unmapped` takes the whole of `fields`. Returns the columns of an
        event's row that do not come from its template.
        """
        plan, height = self.plan, rows.height
        values = rows.with_columns_seq(self._captures) if self._captures else rows
        values = values.with_columns_seq(self._sources)
        values = values.with_columns_seq(self._casts)
        for words in self._words:
            values = values.hstack(words.cast(values.get_column(words.source)).get_columns())
        values = values.with_columns_seq(self._second)
        nulls = {column.name: column.null_count() for column in values.get_columns()}
        for item in plan.columns:
            unfit = height - nulls.get(unfit_name(item.name), height)
            if unfit and item.rule.cast != "enum":
                tally.unfit[f"{plan.owner.uid}:{item.rule.target}"] += unfit
        kinds, forms = self._find_forms(values, nulls, openings, keep_whole)
        counts = np.bincount(kinds, minlength=len(forms))
        for form, count in zip(forms, counts, strict=True):
            for path in form.fallbacks:
                tally.fallbacks[f"{plan.owner.uid}:{path}"] += int(count)
        columns = [
            pl.col(ROW), pl.col(TEMPLATE), *(pl.col(name) for name in _AS_THEY_ARE),
            *(pl.col(column).alias(name) for name, column in _RENAMED.items()),
            *_hot_columns(plan, nulls, height),
        ]  # fmt: skip
        return values.select_seq(columns).with_columns(self._write_events(values, kinds, forms))

    def _find_forms(
        self, values: pl.DataFrame, nulls: dict[str, int], openings: Sequence[str], keep_whole: bool
    ) -> tuple[npt.NDArray[np.int32], list[Form]]:
        """Return the number of each row's form, and the forms."""
        certain, unsure = 0, []
        for bit, name in enumerate(self._gap_columns):
            if nulls[name] == 0:
                certain |= 1 << bit
            elif nulls[name] < values.height:
                unsure.append((bit, name))
        marks = [values.get_column(OPENING).to_numpy()]
        for at in range(0, len(unsure), _BITS):
            names = [name for _bit, name in unsure[at : at + _BITS]]
            marks.append(_mark_present(values, names))
        kinds, firsts = _number_alike(marks)
        forms = []
        for first in firsts:
            present = certain
            for place, (bit, _name) in enumerate(unsure):
                word, shift = divmod(place, _BITS)
                present |= (int(marks[1 + word][first]) >> shift & 1) << bit
            forms.append(self._form(openings[int(marks[0][first])], keep_whole, present, values))
        return kinds, forms

    def _form(self, opening: str, keep_whole: bool, present: int, values: pl.DataFrame) -> Form:
        key = (opening, keep_whole, present)
        form = self._forms.get(key)
        if form is None:
            names = {name for bit, name in enumerate(self._gap_columns) if present >> bit & 1}
            schema = values.schema
            texts = {name for name in names if schema[name] == pl.String}
            whole = FIELDS if keep_whole else None
            form = make_form(self.plan, opening, names, texts, whole)
            if len(self._forms) < _MAX_REMEMBERED:
                self._forms[key] = form
        return form

    def _write_events(
        self, values: pl.DataFrame, kinds: npt.NDArray[np.int32], forms: Sequence[Form]
    ) -> list[pl.Series]:
        """Return the columns `event_form` and `event_values`."""
        names = list(dict.fromkeys(name for form in forms for name in form.columns))
        numbers = {name: number for number, name in enumerate(names)}
        schema = values.select(names).schema  # made anew at each access
        filled = fill_forms(
            values.select_seq(_as_written(name, schema[name]) for name in names).get_columns(),
            [schema[name] == pl.String and name != FIELDS for name in names],
            kinds,
            [[numbers[name] for name in form.columns] for form in forms],
        )
        texts = pl.Series([form.text for form in forms], dtype=pl.String)
        is_stored = [self._is_stored(form.text) for form in forms]
        if not all(is_stored):
            whole = ~pl.Series(is_stored).gather(kinds)
            written = texts.gather(kinds)
            filled = filled.zip_with(~whole, join_forms(written, filled))
            texts = pl.Series(
                [text if kept else "" for text, kept in zip(texts, is_stored, strict=True)],
                dtype=pl.String,
            )
        stored = texts.cast(pl.Categorical).gather(kinds)
        return [stored.alias("event_form"), filled.alias("event_values")]

    def _is_stored(self, text: str) -> bool:
        """Whether events of this form are stored as such: what logs vary without end is not."""
        if text in self._stored:
            return True
        if len(self._stored) >= MAX_FORMS:
            return False
        self._stored.add(text)
        return True


def _mark_present(values: pl.DataFrame, names: Sequence[str]) -> npt.NDArray[np.uint64]:
    """Return a number for each row whose bits say which of the columns have a value."""
    marks = np.zeros(values.height, dtype=np.uint64)
    for bit, name in enumerate(names):
        is_present = values.get_column(name).is_not_null().to_numpy()
        marks |= is_present.astype(np.uint64) << np.uint64(bit)
    return marks


def _number_alike(
    marks: Sequence[npt.NDArray[np.generic]],
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Return a number for each row, equal where all marks are, and a row of each number."""
    numbers = np.zeros(len(marks[0]), dtype=np.int64)
    firsts = np.zeros(1, dtype=np.int64)
    for mark in marks:
        if (mark == mark[0]).all():
            continue
        _values, own = np.unique(mark, return_inverse=True)
        _values, firsts, numbers = np.unique(
            numbers * (int(own.max()) + 1) + own, return_index=True, return_inverse=True
        )
    return numbers.astype(np.int32), firsts


def _as_written(name: str, dtype: pl.DataType) -> pl.Expr:
    """Return the column as text: plain text as it is, anything else as JSON."""
    column = pl.col(name)
    if dtype == pl.String:
        return column
    if dtype.is_integer() or dtype == pl.Boolean:
        return column.cast(pl.String)
    text = pl.struct(column.alias("v")).struct.json_encode()
    text = text.str.strip_prefix('{"v":').str.strip_suffix("}")
    if isinstance(dtype, pl.List) and isinstance(dtype.inner, pl.Struct):
        # Members that only other records have. Sound, since in encoded JSON a quote inside a string
        # always follows a backslash, and only a member's name is followed by a colon.
        text = text.str.replace_all(_LATER_NULLS, "").str.replace_all(_FIRST_NULL, "{")
    return text.alias(name)


def _hot_columns(plan: EventPlan, nulls: dict[str, int], height: int) -> Iterator[pl.Expr]:
    severity = pl.col(plan.severity_column) if plan.severity_column else pl.lit(None, pl.Int64)
    yield severity.fill_null(plan.default_severity).cast(pl.Int32).alias("severity_id")
    if plan.status_column:
        yield pl.col(plan.status_column).cast(pl.Int32).alias("status_id")
    for name, columns in plan.hot.items():
        filled = [pl.col(column) for column in columns if nulls[column] < height]
        if filled:
            yield pl.coalesce(filled).cast(HOT_ATTRIBUTES[name][1]).alias(name)


def join_parts(parts: Sequence[pl.DataFrame], templates: pl.DataFrame) -> pl.DataFrame:
    """Return rows of STORED_SCHEMA, and ROW, from what plans gave and what templates have."""
    rows = pl.concat([pl.DataFrame(schema=_MAPPED_SCHEMA), *parts], how="diagonal")
    codes = rows.get_column(TEMPLATE)
    return rows.hstack(templates[codes].get_columns()).select(ROW, *STORED_SCHEMA)


def join_events(frame: pl.DataFrame) -> pl.DataFrame:
    """Return rows of EVENT_SCHEMA, events whole, from rows of STORED_SCHEMA."""
    event = join_forms(frame.get_column("event_form"), frame.get_column("event_values"))
    whole = frame.with_columns(event)
    return whole.select(pl.col(name).cast(dtype) for name, dtype in EVENT_SCHEMA.items())


def encode_whole_event(frame: pl.DataFrame) -> pl.Series:
    """Return the OCSF events of `frame` (EVENT_SCHEMA) as JSON texts, `raw_data` included."""
    raw = pl.struct("raw_data").struct.json_encode().str.strip_prefix("{")
    whole = pl.concat_str(pl.col("event").str.strip_suffix("}"), pl.lit(","), raw)
    text = pl.when(pl.col("raw_data").is_null()).then(pl.col("event")).otherwise(whole)
    return frame.select(text.alias("event")).to_series()
