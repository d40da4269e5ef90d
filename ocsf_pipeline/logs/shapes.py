"""The shape of a log: its text without its values, made for every log by Polars expressions.

Two logs of one shape have one template; `templates` says which. A shape may still vary with field
order, optional fields and array lengths, a template does not. Belongs here: the expressions and
the names of discriminating keys. Does not belong here: the identity of templates.

A shape is text of four parts, separated by SHAPE_SEPARATOR: the format (or `text`), then

- of structured logs: the keys in their order, with the values of discriminating ones and the
  brackets that a key opens; then what the log says in words, where its keys name no event;
- of text: the program, the message code, the words without what varies.
"""

from __future__ import annotations

import polars as pl

from ocsf_pipeline.logs.frames import compute_where
from ocsf_pipeline.logs.jsontext import strip_control, strip_control_column

# Keys that name what happened. A telling value of one of these decides the template.
NAMING_KEYS = (
    r"event[_\-]?(?:type|name|id|code|action|kind|class|subtype|simplename|category|operation|key|uid)"
    r"|eventtypename|event|action(?:s|_?type|_?name|_?id)?|act|activity(?:_?(?:type|name|id|code))?"
    r"|activitydisplayname|operations?(?:_?(?:name|type))?|operationname(?:value)?|op|verb|atype|syscall|function_?name|changetype|_path"
    r"|(?:log|record|message|msg|alert|audit|activity|finding|detection|incident|notification|threat"
    r"|query|violation|change|job|task|attack|scan|rule|session|trigger|object)_?type|event_?type_?id|event_?sub_?id"
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
    r"|product_?name|device_?product|path_?type|program|schema_?name|sourcetype|source_?type"
    r"|policy_?type|detection_?source|data_?source|component|subsystem|stream|namespace_?type|tablename"
)
# Objects whose own `name`, `id` … name the event: `"event_type":{".tag":"login_success"}`.
NAMING_OBJECTS = rf"(?:{NAMING_KEYS}|events|rule|alert|detection|finding|signature|incident|threat)"
# The first of these that any such object has: a name says more than a type.
_NESTED_NAMES = (r"(?:name|\.tag|value|title)", r"(?:id|code)", r"(?:type|action)")

# Values with more digits than a code has are ids, times or addresses: they name nothing.
_NAME = r'"[^"\\0-9@<>]*(?:[0-9][0-9]?[0-9]?[0-9]?[0-9]?[^"\\0-9@<>]+){0,3}[0-9]{0,5}"'
_SORT = r'"[^"\\0-9@<>/]*(?:[0-9][0-9]?[^"\\0-9@<>/]*)?"'
_NUMBER = r"-?[0-9]{1,6}[,}\]]"
_KEY_START = r'"(?i:(?:[a-z0-9_@\-]+\.)*(?:'
_TOKEN = (
    rf"{_KEY_START}{NAMING_KEYS}))\":(?:{_NAME}|{_NUMBER})"
    rf"|{_KEY_START}{SORTING_KEYS}))\":(?:{_SORT}|{_NUMBER})"
    r'|"[^"\\]+":[\[{]*'
)
_NO_NESTED_BRACKETS = r"(?:[^{}\[\]]|\[[^\[\]]*\]|\{[^{}]*\})*?"
_NESTED = (
    rf'"(?i:{NAMING_OBJECTS})":\[?\{{(?:{_NO_NESTED_BRACKETS},)?'
    rf'"(?i:KEY)":(?:{_NAME}|[0-9]{{1,6}}[,}}])'
)
MESSAGE_CODE = r"%[A-Z][A-Z0-9_]*(?:-[A-Z0-9_]+)*-[0-9]-[A-Z0-9_]+|%[A-Z]+-[0-9]-[0-9]{6}"
MAX_TOKENS = 400
_MAX_TEXT = 400
_MASKED = (
    # Of a quotation its first word stays where it is in capitals: a method, a statement.
    r'"[^" ]*[^"A-Z ][^"]*"| [^" ]+ HTTP/[0-9.]+"|\'[^\']*\''
    r"|[^ \t\r\n=,;()\[\]{}<>|\"'0-9]*[0-9][^ \t\r\n,;()\[\]{}<>|\"'=]*"
)
# In rows of cells a quoted cell is no quotation: what holds no digit may say what happened.
_MASKED_CELL = r"[^,\"]*[0-9@][^,\"]*"
_CELLS = r'^(?:"[^"]*"|[^," ]*)(?:,(?:"[^"]*"|[^,"]*)){4}'
MASK = "*"
SHAPE_SEPARATOR = "\x1f"
NAME_SEPARATOR = "\x1e"


