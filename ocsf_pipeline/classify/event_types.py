"""How a product names the event that a log is: `user.session.start`, `4625`, `ConsoleLogin`.

Belongs here: reading those names out of one log's fields. Does not belong here: what they mean
(`queries`, the ranker), which templates an override of one covers (`tables`). Runs once per
template, never per log.
"""

from __future__ import annotations

from ocsf_pipeline.classify.leaves import read_leaves
from ocsf_pipeline.classify.queries import HEADING_KEY

MAX_EVENT_TYPES = 8
_MAX_CHARS = 120


def find_event_types(fields: str, raw: str) -> list[str]:
    """Return the values of the keys that name the event, in the order of the log, each once."""
    found: dict[str, None] = {}
    for leaf in read_leaves(fields, raw):
        key = leaf.path[-1].rsplit(".", 1)[-1] if leaf.path else ""
        text = str(leaf.value).strip()
        is_name = not isinstance(leaf.value, bool) and 0 < len(text) <= _MAX_CHARS
        if is_name and HEADING_KEY.match(key):
            found[text] = None
    return list(found)[:MAX_EVENT_TYPES]
