"""The compiled passes beside the expressions that do the same work.

Belongs here: both ways over the same texts, in CPU seconds, since they use different threads. Does
not belong here: the passes (`logs.survey`, `events.decode`).
"""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator

import polars as pl

from ocsf_pipeline.events.decode import FieldDecoder
from ocsf_pipeline.events.shapes import count_decoded, count_keys, dtype_of, find_common_shape
from ocsf_pipeline.logs.jsontext import check_json, compact_json
from ocsf_pipeline.logs.shapes import build_structured_shapes
from ocsf_pipeline.logs.survey import KeyMeanings

_SAMPLED = 64
_REPEATS = 3
_LONG_GROUP_ROWS = 500


def measure_scans(parts: Iterator[pl.DataFrame]) -> dict[str, dict[str, float]]:
    """Return microseconds of CPU per log of each way, over the JSON logs of some batches.

    `survey`: is it compact JSON, which structure does it have. `decode`: its fields as columns, and
    whether all of them are known.
    """
    records = pl.concat(list(parts)).filter(pl.col("format") == "json")
    texts = records["fields"]
    keys = KeyMeanings()
    shape = build_structured_shapes(pl.col("fields"), pl.lit("json"))
    schema = pl.Schema({"message": pl.String})
    groups = [part["fields"] for part in records.partition_by("template_id")]
    kept = [group for group in groups if len(group) >= _LONG_GROUP_ROWS] or groups
    shapes = [find_common_shape(group.head(_SAMPLED)) for group in kept]
    decoders = [FieldDecoder(item) for item in shapes]

    def by_expressions() -> None:
        compact_json(check_json(texts, schema)[0])
        records.select(shape.alias("shape"))

    def decode_by_expressions() -> None:
        for group, item in zip(kept, shapes, strict=True):
            decoded = group.to_frame("text").with_columns(
                pl.col("text").str.json_decode(dtype_of(item)).alias("fields")
            )
            known = count_decoded(pl.col("fields"), item)
            decoded.select(count_keys(pl.col("text")) == known)

    def decode_compiled() -> None:
        for group, decoder in zip(kept, decoders, strict=True):
            decoder.decode(group)

    decoded_count = sum(len(group) for group in kept)
    return {
        "survey": _compare(len(texts), by_expressions, lambda: keys.survey(texts)),
        "decode": _compare(decoded_count, decode_by_expressions, decode_compiled),
    }


def _compare(
    count: int, by_expressions: Callable[[], object], compiled: Callable[[], object]
) -> dict[str, float]:
    compiled()  # the first call compiles
    expressions_s = min(_time_cpu(by_expressions) for _ in range(_REPEATS))
    compiled_s = min(_time_cpu(compiled) for _ in range(_REPEATS))
    return {
        "logs": count,
        "expressions_cpu_us_per_log": expressions_s / count * 1e6,
        "compiled_cpu_us_per_log": compiled_s / count * 1e6,
        "ratio": expressions_s / compiled_s,
    }


def _time_cpu(work: Callable[[], object]) -> float:
    before = resource.getrusage(resource.RUSAGE_SELF)
    work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
