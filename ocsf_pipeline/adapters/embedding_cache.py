"""Vectors that need not be computed: those shipped for the packs, and those met before.

Belongs here: remembering an embedder's vectors by text. Does not belong here: any model.

Embedding all pack examples takes a minute or more without a GPU; the vectors of the texts that ship
with the package ship too (`vectors.npz`, one byte per dimension, made by `ocsf-pipeline packs
embed`). A text that is not among them is computed. Every vector, shipped or computed, is rounded
alike, so that it does not matter which way it came.
"""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Mapping, Sequence
from importlib.resources.abc import Traversable

import numpy as np
import numpy.typing as npt

from ocsf_pipeline.arrays import write_arrays
from ocsf_pipeline.ports import Embedder

Floats = npt.NDArray[np.float32]
_LEVELS = 127
_MAX_REMEMBERED = 50_000
_HASH_BYTES = 12


class CachedEmbedder:
    """An embedder that looks before it computes."""

    def __init__(self, inner: Embedder, shipped: Traversable | None = None) -> None:
        """`shipped` is a file made by `pack_vectors`; one of another model is left aside."""
        self._inner = inner
        self._shipped = shipped
        self._known: dict[bytes, npt.NDArray[np.int8]] | None = None
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """The inner embedder's name: rounding changes no ranking."""
        return self._inner.name

    def encode(self, texts: Sequence[str]) -> Floats:
        """Return one vector of length 1 per text, float32 [len(texts), dimensions]."""
        keys = [hash_text(text) for text in texts]
        with self._lock:
            known = self._load()
            missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
            if len(known) + len(missing) > _MAX_REMEMBERED + len(texts):
                known.clear()
                missing = dict(zip(keys, texts, strict=True))
            if missing:
                computed = round_vectors(self._inner.encode(list(missing.values())))
                known.update(zip(missing, computed, strict=True))
            if not texts:
                return self._inner.encode([])
            stacked = np.stack([known[key] for key in keys]).astype(np.float32)
        return np.asarray(
            stacked / np.linalg.norm(stacked, axis=1, keepdims=True), dtype=np.float32
        )

    def _load(self) -> dict[bytes, npt.NDArray[np.int8]]:
        if self._known is None:
            self._known = {}
            if self._shipped is not None and self._shipped.is_file():
                self._known = dict(read_vectors(self._shipped.read_bytes(), self._inner.name))
        return self._known


def hash_text(text: str) -> bytes:
    """Return the key under which a text's vector is kept."""
    return hashlib.sha256(text.encode()).digest()[:_HASH_BYTES]


def round_vectors(vectors: Floats) -> npt.NDArray[np.int8]:
    """Round vectors to one byte per dimension, each scaled to its largest entry."""
    largest = np.maximum(np.abs(vectors).max(axis=1, keepdims=True), np.float32(1e-12))
    return np.asarray(np.rint(vectors / largest * _LEVELS), dtype=np.int8)


def pack_vectors(texts: Sequence[str], embedder: Embedder) -> bytes:
    """Compute the vectors of `texts` and return the file to ship."""
    unique = sorted({hash_text(text): text for text in texts}.items())
    vectors = round_vectors(embedder.encode([text for _key, text in unique]))
    return write_arrays(
        {
            "name": np.array(embedder.name),
            "keys": np.frombuffer(b"".join(key for key, _text in unique), dtype=np.uint8),
            "vectors": vectors,
        }
    )


def read_vectors(body: bytes, name: str) -> Mapping[bytes, npt.NDArray[np.int8]]:
    """Read a file of `pack_vectors`; nothing when another embedder made it."""
    with np.load(io.BytesIO(body), allow_pickle=False) as arrays:
        if str(arrays["name"]) != name:
            return {}
        keys = arrays["keys"].tobytes()
        vectors = arrays["vectors"]
    return {
        keys[row * _HASH_BYTES : (row + 1) * _HASH_BYTES]: vectors[row]
        for row in range(len(vectors))
    }
