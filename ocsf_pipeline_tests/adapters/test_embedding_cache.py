"""Vectors that are shipped or remembered: the same answers, less work."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from ocsf_pipeline.adapters.embedding_cache import (
    CachedEmbedder,
    hash_text,
    pack_vectors,
    read_vectors,
)
from ocsf_pipeline.adapters.minilm import SentenceEmbedder
from ocsf_pipeline.adapters.pack_files import read_packs
from ocsf_pipeline.ports import Embedder
from ocsf_pipeline.steps.knowledge import build_queries
from ocsf_pipeline_tests.contracts.embedder import EmbedderContract
from ocsf_pipeline_tests.fakes.embedder import FakeEmbedder

_TEXTS = ["user logged in", "file deleted", "dns query"]


class TestFakeEmbedder(EmbedderContract):
    @pytest.fixture
    def embedder(self) -> Embedder:
        return FakeEmbedder()


class TestCachedEmbedder(EmbedderContract):
    @pytest.fixture
    def embedder(self) -> Embedder:
        return CachedEmbedder(FakeEmbedder())


@cache
def load_model() -> Embedder:
    return SentenceEmbedder(max_tokens=48)


class TestSentenceEmbedder(EmbedderContract):
    @pytest.fixture
    def embedder(self) -> Embedder:
        return load_model()


def test_a_text_is_computed_once() -> None:
    inner = FakeEmbedder()
    cached = CachedEmbedder(inner)
    first = cached.encode(_TEXTS)
    np.testing.assert_array_equal(cached.encode(_TEXTS[::-1]), first[::-1])
    assert sorted(inner.encoded) == sorted(_TEXTS)


def test_shipped_vectors_are_those_that_would_be_computed(tmp_path: Path) -> None:
    shipped = tmp_path / "vectors.npz"
    shipped.write_bytes(pack_vectors(_TEXTS, FakeEmbedder()))
    inner = FakeEmbedder()
    from_file = CachedEmbedder(inner, shipped).encode([*_TEXTS, "something new"])
    assert inner.encoded == ["something new"]
    computed = CachedEmbedder(FakeEmbedder()).encode([*_TEXTS, "something new"])
    np.testing.assert_array_equal(from_file, computed)


def test_vectors_of_another_model_are_left_aside(tmp_path: Path) -> None:
    shipped = tmp_path / "vectors.npz"
    shipped.write_bytes(pack_vectors(_TEXTS, FakeEmbedder()))
    inner = FakeEmbedder(name="another", dimensions=64)
    assert CachedEmbedder(inner, shipped).encode(_TEXTS).shape == (3, 64)
    assert sorted(inner.encoded) == sorted(_TEXTS)


def test_rounding_hardly_moves_a_vector() -> None:
    exact = FakeEmbedder().encode(_TEXTS)
    rounded = CachedEmbedder(FakeEmbedder()).encode(_TEXTS)
    assert (exact * rounded).sum(axis=1).min() > 0.999


def test_packing_the_same_texts_gives_the_same_bytes() -> None:
    assert pack_vectors(_TEXTS, FakeEmbedder()) == pack_vectors(_TEXTS[::-1], FakeEmbedder())


def test_the_shipped_vectors_cover_the_packs() -> None:
    """When this fails, packs or queries changed: run `ocsf-pipeline packs embed`."""
    shipped = files("ocsf_pipeline") / "vectors.npz"
    known = read_vectors(shipped.read_bytes(), load_model().name)
    packs = read_packs()
    raws = [
        example
        for name in sorted(packs)[::20]
        for event in packs[name].events
        for example in event.examples
    ]
    texts = [query.text for query in build_queries(raws)]
    covered = sum(hash_text(text) in known for text in texts)
    assert len(texts) > 100
    assert covered >= 0.95 * len(texts)
