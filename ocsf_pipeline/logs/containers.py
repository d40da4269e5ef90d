"""Whole documents that hold many logs: JSON arrays, `{"Records": […]}`, pretty-printed JSON, XML.

Belongs here: telling documents from lines, splitting them into one text per log, without parsing
each in Python. Does not belong here: lines (`blocks`), columns with a header (`columns`).
"""

from __future__ import annotations

import itertools
import json
import re
from typing import Literal

import numpy as np
import polars as pl

from ocsf_pipeline.logs.blocks import LINE_SCHEMA, LineFrame
from ocsf_pipeline.logs.quarantine import MAX_KEPT_BYTES, Rejected

Container = Literal["lines", "json_array", "json_records", "json_stream", "xml"]

_RECORDS_KEY = re.compile(
    rb'^\s*\{\s*"(?:[Rr]ecords|[Ee]vents|[Ll]ogs|logEvents|[Ii]tems|[Vv]alue|[Rr]esults|entries|'
    rb'hits|detections|alerts|findings|data)"\s*:\s*\['
)
_XML_EVENT = r"(?s)<Event[\s>].*?</Event>"


def recognize_container(head: bytes) -> Container:
    """Tell from the first bytes of an object how its logs are put together."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    first_line, newline, rest = text.partition(b"\n")
    first_line = first_line.strip()
    if text.startswith(b"["):
        follows = text[1:].lstrip()[:1]
        return "json_array" if follows in (b"{", b"[", b"]", b'"') else "lines"
    if text.startswith(b"{"):
        if _RECORDS_KEY.match(text):
            return "json_records"
        # Pretty-printed: the first line opens an object and cannot be one by itself.
        opens_only = first_line == b"{" or (
            bool(newline) and first_line.endswith((b"{", b"[", b",")) and rest[:1] in b" \t"
        )
        return "json_stream" if opens_only else "lines"
    if text.startswith((b"<?xml", b"<Events", b"<Event", b"<events")):
        is_line = first_line.endswith(b"</Event>") or first_line.endswith(b"</event>")
        return "lines" if is_line else "xml"
    return "lines"


def split_document(data: bytes, container: Container) -> LineFrame:
    """Split a whole document into one record per log; what does not close is rejected."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return _reject_document(data, "invalid_utf8")
    if container == "xml":
        return _split_xml(data)
    depth = {"json_array": 1, "json_records": 2, "json_stream": 0}[container]
    return _split_json(data, depth)


def _reject_document(data: bytes, reason: str) -> LineFrame:
    rejected = Rejected(0, 0, reason, len(data), data[:MAX_KEPT_BYTES])
    return LineFrame(pl.DataFrame(schema=LINE_SCHEMA), [rejected], 1)


def _split_xml(data: bytes) -> LineFrame:
    text = data.decode("utf-8").removeprefix("\ufeff").strip()
    document = pl.Series("raw", [text])
    records = document.str.extract_all(_XML_EVENT).explode(empty_as_null=True).drop_nulls()
    if len(records) < 2:  # one event, perhaps with what its document says around it
        records = document
    # One line per log: the line breaks between elements mean nothing.
    records = records.str.replace_all(r">\s*[\r\n]+\s*<", "><")
    lines = pl.DataFrame({"raw": records}).select(
        pl.int_range(pl.len()).cast(pl.UInt64).alias("position"),
        pl.lit(0, dtype=pl.UInt64).alias("offset_bytes"),
        "raw",
    )
    return LineFrame(lines, [], len(lines))


