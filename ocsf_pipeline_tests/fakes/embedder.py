"""An embedder without a model: hashed bags of words, so that shared words make texts alike."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_WORD = re.compile(r"[a-z0-9]+")


class FakeEmbedder:
    """Deterministic over machines and processes. `encoded` records every text that was asked."""

    def __init__(self, name: str = "fake-bag-of-words", dimensions: int = 256) -> None:
        self._name = name
        self._dimensions = dimensions
        self.encoded: list[str] = []

    @property
    def name(self) -> str:
        return self._name

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        self.encoded.extend(texts)
        vectors = np.zeros((len(texts), self._dimensions), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in _WORD.findall(text.lower()) or ["nothing"]:
                vectors[row, zlib.crc32(word.encode()) % self._dimensions] += 1.0
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return (vectors / np.where(lengths == 0, 1, lengths)).astype(np.float32)
