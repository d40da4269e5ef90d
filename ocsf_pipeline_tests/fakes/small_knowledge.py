"""A knowledge base of few packs and no model, so that commands that classify start in a second."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources as package_files

import pytest

from ocsf_pipeline import opening
from ocsf_pipeline.knowledge.packs import SourcePack, load_packs
from ocsf_pipeline_tests.fakes.embedder import FakeEmbedder

PACKS = ("fortinet_fortigate", "linux_sshd", "nginx", "okta", "windows_security", "zeek")


class FewPacks:
    """Six packs of those that the package carries."""

    def read_packs(self) -> Mapping[str, SourcePack]:
        folder = package_files.files("ocsf_pipeline") / "packs"
        return load_packs(
            {name: (folder / f"{name}.yaml").read_text(encoding="utf-8") for name in PACKS}
        )


def use_small_knowledge(patch: pytest.MonkeyPatch) -> None:
    """Let everything that is opened by the settings use few packs and no model."""
    patch.setattr(opening, "open_packs", lambda settings: FewPacks())
    patch.setattr(opening, "open_embedder", lambda settings: FakeEmbedder())
