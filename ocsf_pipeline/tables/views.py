"""The views that analysts query, generated from the OCSF schema.

Belongs here: SQL text of views, as a pure function of the schema. Does not belong here: tables
(`ddl/`), or running anything (`adapters.clickhouse`).

Every view shows events with overrides applied. An override of one event wins over one of its
template, and that over one of its product's event type; of two of the same kind the newer wins; an
undone one counts no more.
"""

from __future__ import annotations

import re

from ocsf_pipeline.events.rows import EVENT_SCHEMA, HOT_ATTRIBUTES
from ocsf_pipeline.schema.model import Attribute, EventClass, OcsfSchema
from ocsf_pipeline.tables.overrides import OVERRIDABLE_COLUMNS

COMMON_COLUMNS = (
    "event_uid",
    "time",
    "observed_time",
    "hour",
    "source",
    "host",
    "class_uid",
    "class_name",
    "category_uid",
    "category_name",
    "activity_id",
    "activity_name",
    "type_uid",
    "severity_id",
    "status_id",
    "confidence",
    "status",
    "template_id",
    "message",
)
"""Columns that every class view begins with."""

LAST_COLUMNS = ("candidates", "event", "raw_data", "object_key", "position")

_SELECT_ALL = "SELECT *, event"
"""`event` is put together when it is read; a star leaves such columns out."""

_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]{0,63}")
_TAKEN_NAMES = frozenset(
    {
        "events",
        "quarantine",
        "batches",
        "templates",
        "overrides",
        "hour_writes",
        "schema_migrations",
        "active_overrides",
        "current_events",
        "current_templates",
        "review_queue",
        "source_health",
        "unmapped_fields",
    }
)

# An override of an event type covers the templates that it named when it was made, and those that
# the product's events of that name have had since.
ACTIVE_OVERRIDES = f"""
WITH live AS
(
    SELECT *
    FROM overrides
    WHERE undoes = ''
        AND override_id NOT IN (SELECT undoes FROM overrides WHERE undoes != '')
)
SELECT kind, key, override_id, scope, created_at, author, reason, {", ".join(OVERRIDABLE_COLUMNS)}
FROM
(
    SELECT *, 'event' AS kind, event_uid AS key FROM live WHERE scope = 'event'
    UNION ALL
    SELECT *, 'template' AS kind, arrayJoin(template_ids) AS key FROM live WHERE scope != 'event'
    UNION ALL
    SELECT o.*, 'template' AS kind, t.template_id AS key
    FROM (SELECT * FROM live WHERE scope = 'event_type') AS o
    INNER JOIN
    (
        SELECT template_id, lower(source) AS product, lower(arrayJoin(event_types)) AS name
        FROM templates FINAL
        WHERE lower(source) IN (SELECT lower(source) FROM overrides WHERE scope = 'event_type')
    ) AS t ON lower(o.source) = t.product AND lower(o.event_type) = t.name
)
ORDER BY scope = 'event_type', created_at DESC, override_id DESC
LIMIT 1 BY kind, key
"""  # noqa: S608
"""One row per event or template that an override covers: the one that counts."""

_CURRENT_TEMPLATES = """
SELECT t.*, a.event_count AS event_count, a.review_count AS review_count,
    a.first_seen AS first_seen, a.last_seen AS last_seen
FROM (SELECT * FROM templates FINAL) AS t
LEFT ANY JOIN
(
    SELECT template_id, count() AS event_count, countIf(status = 'review') AS review_count,
        min(time) AS first_seen, max(time) AS last_seen
    FROM events
    GROUP BY template_id
) AS a ON t.template_id = a.template_id
"""

# Uncertainty times the logarithm of the volume: a doubtful template with a million events goes
# before a slightly more doubtful one with ten.
_REVIEW_QUEUE = """
SELECT r.template_id AS template_id, r.source AS source, r.class_uid AS class_uid,
    r.class_name AS class_name, r.confidence AS confidence, r.event_count AS event_count,
    round((1 - r.confidence) * log2(1 + r.event_count), 4) AS priority,
    r.first_seen AS first_seen, r.last_seen AS last_seen, r.candidates AS candidates,
    t.evidence AS evidence, if(t.sample_raw != '', t.sample_raw, r.sample_raw) AS sample_raw
FROM
(
    SELECT template_id, any(source) AS source, any(class_uid) AS class_uid,
        any(class_name) AS class_name, min(confidence) AS confidence, count() AS event_count,
        min(time) AS first_seen, max(time) AS last_seen, any(candidates) AS candidates,
        any(raw_data) AS sample_raw
    FROM current_events
    WHERE status = 'review'
    GROUP BY template_id
) AS r
LEFT ANY JOIN (SELECT template_id, evidence, sample_raw FROM templates FINAL) AS t
    ON r.template_id = t.template_id
ORDER BY priority DESC, template_id
"""

