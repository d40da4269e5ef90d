"""The shape of a log: its text without its values, made for every log by Polars expressions.

Two logs of one shape have one template; `templates` says which. A shape may still vary with field
order, optional fields and array lengths, a template does not. Belongs here: the expressions and
the names of discriminating keys. Does not belong here: the identity of templates.
"""

from __future__ import annotations

import polars as pl

from ocsf_pipeline.logs.jsontext import strip_control

# Keys that name what happened. A telling value of one of these decides the template.
NAMING_KEYS = (
    r"event[_\-]?(?:type|name|id|code|action|kind|class|subtype|simplename|category|operation|key|uid)"
    r"|eventtypename|event|action(?:s|_?type|_?name|_?id)?|act|activity(?:_?(?:type|name|id|code))?"
    r"|activitydisplayname|operation(?:_?(?:name|type))?|operationname(?:value)?|op|verb"
    r"|(?:log|record|message|msg|alert|audit|activity|finding|detection|incident|notification|threat"
    r"|query|violation|change|job|task|attack|scan|rule|session|trigger|object)_?type"
    r"|(?:log|alert|threat|attack|event)_?sub_?type|sub_?type|log_?sub_?type|alert_?name|category_?name"
    r"|deviceeventclassid|devicecustomeventid|msgid|message_?id|mnemonic|code|event_simplename"
    r"|method_?name|request_?type|requestmethodname|api_?(?:name|call|method)|command_?name|cmd|kind"
    r"|rule_?(?:group|category)s?|nodetype|recordtype|tag_?name|signature_?category|facility_?name"
)
# Keys that say whose log it is, or of what sort; they split templates but name no event.
SORTING_KEYS = (
    r"type|_type|category|categories|sub_?category|cat|class|class_?name|group|channel|provider"
    r"|provider_?name|service|service_?name|source_?name|sourcename|event_?source|eventsource"
    r"|event_?provider|event_?module|event_?dataset|dataset|module|workload|log_?name|logname|logger"
    r"|log_?source|resource|resource_?type|subresource|object_?(?:kind|class)|target_?type"
    r"|entity_?type|app_?proto|application_?protocol|vendor|vendor_?name|device_?vendor|product"
    r"|product_?name|device_?product|_path|path_?type|program|schema_?name|sourcetype|source_?type"
    r"|policy_?type|detection_?source|data_?source|component|subsystem|stream|namespace_?type"
)
_STRING = r'"[^"\\0-9]{0,60}(?:[0-9]{1,5}[^"\\0-9]{1,40}){0,3}[0-9]{0,5}"'
_NUMBER = r"-?\d{1,6}(?:[,}\]])"
_KEY_START = r'"(?i:(?:[a-z0-9_@\-]+\.)*(?:'
_NAMING_PAIR = rf"{_KEY_START}{NAMING_KEYS}))\":(?:{_STRING}|{_NUMBER})"
_DISCRIMINATING_PAIR = rf"{_KEY_START}{NAMING_KEYS}|{SORTING_KEYS}))\":(?:{_STRING}|{_NUMBER})"
_ANY_KEY = r'"[^"\\]+":'
_JSON_TOKEN = f"{_DISCRIMINATING_PAIR}|{_ANY_KEY}"

_MESSAGE_CODE = r"%[A-Z][A-Z0-9_]*(?:-[A-Z0-9_]+)*-\d-[A-Z0-9_]+|%[A-Z]+-\d-\d{6}"
_MESSAGE_VALUE = r'"(?i:message|msg|log|text)":"((?:[^"\\]|\\.)*)"'
_MAX_TEXT = 400
_MASKED = (
    r'"[^"]*"|\'[^\']*\''
    r"|[^ \t\r\n=,;()\[\]{}<>|\"'0-9]*[0-9][^ \t\r\n,;()\[\]{}<>|\"'=]*"
)
MASK = "*"
SHAPE_SEPARATOR = "\x1f"


def build_text_shapes(body: pl.Expr, program: pl.Expr) -> pl.Expr:
    """Return the shape of free text: its words, with quotes and all that holds a digit masked.

    A shape has four parts: kind, program or tokens, message code, masked text.
    """
    return _join_parts(pl.lit("text"), program.fill_null(""), body)


def build_structured_shapes(fields: pl.Expr, format_name: pl.Expr) -> pl.Expr:
    """Return the shape of structured logs: their keys and the values of discriminating keys."""
    tokens = fields.str.extract_all(_JSON_TOKEN).list.join("")
    return _join_parts(format_name, tokens, pl.lit(""))


def build_unnamed_shapes(fields: pl.Expr, format_name: pl.Expr) -> pl.Expr:
    """Return the shape of structured logs that name no event: their message may say it."""
    tokens = fields.str.extract_all(_JSON_TOKEN).list.join("")
    return _join_parts(format_name, tokens, fields.str.extract(_MESSAGE_VALUE).fill_null(""))


def names_event(shape: pl.Expr) -> pl.Expr:
    """Whether a structured shape holds a pair that names the event."""
    return shape.str.contains(_NAMING_PAIR)


def _join_parts(kind: pl.Expr, name: pl.Expr, text: pl.Expr) -> pl.Expr:
    head = text.str.slice(0, _MAX_TEXT)
    masked = strip_control(head).str.replace_all(_MASKED, MASK)
    code = head.str.extract(f"({_MESSAGE_CODE})").fill_null("")
    return pl.concat_str(kind, name, code, masked, separator=SHAPE_SEPARATOR)
