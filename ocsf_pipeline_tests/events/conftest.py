from __future__ import annotations

from functools import partial

import pytest

from ocsf_pipeline.schema.model import OcsfSchema
from ocsf_pipeline_tests.fakes.mapped_logs import (
    Judge,
    MapLogs,
    judge_by_json_schema,
    map_logs_with,
    read_schema,
)


@pytest.fixture(scope="session")
def schema() -> OcsfSchema:
    return read_schema()


@pytest.fixture(scope="session")
def map_logs(schema: OcsfSchema) -> MapLogs:
    return partial(map_logs_with, schema)


@pytest.fixture(scope="session")
def judge() -> Judge:
    """An independent judge: the JSON Schema that ocsf-json-schema gives for the class."""
    return judge_by_json_schema