# Overrides applied, so that what an analyst has settled is no longer shown as waiting. A template
# is new when its first log arrived in the last day that there are logs of at all.
_SOURCE_HEALTH = """
SELECT h.source AS source, h.event_count AS event_count, h.hour_count AS hour_count,
    h.events_per_hour AS events_per_hour, h.template_count AS template_count,
    t.new_template_count AS new_template_count, h.class_count AS class_count,
    h.review_share AS review_share, h.overridden_share AS overridden_share,
    h.mean_confidence AS mean_confidence, h.without_time_count AS without_time_count,
    h.late_count AS late_count, h.most_late_hours AS most_late_hours,
    h.silent_hours AS silent_hours, h.first_seen AS first_seen, h.last_seen AS last_seen
FROM
(
    SELECT source, count() AS event_count, uniqExact(hour) AS hour_count,
        round(count() / uniqExact(hour), 1) AS events_per_hour,
        uniqExact(template_id) AS template_count, uniqExact(class_uid) AS class_count,
        round(countIf(status = 'review') / count(), 4) AS review_share,
        round(countIf(status = 'overridden') / count(), 4) AS overridden_share,
        round(avg(confidence), 4) AS mean_confidence,
        countIf(time_is_observed) AS without_time_count,
        countIf(time < hour - INTERVAL 1 HOUR) AS late_count,
        round(greatest(0, max(dateDiff('second', time, hour))) / 3600, 1) AS most_late_hours,
        dateDiff('hour', max(hour), (SELECT max(hour) FROM events)) AS silent_hours,
        min(time) AS first_seen, max(time) AS last_seen
    FROM current_events
    GROUP BY source
) AS h
LEFT ANY JOIN
(
    SELECT source,
        countIf(first_hour > (SELECT max(hour) FROM events) - INTERVAL 1 DAY) AS new_template_count
    FROM (SELECT source, template_id, min(hour) AS first_hour FROM events GROUP BY ALL)
    GROUP BY source
) AS t ON h.source = t.source
ORDER BY event_count DESC, source
"""

_UNMAPPED_FIELDS = """
SELECT source, class_uid, class_name, field, count() AS event_count,
    any(JSONExtractRaw(event, 'unmapped', field)) AS sample
FROM events
ARRAY JOIN JSONExtractKeys(event, 'unmapped') AS field
GROUP BY source, class_uid, class_name, field
ORDER BY event_count DESC, source, field
"""


def create_views_sql(schema: OcsfSchema) -> list[str]:
    """Return the statements that create every view, in an order in which they can run.

    Each replaces the view of its name; run them with the pipeline's database as the default.
    """
    views = {
        "active_overrides": ACTIVE_OVERRIDES,
        "current_events": _select_current(f"{_SELECT_ALL} FROM events"),
        "current_templates": _CURRENT_TEMPLATES,
        "review_queue": _REVIEW_QUEUE,
        "source_health": _SOURCE_HEALTH,
        "unmapped_fields": _UNMAPPED_FIELDS,
    }
    for name, event_class in name_class_views(schema).items():
        views[name] = _select_class(event_class, schema)
    return [f"CREATE OR REPLACE VIEW `{name}` AS {sql.strip()}" for name, sql in views.items()]


def select_current_events() -> str:
    """Return the SELECT behind `current_events`: for use where the views may not be made yet."""
    active = f"SELECT * FROM ({ACTIVE_OVERRIDES})"  # noqa: S608
    return _select_current(f"{_SELECT_ALL} FROM events", active)


def name_class_views(schema: OcsfSchema) -> dict[str, EventClass]:
    """Return the live classes by the name of their view, which is the class's own name.

    Of two classes with one name, the extension's view carries the extension as a prefix.
    """
    views: dict[str, EventClass] = {}
    for event_class in schema.live_classes:
        extension, _slash, name = event_class.key.rpartition("/")
        if name in views or name in _TAKEN_NAMES:
            name = f"{extension or 'class'}_{name}"
        if not _IDENTIFIER.fullmatch(name) or name in views:
            raise ValueError(f"class {event_class.key!r} of OCSF {schema.version} names no view")
        views[name] = event_class
    return views


