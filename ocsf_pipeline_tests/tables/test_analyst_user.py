"""The users of the server setup: analysts can read the pipeline's database and nothing else."""

from __future__ import annotations

from pathlib import Path

import chdb
import pytest
from defusedxml import ElementTree

from ocsf_pipeline.adapters.clickhouse_connection import EngineLease
from ocsf_pipeline.tables.migrations import split_statements

SETUP = Path(__file__).resolve().parents[2] / "deploy" / "clickhouse"


@pytest.fixture(scope="module")
def users() -> ElementTree:
    return ElementTree.parse(SETUP / "users.d" / "ocsf.xml").getroot().find("users")


def test_the_analyst_only_reads_the_pipelines_database(users: ElementTree) -> None:
    analyst = users.find("ocsf_analyst")
    grants = [item.text for item in analyst.findall("grants/query")]
    assert grants == ["GRANT SELECT, SHOW ON ocsf.*"]
    profile = ElementTree.parse(SETUP / "users.d" / "ocsf.xml").getroot().find("profiles")
    assert analyst.findtext("profile") == "ocsf_analyst"
    assert profile.findtext("ocsf_analyst/readonly") == "2"


def test_passwords_come_from_the_environment(users: ElementTree) -> None:
    for user in users:
        password = user.find("password")
        assert password.get("from_env", "").startswith("OCSF_CLICKHOUSE_")
        assert not (password.text or "").strip()


def test_the_statements_are_understood_by_clickhouse(chdb_folder: Path, users: ElementTree) -> None:
    """chDB has no users, but parses them."""
    statements = [
        *split_statements((SETUP / "analyst.sql").read_text()),
        *(f"{item.text} TO someone" for item in users.iter("query")),
    ]
    assert len(statements) == 9
    EngineLease.take(chdb_folder, 20)
    connection = chdb.connect(str(chdb_folder))
    try:
        for statement in statements:
            text = statement.replace("{password:String}", "'x'")
            assert connection.query(f"EXPLAIN AST {text}", "TabSeparated").bytes(), statement
    finally:
        connection.close()
        EngineLease.give_back()
