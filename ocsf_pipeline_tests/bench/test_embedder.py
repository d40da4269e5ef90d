"""The work per log is not cheapened by remembering texts."""

from __future__ import annotations

from ocsf_pipeline.adapters.embedding_cache import CachedEmbedder
from ocsf_pipeline.bench.measure import EachTextAnew
from ocsf_pipeline_tests.fakes.embedder import FakeEmbedder


def test_equal_texts_are_each_computed_once_per_call() -> None:
    inner = FakeEmbedder()
    embedder = EachTextAnew(CachedEmbedder(inner))
    assert embedder.name == inner.name
    assert embedder.encode(["same", "same", "same"]).shape[0] == 3
    assert len(inner.encoded) == 3
    embedder.encode(["same", "same", "same"])
    assert len(inner.encoded) == 3, "the second use of one batch's vectors is free, as in the steps"
