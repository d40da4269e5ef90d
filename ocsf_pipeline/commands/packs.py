"""`ocsf-pipeline packs`: whether packs can be used, and the vectors that ship with ours.

Belongs here: collecting every fault at once, and every text. Does not belong here: what a pack is
(`knowledge`), how vectors are packed (`adapters.embedding_cache`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ocsf_pipeline import opening
from ocsf_pipeline.adapters.embedding_cache import pack_vectors
from ocsf_pipeline.adapters.pack_files import read_pack_texts
from ocsf_pipeline.classify.ranker import list_training_texts
from ocsf_pipeline.commands.common import CommandError, Say
from ocsf_pipeline.events.hint_check import find_hint_faults
from ocsf_pipeline.events.schema_view import view_schema
from ocsf_pipeline.knowledge.chunks import build_class_chunks
from ocsf_pipeline.knowledge.examples import load_examples, split_by_label
from ocsf_pipeline.knowledge.packs import PackError, SourcePack, parse_pack
from ocsf_pipeline.schema.model import OcsfSchema
from ocsf_pipeline.schema.parse import parse_schema
from ocsf_pipeline.settings import Settings
from ocsf_pipeline.steps.knowledge import build_corpus, build_queries


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
    schema = _read_schema(settings)
    examples = load_examples(packs, _make_query_texts)
    _usable, problems = split_by_label(examples, schema)
    told = (f"{item.example.product}: {item.reason}" for item in problems)
    view = view_schema(schema)
    known = {**opening.open_packs(settings).read_packs(), **packs}
    for pack in packs.values():
        faults += find_hint_faults(view, pack, known)
    return CheckedPacks(packs, (*faults, *dict.fromkeys(told)))


def embed_packs(settings: Settings, path: Path, say: Say) -> int:
    """Write the vectors of all texts that the installed packs and the schema give; return how many.

    Texts whose vectors are shipped already are not computed again. Raises CommandError when the
    file cannot be written.
    """
    schema = _read_schema(settings)
    packs = opening.open_packs(settings.model_copy(update={"packs_dir": ""})).read_packs()
    loaded = load_examples(packs, _make_query_texts)
    usable, _problems = split_by_label(loaded, schema)
    corpus = build_corpus(build_class_chunks(schema), usable)
    texts = {chunk.text for chunk in corpus} | {example.query for example in usable}
    texts |= set(list_training_texts([]))
    say(f"{len(texts):,} texts of {len(packs)} packs and {len(schema.live_classes)} classes")
    body = pack_vectors(sorted(texts), opening.open_embedder(settings))
    unfinished = path.with_name(f"{path.name}.new")
    try:
        unfinished.write_bytes(body)
        unfinished.replace(path)
    except OSError as error:
        raise CommandError(
            f"cannot write {path}: {error.strerror}; name another --output"
        ) from error
    return len(texts)


def _make_query_texts(raws: Sequence[str]) -> list[str]:
    return [query.text for query in build_queries(raws)]


def _read_schema(settings: Settings) -> OcsfSchema:
    source = opening.open_schema_source(settings)
    return parse_schema(source.fetch_schema(settings.schema_version).body)
