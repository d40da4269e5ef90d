"""The shape of a classified event as it lands in the table `events`.

Belongs here: column names, types and their meaning. Does not belong here: how they are filled,
or how ClickHouse stores them (`tables`).
"""

from __future__ import annotations

import polars as pl

from ocsf_pipeline.logs.records import UTC_TIME, Columns

HOT_ATTRIBUTES: dict[str, tuple[str, pl.DataType | type[pl.DataType]]] = {
    # column: (path of the OCSF attribute it repeats, type); the first present path of several wins
    "user_name": ("user.name|actor.user.name|user.email_addr|actor.user.email_addr", pl.String),
    "user_uid": ("user.uid|actor.user.uid", pl.String),
    "actor_user_name": ("actor.user.name|actor.user.email_addr", pl.String),
    "src_ip": ("src_endpoint.ip", pl.String),
    "src_port": ("src_endpoint.port", pl.UInt16),
    "src_hostname": ("src_endpoint.hostname", pl.String),
    "dst_ip": ("dst_endpoint.ip", pl.String),
    "dst_port": ("dst_endpoint.port", pl.UInt16),
    "dst_hostname": ("dst_endpoint.hostname", pl.String),
    "device_hostname": ("device.hostname|device.name", pl.String),
    "device_ip": ("device.ip", pl.String),
    "process_name": ("process.name|actor.process.name", pl.String),
    "process_cmd_line": ("process.cmd_line|actor.process.cmd_line", pl.String),
    "process_pid": ("process.pid|actor.process.pid", pl.Int64),
    "file_name": ("file.name|process.file.name", pl.String),
    "file_path": ("file.path|process.file.path", pl.String),
    "url": ("http_request.url.url_string|url.url_string", pl.String),
    "http_method": ("http_request.http_method", pl.String),
    "user_agent": ("http_request.user_agent", pl.String),
    "query_hostname": ("query.hostname", pl.String),
    "email_from": ("email.from", pl.String),
    "email_subject": ("email.subject", pl.String),
    "api_operation": ("api.operation", pl.String),
    "cloud_account": ("cloud.account.uid", pl.String),
    "cloud_region": ("cloud.region", pl.String),
    "finding_title": ("finding_info.title", pl.String),
}

EVENT_SCHEMA = pl.Schema(
    {
        "event_uid": pl.String,
        "time": UTC_TIME,
        "time_is_observed": pl.Boolean,
        "observed_time": UTC_TIME,
        "hour": UTC_TIME,
        "source": pl.String,  # product, else vendor, else "unknown"
        "host": pl.String,
        "format": pl.String,
        "class_uid": pl.UInt32,
        "class_name": pl.String,
        "category_uid": pl.UInt32,
        "category_name": pl.String,
        "activity_id": pl.Int32,
        "activity_name": pl.String,
        "type_uid": pl.UInt64,
        "severity_id": pl.Int32,
        "status_id": pl.Int32,  # OCSF status of the activity (success, failure); null if unknown
        "confidence": pl.Float32,
        "status": pl.String,  # accepted, review, overridden
        "candidates": pl.String,  # JSON, as in the decision
        "template_id": pl.String,
        "schema_version": pl.String,
        "knowledge_version": pl.String,
        "ranker_version": pl.String,
        "mapping_version": pl.String,
        **{column: dtype for column, (_path, dtype) in HOT_ATTRIBUTES.items()},
        "message": pl.String,
        "event": pl.String,  # the whole OCSF event as JSON text, without raw_data
        "raw_data": pl.String,
        "object_key": pl.String,
        "position": pl.UInt64,
    }
)
"""An event as it is read."""

OF_TEMPLATE = (
    "class_uid", "class_name", "category_uid", "category_name", "activity_id", "activity_name",
    "type_uid", "confidence", "status", "candidates", "template_id", "schema_version",
    "knowledge_version", "ranker_version", "mapping_version",
)  # fmt: skip
"""Columns that are equal in all rows of a template."""

_REPEATED = pl.Categorical()
_EVENT_PARTS: Columns = {
    "event_form": _REPEATED,  # the event's constant text, with gaps (`forms`)
    "event_values": pl.String,  # what fills the gaps
}


def _store(name: str, dtype: pl.DataType) -> Columns:
    if name == "event":
        return _EVENT_PARTS
    repeats = name in OF_TEMPLATE and dtype == pl.String
    return {name: _REPEATED if repeats else dtype}


STORED_SCHEMA = pl.Schema(
    {key: kind for name, dtype in EVENT_SCHEMA.items() for key, kind in _store(name, dtype).items()}
)
"""An event as it is stored: `event` in two parts, text that repeats as numbers of texts."""


def store_events(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows of EVENT_SCHEMA as rows of STORED_SCHEMA: an empty form, and the event whole.

    Columns that are missing or of another type stay so; whoever checks the rows will say it.
    """
    parts = [pl.lit("").cast(_REPEATED).alias("event_form")]
    repeated = [
        pl.col(name).cast(_REPEATED)
        for name, dtype in STORED_SCHEMA.items()
        if dtype == _REPEATED and rows.schema.get(name) == pl.String
    ]
    return rows.with_columns(*parts, *repeated).rename({"event": "event_values"})
