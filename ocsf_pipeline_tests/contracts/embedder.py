"""What every Embedder must do. Subclass it and give the fixture `embedder`."""

from __future__ import annotations

import numpy as np

from ocsf_pipeline.ports import Embedder


class EmbedderContract:
    def test_vectors_have_length_one(self, embedder: Embedder) -> None:
        vectors = embedder.encode(["user logged in", "file deleted", ""])
        assert vectors.dtype == np.float32
        assert vectors.shape[0] == 3
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-3)

    def test_no_text_gives_no_vector_of_the_same_width(self, embedder: Embedder) -> None:
        assert embedder.encode([]).shape == (0, embedder.encode(["a"]).shape[1])

    def test_the_same_text_gives_the_same_vector_whatever_stands_beside_it(
        self, embedder: Embedder
    ) -> None:
        alone = embedder.encode(["dns query answered"])[0]
        beside = embedder.encode(["x " * 60, "dns query answered", "dns query answered"])
        np.testing.assert_allclose(beside[1], alone, atol=2e-2)
        np.testing.assert_array_equal(beside[1], beside[2])

    def test_likeness_follows_meaning(self, embedder: Embedder) -> None:
        question, near, far = embedder.encode(
            ["user login failed", "login of the user failed", "dhcp lease renewed"]
        )
        assert question @ near > question @ far

    def test_the_name_says_which_vectors_compare(self, embedder: Embedder) -> None:
        assert embedder.name
        assert embedder.name == embedder.name.strip()
