"""`ocsf-pipeline packs check`: whether the source packs of a folder can be used.

Belongs here: collecting every fault at once. Does not belong here: what a pack is (`knowledge`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ocsf_pipeline.adapters.pack_files import read_pack_texts
from ocsf_pipeline.commands.common import CommandError
from ocsf_pipeline.knowledge.examples import load_examples, split_by_label
from ocsf_pipeline.knowledge.packs import PackError, SourcePack, parse_pack
from ocsf_pipeline.resources import open_schema_source
from ocsf_pipeline.schema.parse import parse_schema
from ocsf_pipeline.settings import Settings
from ocsf_pipeline.steps.knowledge import build_queries


@dataclass(frozen=True)
class CheckedPacks:
    """The packs of a folder."""

    packs: dict[str, SourcePack]
    """Those that can be read, by product."""
    faults: tuple[str, ...]
    """One sentence each, in the order of the files."""


def check_packs(folder: Path, settings: Settings) -> CheckedPacks:
    """Check every pack of `folder` against the format and the schema.

    Raises CommandError when the folder cannot be read or holds no pack.
    """
    try:
        texts = read_pack_texts(folder)
    except PackError as error:
        raise CommandError(str(error)) from error
    if not texts:
        raise CommandError(f"{folder} holds no *.yaml; docs/packs.md shows what a pack is", 2)
    packs: dict[str, SourcePack] = {}
    faults: list[str] = []
    for stem, text in texts.items():
        try:
            packs[stem] = parse_pack(stem, text)
        except PackError as error:
            faults.append(str(error))
    schema = parse_schema(open_schema_source(settings).fetch_schema(settings.schema_version).body)
    examples = load_examples(packs, lambda raws: [query.text for query in build_queries(raws)])
    _usable, problems = split_by_label(examples, schema)
    told = (f"{item.example.product}: {item.reason}" for item in problems)
    return CheckedPacks(packs, (*faults, *dict.fromkeys(told)))
