"""`ocsf-pipeline map`: one OCSF event per log, as JSON.

Belongs here: keeping mappings while a command runs. Does not belong here: mapping (`events`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import polars as pl

from ocsf_pipeline.commands.classify import DecisionMemory, merge_lines
from ocsf_pipeline.commands.inputs import LogBatch
from ocsf_pipeline.events.execute import EventMapper
from ocsf_pipeline.events.mapping import EventMapping, compile_mappings
from ocsf_pipeline.events.run import encode_whole_event
from ocsf_pipeline.logs.records import NORMALIZED_SCHEMA


def map_batches(batches: Iterable[LogBatch], memory: DecisionMemory) -> Iterator[list[str]]:
    """Yield the events of each batch, one per log, in the input's order.

    The id of a log becomes `metadata.uid` of its event; a log that cannot be read gives the line
    that `classify` gives for it.
    """
    schema = memory.decider.schema
    mappings: dict[str, EventMapping] = {}
    mapper = EventMapper(schema, memory.decisions.clear(), mappings)
    for batch in batches:
        decisions = memory.decide(batch.records)
        new = decisions.filter(~pl.col("template_id").is_in(list(mappings)))
        if not new.is_empty():
            mappings.update(compile_mappings(schema, new))
            mapper = EventMapper(schema, memory.decisions, mappings)
        uid = pl.col("id_json").str.strip_chars('"').alias("event_uid")
        records = batch.records.with_columns(uid).select(NORMALIZED_SCHEMA.names())
        events = encode_whole_event(mapper.map_records(records).frame)
        lines = batch.records.select("position").with_columns(events.alias("line"))
        yield merge_lines(lines, batch.problems)