def _split_json(data: bytes, element_depth: int) -> LineFrame:
    """Cut out the elements that lie `element_depth` brackets deep, with whole-array operations."""
    depth, in_string = scan_brackets(data)
    codes = np.frombuffer(data, dtype=np.uint8)
    outside = ~in_string
    opens = outside & ((codes == 0x7B) | (codes == 0x5B))
    closes = outside & ((codes == 0x7D) | (codes == 0x5D))
    if element_depth and _has_plain_elements(codes, depth, opens, element_depth):
        return _split_plain_elements(data)
    starts = np.flatnonzero(opens & (depth == element_depth + 1))
    stops = np.flatnonzero(closes & (depth == element_depth)) + 1
    if element_depth == 2:
        starts, stops = _keep_array_elements(data, depth, opens, starts, stops)
    whole = min(len(starts), len(stops))
    texts = pl.Series("raw", [data[a:b] for a, b in zip(starts, stops, strict=False)])
    rejected = []
    if len(starts) > whole or (len(depth) and depth[-1] > 0):
        start = int(starts[whole]) if len(starts) > whole else len(data)
        rest = data[start:]
        rejected = [Rejected(whole, start, "invalid_document", len(rest), rest[:MAX_KEPT_BYTES])]
    lines = pl.DataFrame(
        {
            "position": pl.Series(np.arange(whole), dtype=pl.UInt64),
            "offset_bytes": pl.Series(starts[:whole], dtype=pl.UInt64),
            "raw": texts.cast(pl.Binary).cast(pl.String).str.replace_all(r"\s*\n\s*", " "),
        },
        schema=LINE_SCHEMA,
    )
    return LineFrame(lines, rejected, whole + len(rejected))


def _has_plain_elements(
    codes: np.ndarray, depth: np.ndarray, opens: np.ndarray, element_depth: int
) -> bool:
    """Tell whether elements of an array are strings or numbers, which no bracket delimits."""
    blank = np.frombuffer(b" \t\r\n,[]}", dtype=np.uint8)
    places = np.flatnonzero(depth == element_depth)
    places = places[~np.isin(codes[places], blank)]
    parents = np.flatnonzero(opens & (depth == element_depth))
    if not len(places) or not len(parents):
        return False
    around = parents[np.maximum(np.searchsorted(parents, places, side="right") - 1, 0)]
    return bool((codes[around] == 0x5B).any())


def _split_plain_elements(data: bytes) -> LineFrame:
    """Split a document of which some elements are text: each such element is a log as it stands."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return _reject_document(data, "invalid_document")
    if isinstance(document, dict):
        lists = (item for item in document.values() if isinstance(item, list))
        document = list(itertools.chain.from_iterable(lists))
    texts = [
        item if isinstance(item, str) else json.dumps(item, ensure_ascii=False) for item in document
    ]
    lines = pl.DataFrame({"raw": pl.Series(texts, dtype=pl.String)}).select(
        pl.int_range(pl.len()).cast(pl.UInt64).alias("position"),
        pl.lit(0, dtype=pl.UInt64).alias("offset_bytes"),
        pl.col("raw").str.replace_all(r"\s*\n\s*", " "),
    )
    return LineFrame(lines, [], len(texts))


def scan_brackets(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Return per byte the bracket depth after it, and whether it lies inside a JSON string."""
    codes = np.frombuffer(data, dtype=np.uint8)
    is_quote = codes == 0x22
    backslashes = np.flatnonzero(codes == 0x5C)
    if len(backslashes):
        # A quote is escaped when the run of backslashes before it has odd length.
        run_start = np.flatnonzero(np.diff(backslashes, prepend=-2) != 1)
        run_length = np.diff(np.append(run_start, len(backslashes)))
        after_run = backslashes[run_start] + run_length
        odd = after_run[(run_length % 2 == 1) & (after_run < len(codes))]
        is_quote[odd] = False
    in_string = np.bitwise_xor.accumulate(is_quote.view(np.uint8)).astype(bool)
    step = np.zeros(len(codes), dtype=np.int32)
    outside = ~in_string
    step[outside & ((codes == 0x7B) | (codes == 0x5B))] = 1
    step[outside & ((codes == 0x7D) | (codes == 0x5D))] = -1
    return np.cumsum(step, dtype=np.int32), in_string


def _keep_array_elements(
    data: bytes,
    depth: np.ndarray,
    opens: np.ndarray,
    starts: np.ndarray,
    stops: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Keep the elements whose enclosing bracket, one level up, is an array."""
    parents = np.flatnonzero(opens & (depth == 2))
    is_array = np.frombuffer(data, dtype=np.uint8)[parents] == 0x5B
    keep = is_array[np.searchsorted(parents, starts) - 1] if len(parents) else starts < 0
    pairs = min(len(starts), len(stops))
    tail = starts[pairs:][keep[pairs:]]
    return np.concatenate((starts[:pairs][keep[:pairs]], tail)), stops[:pairs][keep[:pairs]]
