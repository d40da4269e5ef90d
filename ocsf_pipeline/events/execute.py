"""Mappings run over records: whole OCSF events, as column expressions.

Belongs here: grouping rows by mapping, decoding, casting, encoding, and counting. Does not belong
here: choosing rules (`mapping`), what a class requires (`required`), judging rows (`validate`).

Python loops run over groups of templates. Rows are touched one by one only where their fields
contradict what their template promised, in pieces of at most SMALL_PIECE rows; see
docs/decisions/0004-event-mapping-execution.md for why, and what each way costs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import reduce
from itertools import chain

import polars as pl

from ocsf_pipeline.classify.decisions import DECISION_SCHEMA
from ocsf_pipeline.events.compiler import MappingCompiler
from ocsf_pipeline.events.mapping import EventMapping
from ocsf_pipeline.events.plan import build_plan, class_members, class_opening
from ocsf_pipeline.events.rows import EVENT_SCHEMA, OF_TEMPLATE, STORED_SCHEMA
from ocsf_pipeline.events.run import (
    GROUP,
    OPENING,
    PACK_PRODUCT,
    PACK_VENDOR,
    ROW,
    TEMPLATE,
    PlanRunner,
    Tally,
    base_columns,
    join_events,
    join_parts,
)
from ocsf_pipeline.events.samples import Sample, find_sample
from ocsf_pipeline.events.shapes import (
    EMPTY_SHAPE,
    Shape,
    find_common_shape,
    find_shape,
    merge_shapes,
)
from ocsf_pipeline.events.validate import find_faults, list_classes
from ocsf_pipeline.logs.records import Columns
from ocsf_pipeline.schema.model import OcsfSchema

PIECE_ROWS = 25_000
SMALL_PIECE = 64
MAX_SHAPES_PER_PIECE = 4
SHAPE_SAMPLE = 64
FROM_DECISION = (
    "confidence", "status", "candidates", "schema_version", "knowledge_version", "ranker_version",
)  # fmt: skip
_OF_MAPPING = [name for name in OF_TEMPLATE if name not in ("template_id", *FROM_DECISION)]
_TEMPLATE: Columns = {
    "template_id": pl.String,
    GROUP: pl.String,
    OPENING: pl.UInt32,
    PACK_PRODUCT: pl.String,
    PACK_VENDOR: pl.String,
    **{name: EVENT_SCHEMA[name] for name in _OF_MAPPING},
}
_TEMPLATE_SCHEMA = pl.Schema(_TEMPLATE)


class MissingDecisionError(ValueError):
    """Records came without a decision or a mapping for their template."""


@dataclass(frozen=True)
class MappedEvents:
    """Events of one batch, and what was counted on the way."""

    frame: pl.DataFrame
    """One row per record. Of `map_records`: EVENT_SCHEMA, in the records' order. Of
    `map_by_template`: STORED_SCHEMA, ordered by mapping."""
    invalid_count: int
    """Rows that broke a rule of the schema; 0 unless a mapping has a defect."""
    invalid: pl.DataFrame
    """event_uid, template_id, reason of the invalid rows."""
    fallback_counts: Mapping[str, int]
    """`class_uid:attribute path` to the rows in which a stand-in filled a required attribute."""
    unmapped_counts: Mapping[str, int]
    """`class_uid:attribute path` to the rows whose value did not fit and went to `unmapped`."""


def map_events(
    records: pl.DataFrame,
    decisions: pl.DataFrame,
    mappings: Mapping[str, EventMapping],
    schema: OcsfSchema,
) -> MappedEvents:
    """Turn records (NORMALIZED_SCHEMA) into events (EVENT_SCHEMA).

    `decisions` (DECISION_SCHEMA) and `mappings` must cover every template_id of the records.
    For many batches make one EventMapper and keep it: it remembers its plans.

    Raises MissingDecisionError when a template has no decision or no mapping.
    """
    return EventMapper(schema, decisions, mappings).map_records(records)


class EventMapper:
    """Maps batches of records of templates that are known beforehand."""

    def __init__(
        self,
        schema: OcsfSchema,
        decisions: pl.DataFrame,
        mappings: Mapping[str, EventMapping],
        worker_count: int = 2,
        compiler: MappingCompiler | None = None,
    ) -> None:
        """Prepare for the templates of `decisions`; plans are built when first needed.

        `compiler`: what compiled the mappings, for rows with fields that the sample had not.
        """
        self._worker_count = worker_count
        self._compiler = compiler or MappingCompiler(schema)
        self._view = self._compiler.view
        self._classes = list_classes(self._view)
        self._plans: dict[str, PlanRunner] = {}
        self._grown: dict[str, PlanRunner] = {}
        self._mappings = {item.version: item for item in mappings.values()}
        self._openings: list[str] = []
        templates = self._list_templates(decisions, mappings)
        self._groups = templates.select(
            pl.col("template_id"),
            pl.int_range(pl.len(), dtype=pl.UInt32).alias(TEMPLATE),
            GROUP, OPENING, PACK_PRODUCT, PACK_VENDOR,
        )  # fmt: skip
        self._templates = templates.select(
            pl.col(name).cast(STORED_SCHEMA[name]) for name in OF_TEMPLATE
        )

    def _list_templates(
        self, decisions: pl.DataFrame, mappings: Mapping[str, EventMapping]
    ) -> pl.DataFrame:
        decided = decisions.select(list(DECISION_SCHEMA)).unique("template_id", keep="last")
        known = decided.filter(pl.col("template_id").is_in(list(mappings)))
        numbers: dict[str, int] = {}
        rows = []
        for template_id, activity_id in known.select("template_id", "activity_id").iter_rows():
            mapping = mappings[template_id]
            owner = self._view.classes[mapping.class_uid]
            members = class_members(owner, activity_id or 0)
            opening = numbers.setdefault(class_opening(owner, members), len(numbers))
            rows.append({
                "template_id": template_id, GROUP: mapping.version, OPENING: opening,
                "mapping_version": mapping.version, PACK_PRODUCT: mapping.product_name or None,
                PACK_VENDOR: mapping.product_vendor or None, **members,
            })  # fmt: skip
        self._openings = list(numbers)
        described = pl.DataFrame(rows, schema=_TEMPLATE_SCHEMA)
        return described.join(
            known.select("template_id", *FROM_DECISION), on="template_id", how="left"
        )

    def map_records(self, records: pl.DataFrame) -> MappedEvents:
        """Turn one batch of records into events, in the records' order; see `map_events`."""
        pieces = list(self._map_pieces(records, max(1, records.height)))
        if not pieces:
            nothing = join_parts([], self._templates)
            pieces = [(nothing.get_column(ROW), self._judge(nothing.drop(ROW), Tally()))]
        [(rows, mapped)] = pieces
        return replace(mapped, frame=join_events(mapped.frame[rows.arg_sort()]))

    def map_by_template(
        self, records: pl.DataFrame, piece_rows: int = PIECE_ROWS
    ) -> Iterator[MappedEvents]:
        """Yield the events of `records` in pieces of about `piece_rows` rows, ordered by mapping.

        What is done once per mapping costs as much as thousands of rows, so hand over many records
        at once; the events are not held together. Neighbours alike also compress better.
        """
        for _rows, mapped in self._map_pieces(records, piece_rows):
            yield mapped

    def _join(self, records: pl.DataFrame) -> pl.DataFrame:
        joined = records.with_row_index(ROW).join(
            self._groups, on="template_id", how="left", maintain_order="left"
        )
        missing = joined.filter(pl.col(GROUP).is_null()).get_column("template_id")
        if len(missing):
            raise MissingDecisionError(
                f"{missing.n_unique()} templates have no decision or no mapping, e.g. "
                f"{missing[0]!r}; decide and compile them before mapping"
            )
        return joined

    def _map_pieces(
        self, records: pl.DataFrame, piece_rows: int
    ) -> Iterator[tuple[pl.Series, MappedEvents]]:
        """Yield pieces with the places of their rows among `records`."""
        joined = self._join(records)
        groups = joined.select(base_columns()).partition_by(GROUP, as_dict=True, include_key=False)
        named = [
            (part, str(key[0])) for key, rows in groups.items() for part in _cut(rows, piece_rows)
        ]
        # Polars lets go of the interpreter's lock, so that groups are mapped side by side.
        with ThreadPoolExecutor(self._worker_count) as pool:
            for piece in _gather_pieces(named, piece_rows):
                work = [(rows, self._plan(version), Tally()) for rows, version in piece]
                done = pool.map(lambda item: self._map_group(*item), work)
                mapped = join_parts(list(chain.from_iterable(done)), self._templates)
                height = sum(rows.height for rows, _version in piece)
                if mapped.height != height:
                    raise AssertionError(f"{height} records became {mapped.height} events")
                tally = Tally()
                for _rows, _plan, counted in work:
                    tally.fallbacks.update(counted.fallbacks)
                    tally.unfit.update(counted.unfit)
                yield mapped.get_column(ROW), self._judge(mapped.drop(ROW), tally)

    def _judge(self, frame: pl.DataFrame, tally: Tally) -> MappedEvents:
        faults = find_faults(frame, self._classes)
        return MappedEvents(
            frame=frame,
            invalid_count=faults.height,
            invalid=faults,
            fallback_counts=dict(tally.fallbacks),
            unmapped_counts=dict(tally.unfit),
        )

    def _plan(self, version: str) -> PlanRunner:
        grown = self._grown.get(version)
        if grown is not None:
            return grown
        plan = self._plans.get(version)
        if plan is None:
            plan = self._plans[version] = PlanRunner(
                build_plan(self._view, self._mappings[version])
            )
        return plan

    def _map_group(
        self, rows: pl.DataFrame, plan: PlanRunner, tally: Tally, may_grow: bool = True
    ) -> list[pl.DataFrame]:
        """Map rows that share a plan; falls back to smaller pieces where a row breaks it."""
        decoded = plan.decoder.decode(rows.get_column("fields"))
        if decoded.is_odd.any():
            kept = ~decoded.is_odd
            odd_parts = self._map_odd_rows(rows.filter(decoded.is_odd), plan, tally)
            if not kept.any():
                return odd_parts
            return [*odd_parts, *self._map_group(rows.filter(kept), plan, tally, may_grow)]
        values = rows.hstack(decoded.values)
        is_whole = decoded.is_whole
        if is_whole.all():
            return [plan.run(values, self._openings, tally, keep_whole=False)]
        parts = []
        if is_whole.any():
            whole = values.filter(is_whole)
            parts.append(plan.run(whole, self._openings, tally, keep_whole=False))
        grown = self._grow_plan(plan, rows.filter(~is_whole)) if may_grow else plan
        if grown is plan:
            partial = values.filter(~is_whole)
            return [*parts, plan.run(partial, self._openings, tally, keep_whole=True)]
        return [*parts, *self._map_group(rows.filter(~is_whole), grown, tally, may_grow=False)]

    def _grow_plan(self, plan: PlanRunner, rows: pl.DataFrame) -> PlanRunner:
        """Return a plan that also knows the fields that some of `rows` have beyond the shape."""
        texts = rows.get_column("fields").gather_every(max(1, rows.height // SHAPE_SAMPLE))
        texts = texts.head(SHAPE_SAMPLE)
        shape = merge_shapes(plan.plan.mapping.shape, find_common_shape(texts))
        if shape == plan.plan.mapping.shape:
            return plan
        grown = self._plan_for(plan, find_sample(texts, shape))
        self._grown[plan.plan.mapping.version] = grown
        return grown

    def _plan_for(self, plan: PlanRunner, sample: Sample) -> PlanRunner:
        mapping = self._compiler.compile_again(plan.plan.mapping, sample)
        known = self._plans.get(mapping.version)
        if known is None:
            known = PlanRunner(build_plan(self._view, mapping))
            if len(self._plans) < 10_000:
                self._plans[mapping.version] = known
        return known

    def _map_odd_rows(
        self, rows: pl.DataFrame, plan: PlanRunner, tally: Tally
    ) -> list[pl.DataFrame]:
        """Map rows that cannot be decoded with the plan's shape."""
        if rows.height > SMALL_PIECE:
            pieces = rows.iter_slices(SMALL_PIECE)
            return [part for piece in pieces for part in self._map_odd_rows(piece, plan, tally)]
        shapes = [find_shape(text) for text in rows.get_column("fields")]
        if any(shape is None for shape in shapes):
            rows = _quote_unreadable(rows, [shape is None for shape in shapes])
            shapes = [find_shape(text) for text in rows.get_column("fields")]
        distinct: list[Shape] = []
        for shape in shapes:
            if shape is not None and shape not in distinct:
                distinct.append(shape)
        if len(distinct) > MAX_SHAPES_PER_PIECE:
            common = reduce(merge_shapes, distinct, EMPTY_SHAPE)
            sample = find_sample(rows.get_column("fields"), common)
            return self._map_piece(rows, self._plan_for(plan, sample), tally)
        parts = []
        for wanted in distinct:
            piece = rows.filter(pl.Series([shape == wanted for shape in shapes]))
            sample = find_sample(piece.get_column("fields").head(1), wanted)
            parts += self._map_piece(piece, self._plan_for(plan, sample), tally)
        return parts

    def _map_piece(self, rows: pl.DataFrame, plan: PlanRunner, tally: Tally) -> list[pl.DataFrame]:
        """Map rows that the plan was made for; what still cannot be read is kept as text."""
        if plan.decoder.decode(rows.get_column("fields")).is_odd.any():
            if rows.height > 1:
                return [
                    part
                    for start in range(rows.height)
                    for part in self._map_piece(rows.slice(start, 1), plan, tally)
                ]
            rows = _quote_unreadable(rows, [True])
            plan = self._plan_for(plan, find_sample(rows.get_column("fields")))
        return self._map_group(rows, plan, tally, may_grow=False)


def _cut(rows: pl.DataFrame, piece_rows: int) -> Iterator[pl.DataFrame]:
    """Yield `rows` whole unless they are much more than a piece."""
    if rows.height <= 2 * piece_rows:
        yield rows
    else:
        yield from rows.iter_slices(piece_rows)


def _gather_pieces(
    groups: Sequence[tuple[pl.DataFrame, str]], piece_rows: int
) -> Iterator[list[tuple[pl.DataFrame, str]]]:
    """Yield runs of groups that have `piece_rows` rows or just over; the last may have fewer."""
    piece: list[tuple[pl.DataFrame, str]] = []
    for group in groups:
        piece.append(group)
        if sum(rows.height for rows, _version in piece) >= piece_rows:
            yield piece
            piece = []
    if piece:
        yield piece


def _quote_unreadable(rows: pl.DataFrame, flags: list[bool]) -> pl.DataFrame:
    """Replace fields that are no readable JSON object by an object that holds them as text."""
    text = pl.col("fields").fill_null("")
    quoted = pl.struct(text.alias("fields")).struct.json_encode()
    return rows.with_columns(
        pl.when(pl.Series(flags)).then(quoted).otherwise(pl.col("fields")).alias("fields")
    )