def list_hot_columns(event_class: EventClass) -> list[str]:
    """Return the hot columns of `events` that the class can fill: it has the attribute's root."""
    return [
        column
        for column, (paths, _dtype) in HOT_ATTRIBUTES.items()
        if any(path.partition(".")[0] in event_class.attributes for path in paths.split("|"))
    ]


def list_own_attributes(event_class: EventClass) -> list[Attribute]:
    """Return the class's further attributes worth a column, in the schema's order.

    Those are the required, the recommended and the primary ones that are no columns of `events`.
    """
    return [
        attribute
        for name, attribute in event_class.attributes.items()
        if name not in EVENT_SCHEMA
        and _IDENTIFIER.fullmatch(name)
        and attribute.deprecation is None
        and (attribute.group == "primary" or attribute.requirement in ("required", "recommended"))
    ]


def _select_class(event_class: EventClass, schema: OcsfSchema) -> str:
    """The view of one class.

    Two branches rather than one condition, so that the first is answered from the primary key;
    the second finds what overrides moved here, by the skip indexes.
    """
    uid = event_class.uid
    moved = f"SELECT key FROM active_overrides WHERE kind = '{{kind}}' AND class_uid = {uid}"  # noqa: S608
    rows = (
        f"{_SELECT_ALL} FROM events WHERE class_uid = {uid} UNION ALL "
        f"{_SELECT_ALL} FROM events WHERE class_uid != {uid} AND ("
        f"template_id IN ({moved.format(kind='template')}) "
        f"OR event_uid IN ({moved.format(kind='event')}))"
    )
    columns = [*COMMON_COLUMNS, *list_hot_columns(event_class)]
    extracts = [
        f"{_extract_attribute(attribute, schema)} AS `{attribute.name}`"
        for attribute in list_own_attributes(event_class)
    ]
    selected = ", ".join([*(f"`{name}`" for name in columns), *extracts, *LAST_COLUMNS])
    return f"SELECT {selected} FROM ({_select_current(rows)}) WHERE class_uid = {uid}"  # noqa: S608


def _select_current(rows: str, active: str = "SELECT * FROM active_overrides") -> str:
    """`rows`, a SELECT of all columns of events, with the overrides of `active` applied."""
    columns = ", ".join(_current_column(name) for name in EVENT_SCHEMA)
    by_kind = active + " WHERE kind = '{kind}'"
    return (
        f"SELECT {columns} FROM ({rows}) AS e "  # noqa: S608
        f"LEFT ANY JOIN ({by_kind.format(kind='event')}) AS oe ON e.event_uid = oe.key "
        f"LEFT ANY JOIN ({by_kind.format(kind='template')}) AS ot ON e.template_id = ot.key"
    )


def _current_column(name: str) -> str:
    by_event, by_template = "oe.override_id != ''", "ot.override_id != ''"
    if name in OVERRIDABLE_COLUMNS:
        return f"multiIf({by_event}, oe.{name}, {by_template}, ot.{name}, e.{name}) AS {name}"
    if name == "status":
        return f"if({by_event} OR {by_template}, 'overridden', e.status) AS status"
    if name == "confidence":
        return f"if({by_event} OR {by_template}, toFloat32(1), e.confidence) AS confidence"
    return f"e.{name} AS {name}"


def _extract_attribute(attribute: Attribute, schema: OcsfSchema) -> str:
    """The expression that reads a top-level attribute out of the event's JSON."""
    name = attribute.name
    base_type = schema.resolve_base_type(attribute.type)
    if attribute.is_array:
        if base_type == "string_t":
            return f"JSONExtract(event, '{name}', 'Array(String)')"
        return f"JSONExtractRaw(event, '{name}')"
    if attribute.type == "timestamp_t":
        # OCSF's timestamps are milliseconds.
        return f"fromUnixTimestamp64Milli(JSONExtract(event, '{name}', 'Nullable(Int64)'), 'UTC')"
    scalars = {
        "string_t": f"JSONExtractString(event, '{name}')",
        "integer_t": f"JSONExtract(event, '{name}', 'Nullable(Int64)')",
        "long_t": f"JSONExtract(event, '{name}', 'Nullable(Int64)')",
        "float_t": f"JSONExtract(event, '{name}', 'Nullable(Float64)')",
        "boolean_t": f"JSONExtract(event, '{name}', 'Nullable(Bool)')",
    }
    return scalars.get(base_type, f"JSONExtractRaw(event, '{name}')")
