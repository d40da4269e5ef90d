"""Overrides over chDB: previews that come true, event types that reach later templates, undo."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ocsf_pipeline.adapters.clickhouse import ClickHouseTables
from ocsf_pipeline.classify.event_types import find_event_types
from ocsf_pipeline.events.rows import EVENT_SCHEMA
from ocsf_pipeline.schema.model import OcsfSchema
from ocsf_pipeline.steps.corrections import load_corrections
from ocsf_pipeline.steps.overrides import (
    OverrideError,
    OverrideRequest,
    apply_override,
    list_overrides,
    preview_override,
    read_latest_override,
    undo_override,
)
from ocsf_pipeline.tables.override_requests import resolve_activity, resolve_class
from ocsf_pipeline.tables.views import create_views_sql
from ocsf_pipeline_tests.contracts.event_tables import write
from ocsf_pipeline_tests.fakes.event_rows import (
    HOUR,
    make_decision,
    make_decisions,
    make_event,
    make_frame,
)
from ocsf_pipeline_tests.fakes.object_store import FakeObjectStore

NEXT = HOUR + timedelta(hours=1)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def viewed_tables(chdb_folder: Path, ocsf_schema: OcsfSchema) -> Iterator[ClickHouseTables]:
    with ClickHouseTables(f"chdb://{chdb_folder}", "overridden") as tables:
        tables.migrate_tables()
        tables.create_views(create_views_sql(ocsf_schema)[:8])
        yield tables


def describe(template_id: str, event_type: str, source: str = "Acme", **more: Any) -> Any:
    fields = json.dumps({"eventType": event_type, "user": "ana", "n": template_id})
    return make_decision(
        template_id, source=source, product=source, event_types=[event_type],
        sample_fields=fields, sample_raw=fields, format="json", **more,
    )  # fmt: skip


@pytest.fixture
def tables(viewed_tables: ClickHouseTables) -> ClickHouseTables:
    """Two hours of Acme: templates a1 and a2 of `door.open`, b of `door.close`."""
    for table in ("events", "quarantine", "batches", "hour_writes", "templates", "overrides"):
        viewed_tables.execute(f"TRUNCATE TABLE {table}")
    about = {"source": "Acme", "status": "review", "confidence": 0.3}
    rows = [make_event(n, template_id="a1", **about) for n in range(3)]
    rows += [make_event(n, template_id="b", **about) for n in range(3, 5)]
    write(viewed_tables, make_frame(EVENT_SCHEMA, rows))
    later = [make_event(n, NEXT, template_id="a2", **about) for n in range(4)]
    write(viewed_tables, make_frame(EVENT_SCHEMA, later), hour=NEXT)
    viewed_tables.upsert_templates(
        make_decisions(
            [describe("a1", "door.open"), describe("a2", "door.open"), describe("b", "door.close")]
        )
    )
    return viewed_tables


@pytest.fixture
def artefacts() -> FakeObjectStore:
    return FakeObjectStore()


def ask(scope: str, class_uid: int = 6003, **more: Any) -> OverrideRequest:
    return OverrideRequest(scope, class_uid, "ana", "it is", **more)  # type: ignore[arg-type]


def count_classes(tables: ClickHouseTables) -> dict[int, int]:
    rows = tables.run_query("SELECT class_uid, count() FROM current_events GROUP BY class_uid")
    return dict(rows.rows())


REQUESTS = {
    "event": (ask("event", event_uid="14-00001"), 1, 1),
    "template": (ask("template", template_id="a1"), 3, 1),
    "event type": (ask("event_type", source="acme", event_type="Door.Open"), 7, 2),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_preview_comes_true_at_once_and_undo_takes_it_back(
    tables: ClickHouseTables, artefacts: FakeObjectStore, ocsf_schema: OcsfSchema, name: str
) -> None:
    request, events, hours = REQUESTS[name]
    preview = preview_override(tables, ocsf_schema, request)
    assert (preview.changed_count, preview.hour_count) == (events, hours)
    assert preview.before == (("Authentication", "Logon", "review", events),)
    assert count_classes(tables) == {3002: 9}, "a preview writes nothing"

    applied = apply_override(tables, artefacts, ocsf_schema, request, NOON)
    assert count_classes(tables) == {3002: 9 - events, 6003: events}
    assert read_latest_override(artefacts) == (applied.override_id, NOON)
    again = preview_override(tables, ocsf_schema, request)
    assert (again.changed_count, again.unchanged_count) == (0, events)

    undo_override(tables, artefacts, applied.override_id, "bob", "no", NOON + timedelta(hours=1))
    assert count_classes(tables) == {3002: 9}
    listed = list_overrides(tables)
    assert listed["override_id"].to_list() == [applied.override_id]
    assert listed["undone_by"].item()
    with pytest.raises(OverrideError, match="undone already"):
        undo_override(tables, artefacts, applied.override_id, "bob")


def test_an_event_type_reaches_templates_that_are_met_later(
    tables: ClickHouseTables, artefacts: FakeObjectStore, ocsf_schema: OcsfSchema
) -> None:
    apply_override(tables, artefacts, ocsf_schema, REQUESTS["event type"][0], NOON)
    hour = HOUR + timedelta(hours=2)
    new = [make_event(n, hour, template_id="a3", source="Acme") for n in range(2)]
    other = [make_event(n, hour, template_id="x", source="Bolt") for n in range(2, 4)]
    write(tables, make_frame(EVENT_SCHEMA, [*new, *other]), hour=hour)
    tables.upsert_templates(
        make_decisions([describe("a3", "door.open"), describe("x", "door.open", source="Bolt")])
    )
    assert count_classes(tables) == {6003: 9, 3002: 4}


def test_the_more_particular_override_counts_and_the_preview_says_so(
    tables: ClickHouseTables, artefacts: FakeObjectStore, ocsf_schema: OcsfSchema
) -> None:
    for number, (request, class_uid) in enumerate(
        [
            (ask("event", 4001, event_uid="14-00000"), 4001),
            (ask("template", 6001, template_id="a1"), 6001),
        ]
    ):
        del class_uid
        apply_override(tables, artefacts, ocsf_schema, request, NOON + timedelta(minutes=number))
    wide = REQUESTS["event type"][0]
    preview = preview_override(tables, ocsf_schema, wide)
    assert (preview.changed_count, preview.unchanged_count) == (4, 3)
    apply_override(tables, artefacts, ocsf_schema, wide, NOON + timedelta(hours=1))
    assert count_classes(tables) == {4001: 1, 6001: 2, 6003: 4, 3002: 2}


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (ask("event", event_uid="nowhere"), "no event 'nowhere'"),
        (ask("template", template_id="nowhere"), "no template 'nowhere'"),
        (ask("event_type", source="Nobody", event_type="x"), "source_health"),
        (ask("event_type", source="Acme", event_type="door.burn"), "it has: door.close, door.open"),
        (ask("template", 1234, template_id="a1"), "no class 1234"),
        (ask("template", template_id="a1", activity_id=77), "no activity '77'"),
        (OverrideRequest("template", 3002, " ", "why", template_id="a1"), "needs 'author'"),
        (OverrideRequest("template", 3002, "ana", "", template_id="a1"), "needs 'reason'"),
    ],
)
def test_what_cannot_be_overridden_says_why(
    tables: ClickHouseTables, ocsf_schema: OcsfSchema, request_: OverrideRequest, message: str
) -> None:
    with pytest.raises(OverrideError, match=message):
        preview_override(tables, ocsf_schema, request_)


def test_text_from_people_never_becomes_sql(
    tables: ClickHouseTables, artefacts: FakeObjectStore, ocsf_schema: OcsfSchema
) -> None:
    nasty = "x'); DROP TABLE events; --\\ {a:String}"
    request = OverrideRequest("template", 6003, nasty, nasty, template_id="a1")
    apply_override(tables, artefacts, ocsf_schema, request, NOON)
    assert list_overrides(tables)["reason"].to_list() == [nasty]
    for scope in ("event", "template"):
        named = {"event_uid": nasty, "template_id": nasty}
        with pytest.raises(OverrideError, match="there is no"):
            preview_override(tables, ocsf_schema, ask(scope, **named))


def test_overrides_in_force_become_examples(
    tables: ClickHouseTables, artefacts: FakeObjectStore, ocsf_schema: OcsfSchema
) -> None:
    assert load_corrections(tables).examples == ()
    for minute, name in enumerate(("event", "event type")):
        moment = NOON + timedelta(minutes=minute)
        apply_override(tables, artefacts, ocsf_schema, REQUESTS[name][0], moment)
    learned = load_corrections(tables)
    assert {item.class_uid for item in learned.examples} == {6003}
    assert {item.origin for item in learned.examples} == {"override"}
    assert sorted(item.event_name for item in learned.examples) == [
        "door.open", "door.open", "override",
    ]  # fmt: skip
    assert all(item.query for item in learned.examples)
    assert {item.product for item in learned.examples} == {"Acme"}
    for override_id in list_overrides(tables)["override_id"]:
        undo_override(tables, artefacts, override_id, "ana", now=NOON + timedelta(hours=2))
    assert load_corrections(tables).examples == ()


def test_classes_and_activities_are_named_as_people_do(ocsf_schema: OcsfSchema) -> None:
    for text in ("3002", "authentication", "Authentication", " AUTHENTICATION "):
        assert resolve_class(ocsf_schema, text).uid == 3002
    assert resolve_class(ocsf_schema, "network activity").uid == 4001
    authentication = resolve_class(ocsf_schema, "3002")
    assert resolve_activity(authentication, "logon") == resolve_activity(authentication, "1") == 1
    with pytest.raises(OverrideError, match="did you mean authentication"):
        resolve_class(ocsf_schema, "authentification")
    with pytest.raises(OverrideError, match="Logon"):
        resolve_activity(authentication, "sign on")


def test_event_types_are_the_names_of_the_event() -> None:
    fields = {"eventType": "user.session.start", "actor": {"type": "User", "id": "7"}, "n": 1}
    assert find_event_types(json.dumps(fields), "")[:1] == ["user.session.start"]
    assert find_event_types("", "Failed password for ana") == []
    assert find_event_types(json.dumps({"action": "x" * 500}), "") == []
