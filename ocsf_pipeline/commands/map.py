"""`ocsf-pipeline map`: one OCSF event per log, as JSON.

Belongs here: keeping mappings while a command runs. Does not belong here: mapping (`events`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import polars as pl

from ocsf_pipeline.commands.classify import DecisionMemory, merge_lines
from ocsf_pipeline.commands.inputs import LogBatch
from ocsf_pipeline.events.execute import EventMapper
from ocsf_pipeline.events.mapping import EventMapping
from ocsf_pipeline.events.run import encode_whole_event
from ocsf_pipeline.logs.records import NORMALIZED_SCHEMA
from ocsf_pipeline.steps.mappings import load_compiler


class EventMaker:
    """Decides and maps batch after batch; templates met before cost nothing again."""

    def __init__(self, memory: DecisionMemory, with_datetime: bool = False) -> None:
        self._memory = memory
        self._schema = memory.decider.schema
        self._compiler = load_compiler(memory.artefacts, self._schema, with_datetime)
        self._mappings: dict[str, EventMapping] = {}
        self._mapper = EventMapper(self._schema, memory.decisions.clear(), self._mappings)

    def make_events(self, records: pl.DataFrame) -> pl.Series:
        """Return the event of each record as JSON text; its id becomes `metadata.uid`."""
        decisions = self._memory.decide(records)
        new = decisions.filter(~pl.col("template_id").is_in(list(self._mappings)))
        if not new.is_empty():
            self._mappings.update(self._compiler.compile_decisions(new))
            self._mapper = EventMapper(
                self._schema, self._memory.decisions, self._mappings, compiler=self._compiler
            )
        uid = pl.col("id_json").str.strip_chars('"').alias("event_uid")
        named = records.with_columns(uid).select(NORMALIZED_SCHEMA.names())
        return encode_whole_event(self._mapper.map_records(named).frame)


def map_batches(
    batches: Iterable[LogBatch], memory: DecisionMemory, with_datetime: bool = False
) -> Iterator[list[str]]:
    """Yield the events of each batch, one per log, in the input's order.

    The id of a log becomes `metadata.uid` of its event; a log that cannot be read gives the line
    that `classify` gives for it.
    """
    maker = EventMaker(memory, with_datetime)
    for batch in batches:
        events = maker.make_events(batch.records)
        lines = batch.records.select("position").with_columns(events.alias("line"))
        yield merge_lines(lines, batch.problems)
