"""The text of one request -> lines of an object, so that requests can be gathered in one object.

Belongs here: NDJSON, JSON arrays and documents, plain text. Does not belong here: reading what a
line says (`logs` does, hours later), Splunk's and OpenTelemetry's own forms (`hec`, `otlp`).

Lines of a gathered object are JSON: bare events as they came, or text in an envelope that `logs`
opens again. What is read as a whole, because its first line or its elements say how (columns with a
header, XML) or because it holds bytes that are no text, becomes an object by itself, as it came.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from ocsf_pipeline.logs.blocks import Block, frame_lines
from ocsf_pipeline.logs.columns import recognize_header
from ocsf_pipeline.logs.containers import recognize_container, split_document
from ocsf_pipeline.logs.jsontext import escape_column

_HEAD_BYTES = 64 * 1024
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Lines:
    """The logs of one request, ready to be stored."""

    data: bytes
    """One JSON object a line, each with a line end; or a whole document when `is_alone`."""
    event_count: int
    is_alone: bool = False
    """Whether it must be an object by itself."""


NOTHING = Lines(b"", 0)


@dataclass(frozen=True)
class Envelope:
    """How text becomes a JSON line."""

    payload: str
    """The field that holds the text."""
    constants: Mapping[str, object]
    """What else every line says; JSON values."""
    wraps_json: bool = False
    """Whether lines that are JSON objects are wrapped too."""

    def wrap(self, texts: pl.Series) -> pl.Series:
        """Return `texts` as JSON lines."""
        inside = json.dumps(dict(self.constants), separators=(",", ":"))[1:-1]
        head = f'{{"{self.payload}":"'
        tail = f'",{inside}}}' if inside else '"}'
        frame = escape_column(texts).to_frame("text")
        return frame.select(pl.concat_str(pl.lit(head), "text", pl.lit(tail)).alias("l"))["l"]


def decode_text(text: bytes, envelope: Envelope) -> Lines:
    """Decode a body of any form; every log in it is in the result, readable or not."""
    text = text.removeprefix(_BOM)
    if not text.strip():
        return NOTHING
    head = text[:_HEAD_BYTES]
    container = recognize_container(head)
    if container == "xml" or b"\0" in head:
        return _keep_alone(text)
    if container != "lines":
        return _split_elements(text, container == "json_array", envelope)
    if is_json_lines(text) and not envelope.wraps_json:
        return Lines(_end_line(text), text.rstrip().count(b"\n") + 1)
    if recognize_header(head.decode("utf-8", errors="replace")) is not None:
        return _keep_alone(text)
    frame = frame_lines(Block(0, text), 0)
    if frame.rejected:  # bytes that are no text: kept as they are, for the quarantine
        return _keep_alone(text)
    return _wrap_lines(frame.lines["raw"], envelope)


def is_json_lines(text: bytes) -> bool:
    """Whether every line looks like a JSON object; said by its first character."""
    body = text.strip()
    return body.startswith(b"{") and body.count(b"\n") == body.count(b"\n{")


def join_lines(lines: pl.Series) -> Lines:
    """Return JSON texts, one per row and without line ends, as lines."""
    if lines.is_empty():
        return NOTHING
    data = (lines.str.join("\n").item() + "\n").encode()
    # A first line that reads like the beginning of a document would change how all others are read.
    return Lines(data, len(lines), recognize_container(data[:_HEAD_BYTES]) != "lines")


def _wrap_lines(raw: pl.Series, envelope: Envelope) -> Lines:
    if raw.is_empty():
        return NOTHING
    if envelope.wraps_json:
        return join_lines(envelope.wrap(raw))
    frame = pl.DataFrame({"raw": raw, "wrapped": envelope.wrap(raw)})
    is_json = pl.col("raw").str.starts_with("{") & pl.col("raw").str.ends_with("}")
    return join_lines(frame.select(pl.when(is_json).then("raw").otherwise("wrapped"))["raw"])


def _split_elements(text: bytes, is_array: bool, envelope: Envelope) -> Lines:
    if is_array and text.lstrip()[1:].lstrip()[:1] == b'"':  # an array of texts
        try:
            texts = pl.Series("raw", json.loads(text), dtype=pl.String, strict=True)
        except (ValueError, TypeError, RecursionError):
            return _keep_alone(text)
        return _wrap_lines(texts, envelope)
    if is_array and not text.strip()[1:-1].strip():
        return NOTHING
    document = split_document(text, recognize_container(text[:_HEAD_BYTES]))
    if document.rejected or document.lines.is_empty():
        return _keep_alone(text)
    raw = document.lines["raw"]
    return join_lines(envelope.wrap(raw) if envelope.wraps_json else raw)


def _keep_alone(text: bytes) -> Lines:
    return Lines(text, max(text.count(b"\n"), 1), is_alone=True)


def _end_line(text: bytes) -> bytes:
    return text if text.endswith(b"\n") else text + b"\n"
