"""What every test shares: no setting of the machine reaches it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from ocsf_pipeline.settings import PREFIX, TRIEVE_PREFIX


@pytest.fixture(scope="session", autouse=True)
def bare_environment() -> Iterator[None]:
    """Tests on a live server read its settings when they are collected, before this."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith((PREFIX, TRIEVE_PREFIX))]:
            patch.delenv(name)
        yield
