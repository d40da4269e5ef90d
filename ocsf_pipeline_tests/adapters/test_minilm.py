"""The packaged sentence model: what it is, and what the embedder promises of it."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ocsf_pipeline.adapters.minilm import SentenceEmbedder, find_packaged_model
from ocsf_pipeline.ports import Embedder, PermanentPortError


@pytest.fixture(scope="module")
def embedder() -> SentenceEmbedder:
    return SentenceEmbedder(precision="float32")


def test_the_packaged_model_is_the_original() -> None:
    weights = find_packaged_model() / "model.safetensors"
    with weights.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    assert digest == "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def test_it_is_an_embedder(embedder: SentenceEmbedder) -> None:
    assert isinstance(embedder, Embedder)
    assert embedder.name == "all-MiniLM-L6-v2@128"


def test_vectors_have_length_one(embedder: SentenceEmbedder) -> None:
    vectors = embedder.encode(["a user logged on", "", "x" * 5_000])
    assert vectors.shape == (3, 384)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_no_texts_give_no_vectors(embedder: SentenceEmbedder) -> None:
    assert embedder.encode([]).shape == (0, 384)


def test_likeness_follows_meaning(embedder: SentenceEmbedder) -> None:
    query, near, far = embedder.encode(
        ["user signed in with password", "Authentication: a logon", "DNS query was answered"]
    )
    assert query @ near > query @ far + 0.1


def test_it_is_deterministic_and_keeps_the_order(embedder: SentenceEmbedder) -> None:
    texts = [f"event {number} " + "word " * (number % 7) for number in range(40)]
    vectors = embedder.encode(texts)
    assert np.array_equal(vectors, embedder.encode(texts))
    assert np.array_equal(vectors, SentenceEmbedder(precision="float32").encode(texts))
    assert np.allclose(vectors[::-1], embedder.encode(texts[::-1]), atol=1e-5)
    twice = embedder.encode([texts[3], texts[5], texts[3]])
    assert np.array_equal(twice[0], twice[2])


def test_the_faster_precision_says_the_same(embedder: SentenceEmbedder) -> None:
    texts = ["a user logged on from 10.0.0.1", "kernel: DROP IN=eth0", "GET /index.html 200"]
    fast = SentenceEmbedder(precision="bfloat16").encode(texts)
    assert (fast * embedder.encode(texts)).sum(axis=1).min() > 0.999


def test_words_after_the_limit_do_not_count() -> None:
    short = SentenceEmbedder(max_tokens=16, precision="float32")
    head = "one two three four five six seven eight nine ten " * 3
    first, second = short.encode([f"{head} logon", f"{head} dns"])
    assert np.allclose(first, second, atol=1e-6)
    assert short.name == "all-MiniLM-L6-v2@16"


def test_a_model_in_a_folder_is_used(embedder: SentenceEmbedder) -> None:
    folder = SentenceEmbedder(find_packaged_model(), precision="float32")
    assert np.array_equal(folder.encode(["text"]), embedder.encode(["text"]))


def test_a_model_that_is_not_here_is_told(tmp_path: Path) -> None:
    with pytest.raises(PermanentPortError, match="cannot load the embedding model"):
        SentenceEmbedder(tmp_path / "absent").encode(["text"])


def test_torch_is_not_imported_before_it_is_needed() -> None:
    code = (
        "import sys\n"
        "from ocsf_pipeline.adapters.minilm import SentenceEmbedder\n"
        "import ocsf_pipeline.adapters.embedded_index\n"
        "SentenceEmbedder().name\n"
        "assert 'torch' not in sys.modules and 'sentence_transformers' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
