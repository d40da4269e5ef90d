"""What every EventTables must do, whatever is behind it.

Belongs here: the suite; a test module subclasses it and gives a fixture `tables`, migrated and
empty. Does not belong here: what only one adapter promises.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest

from ocsf_pipeline.ports import EventTables, PermanentPortError
from ocsf_pipeline_tests.fakes.event_rows import (
    HOUR,
    make_batches,
    make_decision,
    make_decisions,
    make_events,
    make_override,
    make_quarantine,
)

NEXT_HOUR = HOUR + timedelta(hours=1)
NASTY = "x'; DROP TABLE events; --\\' {a:String} \x00 \t ` \" %s é 𝛑 $$"


def count(tables: EventTables, table: str) -> int:
    return int(tables.run_query(f"SELECT count(*) AS n FROM {table}").item())


def write(tables: EventTables, events: pl.DataFrame, run_id: str = "run-1", hour=HOUR) -> None:
    with tables.replace_hour(hour, run_id) as writer:
        writer.write_rows("events", events)
        writer.write_rows("batches", make_batches(len(events), hour))
        writer.commit()


class EventTablesContract:
    """The suite."""

    def test_is_an_event_tables(self, tables: EventTables) -> None:
        assert isinstance(tables, EventTables)

    def test_migrating_again_applies_nothing(self, tables: EventTables) -> None:
        assert tables.migrate_tables() == []

    def test_commit_reports_and_stores_every_table(self, tables: EventTables) -> None:
        with tables.replace_hour(HOUR, "run-1") as writer:
            writer.write_rows("events", make_events(3))
            writer.write_rows("events", make_events(0))
            writer.write_rows("quarantine", make_quarantine([b"\xff\x00\xfe", b""]))
            writer.write_rows("batches", make_batches(5, quarantined=2))
            assert dict(writer.commit()) == {"events": 3, "quarantine": 2, "batches": 1}
        assert count(tables, "events") == 3
        assert count(tables, "quarantine") == 2
        assert count(tables, "batches") == 1

    def test_values_come_back_as_written(self, tables: EventTables) -> None:
        events = make_events(2, status_id=None, src_port=65535, confidence=0.5)
        write(tables, events)
        found = tables.run_query(
            "SELECT event_uid, time, src_port, status_id, confidence, event, raw_data, url "
            "FROM events ORDER BY event_uid"
        )
        expected = events.select(
            "event_uid", "time", "src_port", "status_id", "confidence", "event", "raw_data"
        )
        for name in expected.columns:
            assert found[name].to_list() == expected[name].to_list(), name
        assert found["url"].to_list() == ["", ""], "text that is absent reads as ''"

    def test_the_same_hour_twice_is_the_same_rows_once(self, tables: EventTables) -> None:
        write(tables, make_events(4), "run-1")
        write(tables, make_events(4), "run-1")
        write(tables, make_events(4), "run-2")
        assert count(tables, "events") == 4
        assert count(tables, "batches") == 1

    def test_a_hour_replaces_only_itself(self, tables: EventTables) -> None:
        write(tables, make_events(4))
        write(tables, make_events(2, NEXT_HOUR), hour=NEXT_HOUR)
        write(tables, make_events(1))
        found = tables.run_query("SELECT event_uid FROM events ORDER BY event_uid")[
            "event_uid"
        ].to_list()
        assert found == ["14-00000", "15-00000", "15-00001"]

    def test_an_empty_hour_replaces_by_nothing(self, tables: EventTables) -> None:
        write(tables, make_events(4))
        with tables.replace_hour(HOUR, "run-2") as writer:
            assert dict(writer.commit()) == {"events": 0, "quarantine": 0, "batches": 0}
        assert count(tables, "events") == count(tables, "batches") == 0

    def test_nothing_is_visible_before_commit(self, tables: EventTables) -> None:
        write(tables, make_events(4))
        with tables.replace_hour(HOUR, "run-2") as writer:
            writer.write_rows("events", make_events(9))
            assert count(tables, "events") == 4
        assert count(tables, "events") == 4

    def test_an_exception_leaves_the_hour_as_it_was(self, tables: EventTables) -> None:
        write(tables, make_events(4))
        with pytest.raises(ZeroDivisionError), tables.replace_hour(HOUR, "run-2") as writer:
            writer.write_rows("events", make_events(9))
            raise ZeroDivisionError
        assert count(tables, "events") == 4
        write(tables, make_events(9), "run-3")
        assert count(tables, "events") == 9

    def test_of_two_runs_of_one_hour_the_later_begun_wins(self, tables: EventTables) -> None:
        with tables.replace_hour(HOUR, "early") as early:
            early.write_rows("events", make_events(2))
            with tables.replace_hour(HOUR, "late") as late:
                late.write_rows("events", make_events(5))
                late.commit()
            with pytest.raises(PermanentPortError, match="late"):
                early.commit()
        assert count(tables, "events") == 5

    def test_two_runs_in_turn_both_commit(self, tables: EventTables) -> None:
        with (
            tables.replace_hour(HOUR, "early") as early,
            tables.replace_hour(HOUR, "late") as late,
        ):
            early.write_rows("events", make_events(2))
            late.write_rows("events", make_events(5))
            early.commit()
            assert count(tables, "events") == 2
            late.commit()
        assert count(tables, "events") == 5

    @pytest.mark.parametrize(
        ("table", "rows", "message"),
        [
            ("events", make_events(1, NEXT_HOUR), "hour"),
            ("events", make_events(1).drop("source"), "source"),
            ("events", make_events(1).with_columns(surplus=1), "surplus"),
            ("events", make_events(1).cast({"class_uid": pl.String}), "class_uid"),
            ("events; DROP TABLE events", make_events(1), "DROP"),
        ],
        ids=["another hour", "missing", "surplus", "wrong type", "unknown table"],
    )
    def test_rows_that_do_not_fit_are_refused(
        self, tables: EventTables, table: str, rows: pl.DataFrame, message: str
    ) -> None:
        with (
            tables.replace_hour(HOUR, "run-1") as writer,
            pytest.raises(PermanentPortError, match=message),
        ):
            writer.write_rows(table, rows)

    def test_an_hour_must_be_an_hour(self, tables: EventTables) -> None:
        with pytest.raises(PermanentPortError, match="on the hour"):
            tables.replace_hour(HOUR + timedelta(minutes=1), "run-1")
        with pytest.raises(PermanentPortError, match="zone"):
            tables.replace_hour(HOUR.replace(tzinfo=None), "run-1")

    def test_values_from_logs_and_runs_never_become_sql(self, tables: EventTables) -> None:
        values = {"user_name": NASTY, "raw_data": NASTY, "object_key": NASTY, "source": NASTY}
        write(tables, make_events(1, **values), run_id=NASTY)
        tables.upsert_templates(make_decisions([make_decision(NASTY, sample_raw=NASTY)]))
        found = tables.run_query(
            "SELECT user_name, raw_data, object_key, source FROM events "
            "WHERE user_name = {u:String}",
            {"u": NASTY},
        )
        assert found.to_dicts() == [values]
        assert tables.run_query("SELECT template_id FROM templates").to_series().to_list() == [
            NASTY
        ]

    @pytest.mark.parametrize(
        "sql",
        [
            "DROP TABLE events",
            "INSERT INTO events (event_uid) VALUES ('x')",
            "SELECT 1; DROP TABLE events",
            "SELECT 1 INTO OUTFILE 'stolen.csv'",
            "SELECT 1 FORMAT CSV",
            "/* SELECT */ TRUNCATE TABLE events",
            "",
        ],
    )
    def test_only_reading_statements_run(self, tables: EventTables, sql: str) -> None:
        write(tables, make_events(1))
        with pytest.raises(PermanentPortError, match="query refused"):
            tables.run_query(sql)
        assert count(tables, "events") == 1

    def test_a_wrong_statement_is_a_permanent_error(self, tables: EventTables) -> None:
        with pytest.raises(PermanentPortError):
            tables.run_query("SELECT no_such_column FROM events")

    def test_templates_are_replaced_by_id(self, tables: EventTables) -> None:
        tables.upsert_templates(make_decisions([make_decision("a"), make_decision("b")]))
        tables.upsert_templates(make_decisions([make_decision("a", confidence=0.9)]))
        tables.upsert_templates(make_decisions([]))
        final = "(SELECT template_id, max(confidence) AS c FROM templates GROUP BY template_id)"
        found = tables.run_query(f"SELECT template_id, c FROM {final} AS t ORDER BY template_id")
        assert found.rows() == [("a", 0.9), ("b", 0.5)]

    def test_overrides_are_appended(self, tables: EventTables) -> None:
        tables.append_overrides(make_override("o1", template_ids=["a"]))
        tables.append_overrides(make_override("o2", template_ids=["b"]))
        found = tables.run_query(
            "SELECT override_id, class_uid FROM overrides ORDER BY override_id"
        )
        assert found.rows() == [("o1", 4001), ("o2", 4001)]

    def test_rows_of_another_shape_are_refused(self, tables: EventTables) -> None:
        with pytest.raises(PermanentPortError, match="columns"):
            tables.upsert_templates(make_events(1))
