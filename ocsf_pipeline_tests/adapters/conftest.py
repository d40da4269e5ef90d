"""Fixtures: servers of object stores, started once per session, and fresh buckets on them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from ocsf_pipeline_tests.fakes.store_servers import (
    S3_ENVIRON,
    make_s3_bucket,
    serve_s3,
)

_numbers = itertools.count()


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    with serve_s3() as endpoint:
        yield endpoint


@pytest.fixture
def s3_bucket(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A fresh bucket; credentials are in the environment, as the cloud's own tools want them."""
    for name, value in S3_ENVIRON.items():
        monkeypatch.setenv(name, value)
    bucket = f"bucket-{next(_numbers)}"
    make_s3_bucket(s3_endpoint, bucket)
    return bucket
