"""The shapes of the frames that the logs stage hands on: normalised records and quarantine.

Belongs here: column names, types and their meaning. Does not belong here: how they are filled.
"""

from __future__ import annotations

import polars as pl

UTC_TIME = pl.Datetime("us", "UTC")
Columns = dict[str, pl.DataType | type[pl.DataType]]

_NORMALIZED: Columns = {
    "event_uid": pl.String,  # from object key, object version and position: the same for ever
    "object_key": pl.String,
    "position": pl.UInt64,  # number of the record within its object, from 0
    "hour": UTC_TIME,  # hour of arrival, from the object's key
    "time": UTC_TIME,  # the log's own time, or the observed time
    "time_is_observed": pl.Boolean,  # True when the log carried no readable time
    "observed_time": UTC_TIME,  # envelope's time, or the object's last modification
    "host": pl.String,  # null when not evident
    "vendor": pl.String,  # null when not evident
    "product": pl.String,  # null when not evident
    "severity": pl.String,  # as the log says it, lower case; null when not evident
    "message": pl.String,  # human-readable text of the log; null when it has none
    "format": pl.String,  # json, syslog, cef, leef, kv, csv, xml, access, text
    "fields": pl.String,  # JSON object text: the log's own fields under their own names
    "raw": pl.String,  # the log as it was received
    "template_id": pl.String,
}

_QUARANTINE: Columns = {
    "object_key": pl.String,
    "hour": UTC_TIME,
    "position": pl.UInt64,  # number of the record within its object, from 0
    "offset_bytes": pl.UInt64,  # where its bytes begin in the decompressed object
    "reason": pl.String,  # one of the reasons of logs.quarantine
    "size_bytes": pl.UInt64,  # of the whole, also where `bytes` holds only its beginning
    "bytes": pl.Binary,  # at most logs.quarantine.MAX_KEPT_BYTES
}

_BATCH: Columns = {
    "object_key": pl.String,
    "object_version": pl.String,
    "hour": UTC_TIME,
    "size_bytes": pl.UInt64,
    "read_count": pl.UInt64,  # = classified + review + quarantined, always
    "classified_count": pl.UInt64,
    "review_count": pl.UInt64,
    "quarantined_count": pl.UInt64,
    "digest": pl.String,  # SHA-256 of the object as stored
}

NORMALIZED_SCHEMA = pl.Schema(_NORMALIZED)
QUARANTINE_SCHEMA = pl.Schema(_QUARANTINE)
BATCH_SCHEMA = pl.Schema(_BATCH)
