"""Attributes that a name may mean as well, told apart by the value that stands there.

Belongs here: an address in a field called host, a number of HTTP in a field called status. Does
not belong here: kinds of values (`kinds`), names (`aliases`), choosing (`chooser`).
"""

from __future__ import annotations

import re

from ocsf_pipeline.events.kinds import recognise_value
from ocsf_pipeline.events.schema_view import ClassView
from ocsf_pipeline.events.values import ENUM_WORDS

_HTTP_CODE = re.compile(r"[1-5][0-9]{2}")
_HTTP_CLASSES = frozenset({"http_activity", "web_resources_activity"})
_LONG_ID = re.compile(r"(?=.*[0-9])[0-9A-Za-z._:-]{17,}")
_ACTION_WORDS = frozenset(
    {*ENUM_WORDS["action_id"], "allowed", "denied", "observed", "modified", "alert", "detect",
     "detected", "log", "logged", "monitor", "monitored", "none", "other", "unknown"}
)  # fmt: skip
_REQUEST_CATEGORIES = frozenset({3, 6})
"""Identity and applications: what is done there is a request, not a control's verdict."""


def find_twin(target: str, value: str, owner: ClassView) -> str:
    """Return the attribute that `value` speaks for in place of `target`; mostly `target` itself."""
    head, _dot, last = target.rpartition(".")
    kind = recognise_value(value)
    if last == "ip" and kind in ("text", "uuid") and any(char.isalpha() for char in value):
        return f"{head}.hostname"
    if last == "hostname" and kind in ("ip", "ip_port"):
        return f"{head}.ip"
    if last == "name" and kind in ("windows_path", "unix_path"):
        is_image = head.rpartition(".")[2] in ("process", "parent_process", "file")
        return f"{head}.path" if is_image else target
    if last == "url_string" and value.startswith("/") and not value.startswith("//"):
        return f"{head}.path"
    if last == "protocol_name" and kind == "integer":
        return f"{head}.protocol_num"
    return _find_plain_twin(target, value, kind, owner)


def _find_plain_twin(target: str, value: str, kind: str, owner: ClassView) -> str:
    if target == "metadata.event_code" and (kind == "uuid" or _LONG_ID.fullmatch(value)):
        return "metadata.original_event_uid"
    if target in ("status", "status_code") and owner.name in _HTTP_CLASSES:
        return "http_response.code" if _HTTP_CODE.fullmatch(value) else target
    is_request = owner.category_uid in _REQUEST_CATEGORIES
    if target == "action" and is_request and value.lower() not in _ACTION_WORDS:
        return "api.operation"
    return target
