"""Splunk's HTTP event collector: what its senders send, and the answers that they understand.

Belongs here: events and raw text of HEC -> lines, HEC's codes. Does not belong here: routes and
tokens (`app`, `tokens`). An event keeps its HEC envelope: `logs` opens it, and reads time and host.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from ocsf_pipeline.ingest.errors import InvalidEventError, RequestError
from ocsf_pipeline.ingest.lines import NOTHING, Envelope, Lines, decode_text, join_lines
from ocsf_pipeline.logs.containers import scan_brackets
from ocsf_pipeline.logs.jsontext import check_json

DEFAULT_SOURCETYPE = "httpevent"
_META = ("host", "source", "sourcetype", "index")
_FIELDS = pl.Schema(dict.fromkeys(("event", "sourcetype", "index"), pl.String))
_BLANKS = np.frombuffer(b" \t\r\n,", dtype=np.uint8)

# Codes of Splunk's own collector, which its senders act on.
SUCCESS = 0
TOKEN_REQUIRED = 2
INVALID_TOKEN = 4
NO_DATA = 5
INVALID_DATA = 6
SERVER_BUSY = 9
CHANNEL_MISSING = 10
EVENT_REQUIRED = 12
EVENT_BLANK = 13
HEALTHY = 17
TOO_LARGE = 27
_CODES = {
    "no_token": TOKEN_REQUIRED,
    "wrong_token": INVALID_TOKEN,
    "no_data": NO_DATA, "event_required": EVENT_REQUIRED, "event_blank": EVENT_BLANK,
    "channel_missing": CHANNEL_MISSING, "too_large": TOO_LARGE,
}  # fmt: skip


def decode_events(text: bytes) -> Lines:
    """Decode the body of `/services/collector/event`: JSON objects one after another.

    Raises InvalidEventError with the number of the first event that Splunk would refuse; then
    nothing of the request is taken, so that the sender may mend and send the whole.
    """
    if not text.strip():
        raise RequestError("No data", reason="no_data")
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidEventError("Invalid data format: not UTF-8", 0) from error
    lines = _cut_objects(text)
    checked, parsed = check_json(lines, _FIELDS)
    _refuse_first(checked.is_null(), "Invalid data format", "invalid")
    event = parsed["event"]
    _refuse_first(event.is_null(), "Event field is required", "event_required")
    _refuse_first(event.str.len_bytes() == 0, "Event field cannot be blank", "event_blank")
    # Without either field an event could not be told from a log that has a field `event`.
    frame = pl.DataFrame({"line": lines}).hstack(parsed)
    bare = pl.col("sourcetype").is_null() & pl.col("index").is_null()
    named = pl.concat_str(
        pl.lit(f'{{"sourcetype":"{DEFAULT_SOURCETYPE}",'), pl.col("line").str.slice(1)
    )
    return join_lines(frame.select(pl.when(bare).then(named).otherwise("line").alias("l"))["l"])


def decode_raw(text: bytes, parameters: Mapping[str, str]) -> Lines:
    """Decode the body of `/services/collector/raw`: a log a line; `parameters` are the URL's."""
    if not text.strip():
        raise RequestError("No data", reason="no_data")
    constants: dict[str, object] = {"sourcetype": DEFAULT_SOURCETYPE}
    constants.update({name: parameters[name] for name in _META if parameters.get(name)})
    seconds = _read_time(parameters.get("time", ""))
    if seconds is not None:
        constants["time"] = seconds
    decoded = decode_text(text, Envelope("event", constants, wraps_json=True))
    if decoded == NOTHING:
        raise RequestError("No data", reason="no_data")
    return decoded


def read_ack_ids(text: bytes) -> list[int]:
    """Return the ids that a sender asks about: `{"acks": [0, 1]}`."""
    try:
        asked = json.loads(text)["acks"]
        if isinstance(asked, list) and all(type(number) is int for number in asked):
            return asked
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise RequestError('send {"acks": [numbers]}')


def answer_success(ack_id: int | None) -> dict[str, Any]:
    """Return the body of a success; with an id where the sender named a channel."""
    answer: dict[str, Any] = {"text": "Success", "code": SUCCESS}
    return answer if ack_id is None else {**answer, "ackId": ack_id}


def answer_refusal(error: RequestError) -> dict[str, Any]:
    """Return the body of a refusal."""
    answer: dict[str, Any] = {"text": str(error), "code": _CODES.get(error.reason, INVALID_DATA)}
    if isinstance(error, InvalidEventError):
        answer["invalid-event-number"] = error.number
    return answer


def _cut_objects(text: bytes) -> pl.Series:
    """Cut objects that stand one after another, or in an array; whatever is between is refused."""
    depth, in_string = scan_brackets(text)
    codes = np.frombuffer(text, dtype=np.uint8)
    level = 1 if text.lstrip().startswith(b"[") else 0
    brace_opens = (codes == 0x7B) & ~in_string & (depth == level + 1)
    closes = (codes == 0x7D) & ~in_string & (depth == level)
    starts, stops = np.flatnonzero(brace_opens), np.flatnonzero(closes) + 1
    outside = codes[(depth <= level) & ~closes]
    stray = outside[~np.isin(outside, _BLANKS)]
    is_closed = len(starts) == len(stops) and (not len(depth) or depth[-1] == 0)
    if stray.tobytes() != (b"[]" if level else b"") or not is_closed:
        raise InvalidEventError("Invalid data format", min(len(starts), len(stops)))
    if not len(starts):
        raise RequestError("No data", reason="no_data")
    texts = [text[start:stop] for start, stop in zip(starts, stops, strict=True)]
    lines = pl.Series("line", texts).cast(pl.String)
    if b"\n" in text.strip() or b"\r" in text:
        return lines.str.replace_all(r"\s*[\r\n]\s*", " ")
    return lines


def _refuse_first(is_bad: pl.Series, message: str, reason: str) -> None:
    if is_bad.any():
        raise InvalidEventError(message, int(is_bad.arg_max() or 0), reason=reason)


def _read_time(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 0 < seconds < 1e11 else None
