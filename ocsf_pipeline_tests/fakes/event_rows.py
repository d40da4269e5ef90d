"""Small frames for tests of the tables: events, batches, quarantine, decisions, overrides.

Belongs here: makers of rows of the right shape. Does not belong here: assertions.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from ocsf_pipeline.events.rows import EVENT_SCHEMA
from ocsf_pipeline.logs.records import BATCH_SCHEMA, QUARANTINE_SCHEMA
from ocsf_pipeline.tables.overrides import OVERRIDE_SCHEMA
from ocsf_pipeline.tables.templates import TEMPLATE_ROWS

HOUR = datetime(2026, 3, 1, 14, tzinfo=UTC)

_CLASSES = {
    3002: ("Authentication", 3, "Identity & Access Management"),
    4001: ("Network Activity", 4, "Network Activity"),
    6003: ("API Activity", 6, "Application Activity"),
}


def make_frame(schema: pl.Schema, rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """Rows with what they do not name left null."""
    filled = [{name: row.get(name) for name in schema} for row in rows]
    return pl.DataFrame(filled, schema=schema)


def make_event(position: int, hour: datetime = HOUR, **values: Any) -> dict[str, Any]:
    class_uid = values.get("class_uid", 3002)
    class_name, category_uid, category_name = _CLASSES[class_uid]
    event = values.pop("event", {"class_uid": class_uid, "unmapped": {"tty": "pts/0"}})
    return {
        "event_uid": f"{hour:%H}-{position:05d}",
        "time": hour + timedelta(seconds=position, microseconds=250),
        "time_is_observed": False,
        "observed_time": hour + timedelta(seconds=position + 1),
        "hour": hour,
        "source": "OpenSSH",
        "host": "bastion",
        "format": "syslog",
        "class_uid": class_uid,
        "class_name": class_name,
        "category_uid": category_uid,
        "category_name": category_name,
        "activity_id": 1,
        "activity_name": "Logon",
        "type_uid": class_uid * 100 + 1,
        "severity_id": 1,
        "confidence": 0.97,
        "status": "accepted",
        "candidates": json.dumps([{"class_uid": class_uid, "score": 0.97}]),
        "template_id": f"t{class_uid}",
        "schema_version": "1.8.0",
        "user_name": f"user{position % 3}",
        "src_ip": f"10.0.0.{position % 5}",
        "src_port": 40000 + position,
        "message": f"Accepted publickey for user{position % 3}",
        "event": json.dumps(event),
        "raw_data": f"<38>Accepted publickey for user{position % 3}",
        "object_key": "logs/a.ndjson",
        "position": position,
        **values,
    }


def make_events(count: int, hour: datetime = HOUR, **values: Any) -> pl.DataFrame:
    return make_frame(EVENT_SCHEMA, [make_event(n, hour, **values) for n in range(count)])


def make_batches(read: int, hour: datetime = HOUR, quarantined: int = 0) -> pl.DataFrame:
    row = {
        "object_key": "logs/a.ndjson",
        "object_version": "v1",
        "hour": hour,
        "size_bytes": 100 * read,
        "read_count": read,
        "classified_count": read - quarantined,
        "review_count": 0,
        "quarantined_count": quarantined,
        "digest": "00ff",
    }
    return make_frame(BATCH_SCHEMA, [row])


def make_quarantine(bodies: Sequence[bytes], hour: datetime = HOUR) -> pl.DataFrame:
    rows = [
        {
            "object_key": "logs/a.ndjson",
            "hour": hour,
            "position": position,
            "offset_bytes": position * 10,
            "reason": "not_utf8",
            "size_bytes": len(body),
            "bytes": body,
        }
        for position, body in enumerate(bodies)
    ]
    return make_frame(QUARANTINE_SCHEMA, rows)


def make_decision(template_id: str, **values: Any) -> dict[str, Any]:
    return {
        "template_id": template_id,
        "source": "OpenSSH",
        "event_types": [],
        "class_uid": 3002,
        "class_name": "Authentication",
        "category_uid": 3,
        "activity_id": 1,
        "type_uid": 300201,
        "confidence": 0.5,
        "status": "review",
        "candidates": "[]",
        "evidence": '[{"kind": "field", "text": "sshd", "weight": 1}]',
        "sample_raw": "Accepted publickey",
        **values,
    }


def make_decisions(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    return make_frame(TEMPLATE_ROWS, rows)


def make_override(override_id: str, minute: int = 0, **values: Any) -> pl.DataFrame:
    row = {
        "override_id": override_id,
        "created_at": datetime(2026, 3, 2, 9, minute, tzinfo=UTC),
        "scope": "template",
        "template_ids": [],
        "class_uid": 4001,
        "class_name": "Network Activity",
        "category_uid": 4,
        "category_name": "Network Activity",
        "activity_id": 6,
        "activity_name": "Traffic",
        "type_uid": 400106,
        "author": "ana@example.org",
        "reason": "it is a tunnel",
        **values,
    }
    return make_frame(OVERRIDE_SCHEMA, [row])
