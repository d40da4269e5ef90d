"""Which hour an object belongs to, told by its key, and back.

Belongs here: the layout `<prefix>/dt=YYYY-MM-DD/hour=HH/<anything>`. Does not belong here: listing.
The hour is the hour of arrival (UTC); a log's own time is a column.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

_HOUR_IN_KEY = re.compile(r"(?:^|/)dt=(\d{4})-(\d{2})-(\d{2})/hour=(\d{2})/[^/]")
PARTITION_FORMAT = "%Y-%m-%d-%H:%M"


def format_hour_folder(prefix: str, hour: datetime) -> str:
    """Return the folder of `hour` (UTC) below `prefix`, without a trailing slash."""
    folder = hour.astimezone(UTC).strftime("dt=%Y-%m-%d/hour=%H")
    return f"{prefix.strip('/')}/{folder}" if prefix.strip("/") else folder


def parse_hour(key: str) -> datetime | None:
    """Return the hour that `key` lies in, or None when the key is outside the layout."""
    match = _HOUR_IN_KEY.search(key)
    if match is None:
        return None
    year, month, day, hour = (int(part) for part in match.groups())
    try:
        return datetime(year, month, day, hour, tzinfo=UTC)
    except ValueError:
        return None


def format_partition(hour: datetime) -> str:
    """Return the partition key of `hour`, as Dagster's hourly partitions name it."""
    return hour.astimezone(UTC).strftime(PARTITION_FORMAT)


def parse_partition(partition_key: str) -> datetime:
    """Return the hour (UTC) of a partition key. Raises ValueError for any other text."""
    return datetime.strptime(partition_key, PARTITION_FORMAT).replace(tzinfo=UTC)
