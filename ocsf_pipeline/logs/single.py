"""Single logs given as text, for examples and for the command line, read like those of an object.

Belongs here: the path from a list of raw texts to normalised records. Does not belong here:
anything that the path over objects does differently.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import polars as pl

from ocsf_pipeline.logs.blocks import LINE_SCHEMA
from ocsf_pipeline.logs.columns import recognize_header, split_rows
from ocsf_pipeline.logs.containers import recognize_container, split_document
from ocsf_pipeline.logs.normalize import (
    NormalizedFrame,
    ObjectContext,
    TemplateRegistry,
    normalize_records,
)

_FIXED_TIME = datetime(2000, 1, 1, tzinfo=UTC)


def normalize_texts(
    texts: Sequence[str],
    observed_time: datetime = _FIXED_TIME,
    registry: TemplateRegistry | None = None,
    name: str = "inline",
) -> NormalizedFrame:
    """Normalise each text as one log; `position` is its place in `texts`.

    A text may hold line breaks (pretty-printed JSON, XML, a header line with one row under it).
    """
    context = ObjectContext(name, "0", observed_time, observed_time)
    registry = registry or TemplateRegistry()
    plain: list[tuple[int, str]] = []
    frames: list[NormalizedFrame] = []
    for position, text in enumerate(texts):
        rows = _read_under_header(position, text)
        if rows is not None:
            frames.append(normalize_records(rows, context, registry))
        else:
            plain.append((position, _flatten(text)))
    lines = pl.DataFrame(
        {
            "position": [position for position, _text in plain],
            "offset_bytes": [0] * len(plain),
            "raw": [text for _position, text in plain],
        },
        schema=LINE_SCHEMA,
    )
    frames.append(normalize_records(lines, context, registry))
    return NormalizedFrame(
        pl.concat([frame.records for frame in frames]).sort("position"),
        pl.concat([frame.quarantine for frame in frames]).sort("position"),
    )


def _flatten(text: str) -> str:
    """Put a document of several lines on one line, where its format allows."""
    stripped = text.strip()
    container = recognize_container(stripped.encode())
    if "\n" not in stripped and container != "json_array":
        return stripped
    if container in ("json_stream", "json_array", "xml"):
        lines = split_document(stripped.encode(), container).lines
        if len(lines) == 1:
            return str(lines["raw"][0])
    return stripped


def _read_under_header(position: int, text: str) -> pl.DataFrame | None:
    """Return the last row of a text that is a header with rows under it; None for other texts."""
    if "\n" not in text.strip() or text.lstrip()[:1] in ("{", "[", "<"):
        return None
    header = recognize_header(text)
    if header is None:
        return None
    body = [line for line in text.splitlines() if line.strip()]
    lines = pl.DataFrame(
        {"position": [position] * len(body), "offset_bytes": [0] * len(body), "raw": body},
        schema=LINE_SCHEMA,
    )
    rows, _odd = split_rows(lines, header)
    return rows.tail(1) if not rows.is_empty() else None
