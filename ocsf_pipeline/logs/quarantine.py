"""What could not be read: its reasons, how much of it is kept, and its frames.

Belongs here: reasons and the building of quarantine rows. Does not belong here: deciding that
something cannot be read (the modules that read).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from ocsf_pipeline.logs.records import QUARANTINE_SCHEMA

MAX_KEPT_BYTES = 64 * 1024
"""Of each quarantined item so much is kept; `size_bytes` tells how long it was."""

REASONS: dict[str, str] = {
    "invalid_json": "The line begins like a JSON object but is not one; was it cut off?",
    "invalid_utf8": "The line is not UTF-8; re-encode it at the sender.",
    "line_too_long": "The line exceeds the size limit (OCSF_PIPELINE_MAX_LINE_BYTES).",
    "corrupt_compression": "The compressed object is damaged or cut off; its good part was read.",
    "decompression_bomb": "The object decompresses to far more than it should; reading stopped.",
    "document_too_large": "A JSON or XML document must fit in memory; send NDJSON instead.",
    "invalid_document": "The JSON array or document does not close; was it cut off?",
    "column_mismatch": "The row has not as many columns as the header.",
    "unsupported_content": "The object is binary; no format that we read.",
}


@dataclass(frozen=True)
class Rejected:
    """One item that could not be read."""

    position: int
    offset_bytes: int
    reason: str
    size_bytes: int
    kept: bytes


def build_quarantine(rejected: Sequence[Rejected], object_key: str, hour: datetime) -> pl.DataFrame:
    """Return quarantine rows (QUARANTINE_SCHEMA) of one object."""
    return pl.DataFrame(
        {
            "object_key": [object_key] * len(rejected),
            "hour": [hour] * len(rejected),
            "position": [item.position for item in rejected],
            "offset_bytes": [item.offset_bytes for item in rejected],
            "reason": [item.reason for item in rejected],
            "size_bytes": [item.size_bytes for item in rejected],
            "bytes": [item.kept[:MAX_KEPT_BYTES] for item in rejected],
        },
        schema=QUARANTINE_SCHEMA,
    )


def select_quarantine(
    frame: pl.DataFrame, reason: str, object_key: str, hour: datetime
) -> pl.DataFrame:
    """Return quarantine rows for all rows of `frame` (position, offset_bytes, raw)."""
    raw_bytes = pl.col("raw").cast(pl.Binary)
    return frame.select(
        pl.lit(object_key).alias("object_key"),
        pl.lit(hour).cast(QUARANTINE_SCHEMA["hour"]).alias("hour"),
        pl.col("position"),
        pl.col("offset_bytes"),
        pl.lit(reason).alias("reason"),
        pl.col("raw").str.len_bytes().cast(pl.UInt64).alias("size_bytes"),
        raw_bytes.bin.slice(0, MAX_KEPT_BYTES).alias("bytes"),
    )
