"""Reading source packs from folders: those of this package, and the user's own.

Belongs here: finding and reading the files. Does not belong here: what is in them
(`knowledge.packs`).
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from ocsf_pipeline.knowledge.packs import PackError, SourcePack, load_packs

_SUFFIXES = (".yaml", ".yml")
_MAX_BYTES = 8 * 1024 * 1024


class PackFolders:
    """The packs of this package and those of a user's folder (None: only ours)."""

    def __init__(self, user_folder: Path | None = None, left_out: Sequence[str] = ()) -> None:
        """`left_out`: products that are not to be used; `*` stands for any characters."""
        self._user_folder = user_folder
        self._left_out = tuple(left_out)

    def read_packs(self) -> dict[str, SourcePack]:
        """Read the packs as they are on disk now; see the function of the same name.

        Raises PackError when a product to leave out names no pack.
        """
        packs = read_packs(self._user_folder)
        for name in self._left_out:
            found = [product for product in packs if fnmatchcase(product, name)]
            if not found:
                raise PackError(
                    f"no pack is called {name!r}; check OCSF_PIPELINE_PACKS_LEFT_OUT against "
                    "the names of the packs' files"
                )
            packs = {product: pack for product, pack in packs.items() if product not in found}
        return packs


def read_packs(user_folder: Path | None = None) -> dict[str, SourcePack]:
    """Return the packs by product; one in `user_folder` replaces ours of the same name.

    Raises PackError when the folder or a pack cannot be used.
    """
    ours = read_pack_texts(resources.files("ocsf_pipeline") / "packs")
    if user_folder is None:
        return load_packs(ours)
    if not user_folder.is_dir():
        raise PackError(f"{user_folder} is not a folder; check OCSF_PIPELINE_PACKS_DIR")
    return load_packs(ours, read_pack_texts(user_folder))


def read_pack_texts(folder: Traversable) -> dict[str, str]:
    """Return the text of every `*.yaml` and `*.yml` directly in `folder`, by stem."""
    if not folder.is_dir():
        return {}
    texts: dict[str, str] = {}
    for entry in sorted(folder.iterdir(), key=lambda item: item.name):
        stem, dot, suffix = entry.name.rpartition(".")
        if not stem or stem.startswith(".") or f"{dot}{suffix}" not in _SUFFIXES:
            continue
        if stem in texts:
            raise PackError(f"{stem}: both .yaml and .yml exist; keep one of them")
        texts[stem] = _read_text(entry, stem)
    return texts


def _read_text(entry: Traversable, stem: str) -> str:
    body = entry.read_bytes()
    if len(body) > _MAX_BYTES:
        raise PackError(f"{stem}: more than {_MAX_BYTES:,} bytes; split the pack by product")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PackError(f"{stem}: not UTF-8 at byte {error.start}; save it as UTF-8") from error
