"""What the name of a field says: whether it holds the time, the host, the name of the event.

Belongs here: facts about field names, looked up once per name. Does not belong here: values,
anything done per log.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from ocsf_pipeline.logs.shapes import NAMING_KEYS, SORTING_KEYS

# Ranked: where a log has several times, the event's own comes before that of its processing.
_TIMES = (
    r"event_?time(?:stamp)?|event_?date_?time|event_?date|time_?created|systemtime|time_?generated"
    r"|generated_?(?:time|at|on)|utc_?time|event_?creation_?time|eventstarttime",
    r"@?timestamp|_?time|ts|_ts|\$date|date_?time|published|rt|activity_?date_?time|creation_?time"
    r"|device_?receipt_?time|devicetime|occur+ed_?(?:at|on|time)?|log_?time(?:stamp)?|logged_?(?:at|on|time)"
    r"|request_?time|detected_?(?:at|time|timestamp)|detection_?time|alert_?time|datetime|calendartime"
    r"|startedatetime|timestamp_?ms|timereceived|unix_?time|epoch|when",
    r"created?_?(?:at|time|date|on|date_?time)?|creation_?date|created|start_?time|start|first_?seen"
    r"|received_?(?:time|at)|inserted_?at|last_?event|effective_at|originated_?at|report_?time"
    r"|last_?modified|update_?time|updated_?at|date",
)
_HOSTS = (
    r"host_?name|computer_?name|computer|device_?name|dvchost|devname|agent_?hostname"
    r"|endpoint_?name|machine_?name|node_?name|syslog_host|sensor_?name",
    r"host|dvc",
)
_SEVERITIES = (
    r"severity(?:_?(?:name|label|level))?|cefseverity|log_?level|level(?:_?name)?|sev|alert_?severity",
    r"severity_?id|risk_?level|priority|threat_?level|crscore",
)
_MESSAGES = (
    r"message|msg|event_?message|displaymessage",
    r"short_?message|full_?message|description|eventdescription|rendereddescription",
    r"summary|title",
)
_WORDS = (
    rf"{_MESSAGES[0]}|log|text",
    rf"{_MESSAGES[1]}|(?:[a-z_]*_)?description",
    rf"{_MESSAGES[2]}|details?",
    r"alert_?name|rule_?name|threat_?name|signature|activity|check_?name|task_?(?:display_?)?name",
    r"subject|reason|policy_?name",
    r"name|query_?name|finding|path|route",
    r"status|result|outcome|method",
)
_OWNER = (
    r"channel|provider|provider_?name|source_?name|event_?source|event_?provider|event_?module"
    r"|event_?dataset|workload|vendor|vendor_?name|device_?vendor|product|product_?name|device_?product"
    r"|_path|program|log_?name|resource|subresource|category|categories"
)
_NUMBERED = (
    r"deviceeventclassid|event_?type"
    r"|(?:event|msg|message|activity|operation|action)_?(?:type_?)?(?:id|code)"
)
_CONCEPTS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(f"(?i){pattern}"))
    for name, pattern in (
        ("addresses", r"^(?:src|dst|source|dest|destination|client|server|local|remote|orig|resp"
         r"|id[._]).*(?:ip|addr|address|port|_h|_p)\d?$|^(?:srcip|dstip|src|dst|c-ip|s-ip)$"),
        ("dns", r"^(?:rrname|rrtype|qname|qtype|qclass|query_?(?:name|type|class)|rcode(?:_name)?|"
         r"answers?|question_?name|dns.*|resolved_?ip.*)$"),
        ("http", r"^(?:http.*|url|uri|uri[._-].*|cs-.*|user_?agent|referr?er|request_?ur[li].*|"
         r"status_?code|sc-status|vhost)$"),
        ("mail", r"^(?:mail_?from|rcpt_?to|recipients?|sender(?:_?address)?|subject|"
         r"message_?subject|from_?address|to_?address.*|smtp.*|internet_?message_?id|mailbox.*)$"),
        ("process", r"^(?:process.*|cmd_?line|command_?line|image|parent_?image|exe|pid|ppid|"
         r"parent_?process.*)$"),
        ("file", r"^(?:file_?(?:name|path|hash|size|type)|target_?filename|folder_?path|sha256|"
         r"sha1|md5)$"),
        ("registry", r"^(?:registry.*|target_?object|reg_?key.*)$"),
        ("dhcp", r"^(?:lease.*|assigned_?(?:ip|addr)|dhcp.*)$"),
        ("tls", r"^(?:sni|ja3.*|tls.*|ssl.*|cipher.*|server_?name)$"),
        ("login", r"^(?:log_?on.*|login.*|auth.*|mfa.*|sign_?in.*|kerberos.*|ticket.*)$"),
        ("vulnerability", r"^(?:cve.*|cvss.*|vuln.*|plugin_?(?:id|name))$"),
        ("threat", r"^(?:threat.*|malware.*|signature.*|attack.*|mitre.*|tactic.*|technique.*|"
         r"detection.*|alert.*|rule_?name|ioc.*|indicator.*|incident.*)$"),
        ("compliance", r"^(?:compliance.*|control_?id.*|benchmark.*|remediation.*)$"),
        ("database", r"^(?:statement|sql.*|db_?name|database.*|query_?text|schema_?name|"
         r"table_?name)$"),
        ("group", r"^(?:group_?(?:name|id|sid)|member.*|role.*)$"),
        ("device", r"^(?:serial_?number|manufacturer|model|mac_?address|asset.*|os_?version|"
         r"inventory.*)$"),
        ("tunnel", r"^(?:tunnel.*|vpn.*)$"),
        ("volume", r"^(?:bytes.*|packets.*|sent_?bytes?|rcvd_?bytes?|sentbyte|rcvdbyte|"
         r"orig_bytes)$"),
        ("file transfer", r"^(?:ftp.*|smb.*|share.*)$"),
        ("task", r"^(?:task_?name|cron.*|schedule.*)$"),
    )
)  # fmt: skip

# Words that speak of a concept wherever they stand in a key: `ClientRequestURI`, `dns_rcode`.
_CONCEPT_WORDS = {
    "uri": "http", "url": "http", "http": "http", "cookie": "http", "dns": "dns", "rcode": "dns",
    "smtp": "mail", "mailbox": "mail", "certificate": "tls", "cipher": "tls",
    "registry": "registry",
    "vlan": "interface", "interface": "interface", "ssid": "wireless", "bssid": "wireless",
    "vulnerability": "vulnerability", "cve": "vulnerability", "package": "software",
    "software": "software", "firmware": "software", "mac": "device", "serial": "device",
    "script": "script", "module": "module", "driver": "module", "pipe": "pipe", "thread": "process",
    "container": "container", "pod": "container", "job": "task", "quarantine": "remediation",
}  # fmt: skip
_WORD_IN_KEY = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


@dataclass(frozen=True)
class KeyRole:
    """What one field name says. Ranks count from 0, the best; None where the name says nothing."""

    time: int | None
    host: int | None
    severity: int | None
    message: int | None
    words: int | None
    """How well its text describes the event where nothing names it."""
    is_naming: bool
    is_sorting: bool
    is_owner: bool
    is_numbered: bool
    """Whether a small number in it names the event: `event_type_id: 5`."""
    opens_name: bool
    """Whether an object in it is about the event: `rule: {id: …}`."""
    concepts: tuple[str, ...]


def _compile(patterns: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(rf"(?i)^(?:{pattern})$") for pattern in patterns)


_TIME_RANKS = _compile(_TIMES)
_HOST_RANKS = _compile(_HOSTS)
_SEVERITY_RANKS = _compile(_SEVERITIES)
_MESSAGE_RANKS = _compile(_MESSAGES)
_WORD_RANKS = _compile(_WORDS)
_IS_NAMING, _IS_SORTING, _IS_OWNER, _IS_NUMBERED, _OPENS_NAME = _compile(
    (
        NAMING_KEYS,
        SORTING_KEYS,
        _OWNER,
        _NUMBERED,
        rf"{NAMING_KEYS}|events|rule|alert|detection|finding|signature|incident|threat",
    )
)


@lru_cache(maxsize=1 << 16)
def describe_key(key: str) -> KeyRole:
    """Return what a field's name says; of a dotted name the last part counts."""
    last = key.rsplit(".", 1)[-1].strip()
    return KeyRole(
        time=_rank(_TIME_RANKS, last),
        host=_rank(_HOST_RANKS, last),
        severity=_rank(_SEVERITY_RANKS, last),
        message=_rank(_MESSAGE_RANKS, last),
        words=_rank(_WORD_RANKS, last),
        is_naming=bool(_IS_NAMING.match(last)),
        is_sorting=bool(_IS_SORTING.match(last)),
        is_owner=bool(_IS_OWNER.match(last)),
        is_numbered=bool(_IS_NUMBERED.match(last)),
        opens_name=bool(_OPENS_NAME.match(last)),
        concepts=_find_concepts(last),
    )


def _find_concepts(key: str) -> tuple[str, ...]:
    whole = {name for name, pattern in _CONCEPTS if pattern.match(key)}
    words = {word.lower() for word in _WORD_IN_KEY.findall(key)}
    return tuple(sorted(whole | {_CONCEPT_WORDS[word] for word in words & _CONCEPT_WORDS.keys()}))


def _rank(patterns: tuple[re.Pattern[str], ...], key: str) -> int | None:
    return next((rank for rank, pattern in enumerate(patterns) if pattern.match(key)), None)
