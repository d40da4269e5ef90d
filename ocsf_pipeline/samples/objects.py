"""Three hours of objects made of the sample logs, as they would land in a bucket.

Belongs here: which log goes into which object. Does not belong here: keys and stores (the caller
puts `hour_offset` and `name` into the layout of `logs.layout`), containers (`drops`), damage
(`broken`). Every sample log is in exactly one sound object.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ocsf_pipeline.samples import drops
from ocsf_pipeline.samples.broken import build_broken_objects
from ocsf_pipeline.samples.labels import SampleLog, read_sample_logs

HOURS = 3
FIRST_HOUR = datetime(2026, 11, 22, 9, tzinfo=UTC)
"""When the drops begin to arrive; no sample log is younger."""

_JSON_ARRAY = ("aws_guardduty", "kandji", "nordlayer", "qualys", "steampipe_inventory")
_PRETTY = ("expel", "sentry", "red_canary", "thehive")
_VECTOR = ("okta", "teleport", "tailscale", "kong_gateway", "sublime_security", "vanta")
_OWN_TEXT_FILES = ("postgresql", "rabbitmq", "xrdp", "clamav")


@dataclass(frozen=True)
class Expected:
    """What reading an object must give."""

    read_count: int
    """Records and quarantined items together."""
    quarantine_reasons: tuple[str, ...] = ()

    @property
    def quarantined_count(self) -> int:
        """How many items cannot be read."""
        return len(self.quarantine_reasons)


@dataclass(frozen=True)
class SampleObject:
    """One object to land in the store."""

    name: str
    """File name; unique within its hour."""
    hour_offset: int
    """Hours after the first of the drops: 0, 1 or 2."""
    body: bytes
    expected: Expected


def build_sample_objects() -> list[SampleObject]:
    """Return the objects of all hours, sorted by hour and name; the same bytes at every call."""
    logs = read_sample_logs()
    groups: dict[str, list[SampleLog]] = defaultdict(list)
    for log in logs:
        groups[_name_object(log)].append(log)
    sound: list[SampleObject] = []
    for number, (name, members) in enumerate(groups.items()):
        # Small groups arrive as one drop, so that tables and documents hold more than one log.
        parts = HOURS if len(members) >= 2 * HOURS else 1
        for part in range(parts):
            hour = (number + part) % HOURS
            sound.append(_build_object(name, hour, members[part::parts]))
    json_lines = [log.raw for log in logs if log.format == "json"]
    broken = [
        SampleObject(
            item.name, number % HOURS, item.body,
            Expected(item.record_count + len(item.reasons), item.reasons),
        )
        for number, item in enumerate(build_broken_objects(json_lines[::40]))
    ]  # fmt: skip
    return sorted([*sound, *broken], key=lambda item: (item.hour_offset, item.name))


def _name_object(log: SampleLog) -> str:
    """Return the name of the object that a log goes into; the name tells its container."""
    if log.format == "csv" and "\n" in log.raw:
        return _name_table(log)
    name_by_format: dict[str, Callable[[SampleLog], str]] = {
        "json": _name_json,
        "xml": _name_xml,
        "kv": _name_pairs,
        "text": _name_text,
        "cef": lambda _log: "sample-cef.log",
        "leef": lambda _log: "sample-leef.log",
        "access": lambda _log: "sample-access.log.gz",
        "syslog": lambda _log: "sample-syslog.log",
        "syslog5424": lambda _log: "sample-rfc5424.log.gz",
        "csv": lambda log: f"sample-{_dash(log.source)}.log",
    }
    return name_by_format[log.format](log)


def _name_table(log: SampleLog) -> str:
    # One product may have tables under several headers: each event has a file of its own.
    suffix = {"zeek": "tsv", "windows_iis": "w3c"}.get(log.source, "csv")
    event = re.sub(r"[^a-z0-9]+", "-", log.event_type.lower())
    return f"sample-{_dash(log.source)}-{event}.{suffix}"


def _name_json(log: SampleLog) -> str:
    if log.source == "aws_cloudtrail":
        return "sample-cloudtrail.records.json.gz"
    if log.source in _JSON_ARRAY:
        return f"sample-{_dash(log.source)}.array.json"
    if log.source in _PRETTY:
        return f"sample-{_dash(log.source)}.pretty.json"
    if log.source in _VECTOR:
        return f"sample-{_dash(log.source)}.vector.ndjson.zst"
    return "sample-services.ndjson.gz"


def _name_xml(log: SampleLog) -> str:
    return (
        "sample-windows-security.xml" if log.source == "windows_security" else "sample-windows.log"
    )


def _name_pairs(log: SampleLog) -> str:
    return "sample-audit.log" if log.source == "linux_auditd" else "sample-pairs.log.gz"


def _name_text(log: SampleLog) -> str:
    if log.source in _OWN_TEXT_FILES:
        return f"sample-{_dash(log.source)}.log"
    return "sample-text.vector.ndjson.zst"


def _dash(source: str) -> str:
    return source.replace("_", "-")


def _build_object(name: str, hour: int, logs: Sequence[SampleLog]) -> SampleObject:
    body = _pack(name, hour, logs)
    if name.endswith(".gz"):
        body = drops.compress_gzip(body)
    elif name.endswith(".zst"):
        body = drops.compress_zstd(body)
    return SampleObject(name, hour, body, Expected(len(logs)))


def _pack(name: str, hour: int, logs: Sequence[SampleLog]) -> bytes:
    if ".vector." in name:
        return drops.pack_vector(logs, FIRST_HOUR + timedelta(hours=hour))
    packers: dict[str, Callable[[Sequence[SampleLog]], bytes]] = {
        ".array.json": drops.pack_array,
        ".records.json.gz": drops.pack_records,
        ".pretty.json": drops.pack_pretty,
        ".xml": drops.pack_xml,
        ".csv": drops.pack_table,
        ".tsv": drops.pack_table,
        ".w3c": drops.pack_table,
    }
    for suffix, pack in packers.items():
        if name.endswith(suffix):
            return pack(logs)
    return drops.pack_lines(logs)