def build_structured_shapes(fields: pl.Expr, format_name: pl.Expr) -> pl.Expr:
    """Return the shape of structured logs: their keys and the values of discriminating keys."""
    tokens = fields.str.extract_all(_TOKEN).list.head(MAX_TOKENS).list.join(",")
    return pl.concat_str(format_name, tokens, pl.lit(""), pl.lit(""), separator=SHAPE_SEPARATOR)


def extract_nested_names(fields: pl.Series) -> pl.Series:
    """Return what objects that are about the event call it: `"rule":{"id":"5710"}` gives rule=5710.

    Several are separated by NAME_SEPARATOR, in the order in which they stand; null where none is.
    """
    found = fields.clear(len(fields)).cast(pl.String)
    for keys in _NESTED_NAMES:
        found = found.fill_null(_extract_nested(fields, found.is_null(), keys))
    return found


def _extract_nested(fields: pl.Series, where: pl.Series, keys: str) -> pl.Series:
    element = pl.element()
    parent = element.str.extract(r'^"([^"]+)"')
    value = element.str.extract(r'[:"]([^:"]*)["},]$')
    names = pl.col("fields").str.extract_all(_NESTED.replace("KEY", keys))
    joined = names.list.eval(pl.concat_str(parent, pl.lit("="), value)).list.join(NAME_SEPARATOR)
    present = pl.when(names.list.len() > 0).then(joined)
    return compute_where(fields.to_frame("fields"), where, present)


def mask_words(words: pl.Expr) -> pl.Expr:
    """Return what the words of structured logs add to their shape."""
    return strip_control(words.str.head(_MAX_TEXT)).str.replace_all(_MASKED, MASK).fill_null("")


def refine_shapes(shape: pl.Expr, nested: pl.Expr, masked: pl.Expr) -> pl.Expr:
    """Add to the shape of structured logs what the keys do not say: nested name, masked words."""
    return pl.concat_str(
        shape.str.strip_suffix(SHAPE_SEPARATOR), nested, pl.lit(SHAPE_SEPARATOR), masked
    )


def build_text_shapes(frame: pl.DataFrame) -> pl.Series:
    """Return the shape of free text (columns `_words`, `program`): its words without what varies.

    Quotes and all that holds a digit are masked; text with a message code needs no words.
    """
    coded = frame.select(
        "program",
        pl.col("_words").str.head(_MAX_TEXT),
        pl.col("_words").str.extract(f"({MESSAGE_CODE})").fill_null("").alias("code"),
    )
    has_cells = coded["_words"].str.contains(_CELLS) & (coded["code"] == "")
    plain = strip_control_column(coded["_words"]).to_frame("words")
    words = pl.col("words")
    is_other = ~has_cells & (coded["code"] == "")
    masked = compute_where(plain, is_other, words.str.replace_all(_MASKED, MASK)).fill_null("")
    if has_cells.any():
        cells = compute_where(plain, has_cells, words.str.replace_all(_MASKED_CELL, MASK))
        masked = cells.fill_null(masked)
    shape = pl.concat_str(
        pl.lit("text"),
        pl.col("program").fill_null(""),
        "code",
        pl.lit(masked),
        separator=SHAPE_SEPARATOR,
    )
    return coded.select(shape.alias("shape"))["shape"]
