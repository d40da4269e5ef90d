from __future__ import annotations

from pathlib import Path

import pytest

from ocsf_pipeline.adapters.pack_files import read_pack_texts, read_packs
from ocsf_pipeline.knowledge.packs import PackError


def write_pack(folder: Path, stem: str, vendor: str = "Mine", suffix: str = ".yaml") -> None:
    folder.joinpath(f"{stem}{suffix}").write_text(
        f"""
product: {stem}
vendor: {vendor}
name: A product
family: identity
formats: [json]
about: It is made up.
events:
  - name: login
    class_uid: 3002
    activity_id: 1
    meaning: A user logged on.
    examples: ['{{"event": "login"}}']
""",
        encoding="utf-8",
    )


def test_our_packs_are_found() -> None:
    assert "aws_cloudtrail" in read_packs()


def test_a_users_pack_is_added_or_replaces_ours(tmp_path: Path) -> None:
    write_pack(tmp_path, "aws_cloudtrail")
    write_pack(tmp_path, "made_up", suffix=".yml")
    packs = read_packs(tmp_path)
    assert packs["aws_cloudtrail"].vendor == "Mine"
    assert packs["made_up"].vendor == "Mine"
    assert set(packs) == {*read_packs(), "made_up"}


def test_only_pack_files_are_read(tmp_path: Path) -> None:
    write_pack(tmp_path, "made_up")
    tmp_path.joinpath("notes.md").write_text("no pack")
    tmp_path.joinpath(".hidden.yaml").write_text("no pack")
    assert list(read_pack_texts(tmp_path)) == ["made_up"]


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(PackError, match="OCSF_PIPELINE_PACKS_DIR"):
        read_packs(tmp_path / "absent")


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    tmp_path.joinpath("broken.yaml").write_bytes(b"product: \xff")
    with pytest.raises(PackError, match="broken: not UTF-8 at byte 9"):
        read_packs(tmp_path)


def test_two_files_for_one_product_are_told(tmp_path: Path) -> None:
    write_pack(tmp_path, "made_up")
    write_pack(tmp_path, "made_up", suffix=".yml")
    with pytest.raises(PackError, match="keep one"):
        read_pack_texts(tmp_path)
