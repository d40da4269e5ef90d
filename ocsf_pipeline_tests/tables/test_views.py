"""The views over chDB: all of them can be queried, and overrides show in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from ocsf_pipeline.adapters.clickhouse import ClickHouseTables
from ocsf_pipeline.events.rows import EVENT_SCHEMA
from ocsf_pipeline.schema.model import OcsfSchema
from ocsf_pipeline.tables.views import (
    create_views_sql,
    list_hot_columns,
    list_own_attributes,
    name_class_views,
)
from ocsf_pipeline_tests.contracts.event_tables import write
from ocsf_pipeline_tests.fakes.event_rows import (
    HOUR,
    make_batches,
    make_decision,
    make_decisions,
    make_event,
    make_frame,
    make_override,
    make_quarantine,
)

QUERIES = Path(__file__).resolve().parents[2] / "docs" / "queries.md"


@pytest.fixture(scope="module")
def viewed_tables(chdb_folder: Path, ocsf_schema: OcsfSchema) -> Iterator[ClickHouseTables]:
    """Made once, since creating every view takes a second."""
    with ClickHouseTables(f"chdb://{chdb_folder}", "viewed") as tables:
        tables.migrate_tables()
        tables.create_views(create_views_sql(ocsf_schema))
        yield tables


@pytest.fixture
def tables(viewed_tables: ClickHouseTables) -> ClickHouseTables:
    """Six events in three classes, one of them for review, one template, all views."""
    for table in ("events", "quarantine", "batches", "hour_writes", "templates", "overrides"):
        viewed_tables.execute(f"TRUNCATE TABLE {table}")
    logon = {
        "class_uid": 3002,
        "is_mfa": True,
        "logon_type_id": 3,
        "auth_protocol": "Kerberos",
        "user": {"name": "user0", "uid": "7"},
        "unmapped": {"tty": "pts/0", "pam": 1},
    }
    rows = [
        *(make_event(n, event=logon, status_id=2) for n in range(3)),
        *(make_event(n, class_uid=4001) for n in range(3, 5)),
        make_event(5, class_uid=6003, status="review", confidence=0.3, template_id="doubt"),
    ]
    with viewed_tables.replace_hour(HOUR, "run-1") as writer:
        writer.write_rows("events", make_frame(EVENT_SCHEMA, rows))
        writer.write_rows("quarantine", make_quarantine([b"\xff\xfe"]))
        writer.write_rows("batches", make_batches(7, quarantined=1))
        writer.commit()
    doubtful = make_decision("doubt", confidence=0.3, event_types=["door.open"])
    viewed_tables.upsert_templates(make_decisions([doubtful]))
    return viewed_tables


def uids(tables: ClickHouseTables, view: str, column: str = "event_uid") -> list[object]:
    return tables.run_query(f"SELECT {column} FROM {view} ORDER BY 1").to_series().to_list()


def test_every_live_class_has_a_view(ocsf_schema: OcsfSchema) -> None:
    views = name_class_views(ocsf_schema)
    assert {item.uid for item in views.values()} == {item.uid for item in ocsf_schema.live_classes}
    assert views["authentication"].uid == 3002
    assert "windows_service_activity" in views
    assert all(re.fullmatch(r"[a-z_0-9]+", name) for name in views)


def test_a_class_view_has_the_columns_of_its_class(ocsf_schema: OcsfSchema) -> None:
    by_name = name_class_views(ocsf_schema)
    assert "query_hostname" in list_hot_columns(by_name["dns_activity"])
    assert "query_hostname" not in list_hot_columns(by_name["authentication"])
    own = {attribute.name for attribute in list_own_attributes(by_name["authentication"])}
    assert {"user", "auth_protocol", "logon_type_id"} <= own
    assert not own & set(EVENT_SCHEMA)


def test_every_view_can_be_queried_and_replaced(
    tables: ClickHouseTables, ocsf_schema: OcsfSchema
) -> None:
    statements = create_views_sql(ocsf_schema)
    tables.create_views(statements[:8])
    for statement in statements:
        name = statement.split("`")[1]
        assert tables.run_query(f"SELECT * FROM `{name}` LIMIT 1").width > 3, name


def test_a_class_view_shows_its_class_with_typed_attributes(tables: ClickHouseTables) -> None:
    found = tables.run_query(
        "SELECT event_uid, is_mfa, logon_type_id, auth_protocol, user FROM authentication "
        "ORDER BY event_uid LIMIT 1"
    )
    row = found.row(0, named=True)
    assert row["event_uid"] == "14-00000"
    assert (row["is_mfa"], row["logon_type_id"], row["auth_protocol"]) == (1, 3, "Kerberos")
    assert '"uid":"7"' in row["user"]
    assert uids(tables, "network_activity") == ["14-00003", "14-00004"]
    assert uids(tables, "dns_activity") == []


def test_a_template_override_moves_its_events_at_once(tables: ClickHouseTables) -> None:
    tables.append_overrides(make_override("o1", template_ids=["t3002", "unknown"]))
    assert uids(tables, "authentication") == []
    assert len(uids(tables, "network_activity")) == 5
    row = tables.run_query(
        "SELECT class_uid, class_name, activity_id, type_uid, status, confidence, category_uid "
        "FROM network_activity WHERE event_uid = '14-00000'"
    ).row(0)
    assert row == (4001, "Network Activity", 6, 400106, "overridden", 1.0, 4)
    machine = tables.run_query("SELECT DISTINCT status FROM events WHERE class_uid = 3002")
    assert machine.to_series().to_list() == ["accepted"], "machine decisions are never edited"


def test_an_event_override_wins_over_its_template(tables: ClickHouseTables) -> None:
    tables.append_overrides(make_override("o1", minute=1, template_ids=["t3002"]))
    event = make_override(
        "o2", scope="event", event_uid="14-00001", class_uid=6003, class_name="API Activity"
    )
    tables.append_overrides(event)
    assert uids(tables, "api_activity") == ["14-00001", "14-00005"]
    assert "14-00001" not in uids(tables, "network_activity")


def test_the_newer_override_wins_and_an_undo_brings_back(tables: ClickHouseTables) -> None:
    tables.append_overrides(make_override("o1", template_ids=["t3002"]))
    newer = make_override("o2", minute=5, template_ids=["t3002"], class_uid=6003)
    tables.append_overrides(newer)
    assert len(uids(tables, "api_activity")) == 4
    tables.append_overrides(make_override("o3", minute=6, undoes="o2"))
    assert len(uids(tables, "network_activity")) == 5, "the older override counts again"
    tables.append_overrides(make_override("o4", minute=7, undoes="o1"))
    assert uids(tables, "authentication") == ["14-00000", "14-00001", "14-00002"]
    assert len(uids(tables, "overrides", "override_id")) == 4


def test_an_override_of_only_the_activity_keeps_the_class(tables: ClickHouseTables) -> None:
    same = {"class_uid": 3002, "class_name": "Authentication", "activity_id": 2}
    tables.append_overrides(make_override("o1", template_ids=["t3002"], **same))
    assert uids(tables, "authentication", "activity_id") == [2, 2, 2]


def test_the_review_queue_orders_by_doubt_and_volume(tables: ClickHouseTables) -> None:
    hour = HOUR.replace(hour=15)
    doubtful = {"status": "review", "class_uid": 4001}
    few = [make_event(n, hour, template_id="few", confidence=0.1, **doubtful) for n in range(2)]
    many = [make_event(n, hour, template_id="many", confidence=0.4, **doubtful) for n in range(90)]
    write(tables, make_frame(EVENT_SCHEMA, [*few, *many]), hour=hour)
    assert tables.run_query("SELECT template_id FROM review_queue").to_series().to_list() == [
        "many",
        "few",
        "doubt",
    ]
    row = tables.run_query("SELECT * FROM review_queue WHERE template_id = 'doubt'").row(
        0, named=True
    )
    assert row["sample_raw"] == "Accepted publickey"
    assert row["event_count"] == 1
    tables.append_overrides(make_override("o1", template_ids=["many"]))
    assert "many" not in uids(tables, "review_queue", "template_id")


def test_templates_count_their_events(tables: ClickHouseTables) -> None:
    row = tables.run_query("SELECT * FROM current_templates").row(0, named=True)
    assert (row["template_id"], row["event_count"], row["review_count"]) == ("doubt", 1, 1)
    assert row["first_seen"] == row["last_seen"] != None  # noqa: E711


def test_the_health_of_each_product_is_told(tables: ClickHouseTables) -> None:
    later = HOUR + timedelta(days=2)
    rows = [
        make_event(0, later, source="OpenSSH", template_id="new", time=later - timedelta(hours=5)),
        make_event(1, later, source="OpenSSH", template_id="t3002"),
        make_event(2, later, source="Bolt", template_id="b", time_is_observed=True),
    ]
    write(tables, make_frame(EVENT_SCHEMA, rows), hour=later)
    health = {
        row["source"]: row
        for row in tables.run_query("SELECT * FROM source_health").iter_rows(named=True)
    }
    ssh, bolt = health["OpenSSH"], health["Bolt"]
    assert (ssh["event_count"], ssh["hour_count"], ssh["events_per_hour"]) == (8, 2, 4.0)
    assert (ssh["template_count"], ssh["new_template_count"]) == (4, 1)
    assert (ssh["late_count"], ssh["most_late_hours"]) == (1, 5.0)
    assert (ssh["review_share"], ssh["silent_hours"]) == (0.125, 0)
    assert (bolt["new_template_count"], bolt["without_time_count"]) == (1, 1)
    tables.append_overrides(make_override("o1", template_ids=["doubt"]))
    after = tables.run_query(
        "SELECT review_share, overridden_share FROM source_health WHERE source = 'OpenSSH'"
    )
    assert after.row(0) == (0.0, 0.125)


def test_unmapped_fields_are_counted(tables: ClickHouseTables) -> None:
    found = tables.run_query(
        "SELECT field, event_count, sample FROM unmapped_fields WHERE class_uid = 3002 ORDER BY 1"
    )
    assert found.rows() == [("pam", 3, "1"), ("tty", 3, '"pts/0"')]


def test_a_class_view_reads_only_what_it_must(tables: ClickHouseTables) -> None:
    plan = tables.run_query(
        "EXPLAIN indexes = 1 SELECT count() FROM authentication "
        "WHERE time >= '2026-03-01 14:00:00' AND hour = '2026-03-01 14:00:00'"
    ).to_series()
    text = "\n".join(plan.to_list())
    assert "class_uid in [3002, 3002]" in text
    assert "hour in [1772373600, 1772373600]" in text


def read_queries() -> list[tuple[str, str]]:
    text = QUERIES.read_text(encoding="utf-8")
    blocks = re.findall(r"([^\n]+)\n\n```sql\n(.*?)```", text, flags=re.DOTALL)
    return [(title, sql) for title, sql in blocks]


def test_the_documented_queries_run(tables: ClickHouseTables) -> None:
    queries = read_queries()
    assert len(queries) >= 12
    assert len(queries) == QUERIES.read_text(encoding="utf-8").count("```sql")
    empty = [title for title, sql in queries if tables.run_query(sql).is_empty()]
    may_be_empty = ("whole", "What analysts decided", "overrides in force")
    assert all(any(words in title for words in may_be_empty) for title in empty), empty
