"""Trieve by configuration: whole or refused, never half, and the key in no text."""

from __future__ import annotations

import pytest

from ocsf_pipeline.adapters.embedded_index import EmbeddedClassIndex
from ocsf_pipeline.adapters.trieve import TrieveClassIndex
from ocsf_pipeline.opening import open_class_indexes
from ocsf_pipeline.settings import SettingsError, read_settings

WHOLE = {
    "TRIEVE_BASE_URL": "http://trieve.internal:8090/api/",
    "TRIEVE_API_KEY": "tr-s3cret",
    "TRIEVE_ORGANIZATION_ID": "0b7c9f62-6f0e-4d3e-9e63-0f5a9f0f9d11",
}


def test_without_a_url_the_index_is_embedded() -> None:
    (only,) = open_class_indexes(read_settings({"TRIEVE_DATASET_ID": "mine"}))
    assert isinstance(only, EmbeddedClassIndex)


@pytest.mark.parametrize(("when_down", "count"), [("wait", 1), ("embedded", 2)])
def test_with_a_url_the_index_is_trieve(when_down: str, count: int) -> None:
    indexes = open_class_indexes(read_settings({**WHOLE, "TRIEVE_WHEN_DOWN": when_down}))
    assert isinstance(indexes[0], TrieveClassIndex)
    assert len(indexes) == count


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"TRIEVE_BASE_URL": ""}, "TRIEVE_BASE_URL is not"),
        ({"TRIEVE_API_KEY": ""}, "TRIEVE_API_KEY is not"),
        ({"TRIEVE_ORGANIZATION_ID": ""}, "TRIEVE_ORGANIZATION_ID is not"),
        ({"TRIEVE_BASE_URL": "https://api.trieve.ai"}, "closed on 2025-11-01"),
        ({"TRIEVE_BASE_URL": "trieve:8090"}, "must look like"),
        ({"TRIEVE_BASE_URL": "ftp://trieve"}, "must look like"),
        ({"TRIEVE_BASE_URL": "http://me:pw@trieve"}, "without user or password"),
        ({"TRIEVE_SEARCH_MODE": "hybird"}, "TRIEVE_SEARCH_MODE"),
        ({"TRIEVE_WHEN_DOWN": "guess"}, "TRIEVE_WHEN_DOWN"),
        ({"TRIEVE_CONCURRENCY": "0"}, "TRIEVE_CONCURRENCY"),
    ],
)
def test_half_a_configuration_is_refused(changes: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        read_settings({**WHOLE, **changes})
    assert "s3cret" not in str(caught.value)


def test_the_key_is_in_no_text() -> None:
    settings = read_settings(WHOLE)
    (index,) = open_class_indexes(settings)
    assert "s3cret" not in f"{settings!r} {settings} {index!r} {settings.model_dump_json()}"


def test_names_of_trieve_that_are_not_ours_are_left_alone() -> None:
    assert read_settings({"TRIEVE_SOMETHING": "else"}).trieve_base_url == ""
