"""Whether a pack's mapping hints can be used with a schema.

Belongs here: every fault of the hints as one sentence. Does not belong here: the pack's format
(`knowledge.packs`), using hints (`compiler`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ocsf_pipeline.events.chooser import RESERVED
from ocsf_pipeline.events.mapping import EVIDENCE
from ocsf_pipeline.events.phrases import PhraseError, parse_phrase
from ocsf_pipeline.events.schema_view import SchemaView
from ocsf_pipeline.events.values import enum_words
from ocsf_pipeline.knowledge.packs import PackMapping, SourcePack


def find_hint_faults(
    view: SchemaView, pack: SourcePack, others: Mapping[str, SourcePack]
) -> list[str]:
    """Return what is wrong with the hints of `pack`; `others`: packs that it may be like."""
    said = pack.mapping
    faults = []
    if said.like and said.like not in others:
        faults.append(f"mapping.like names {said.like!r}, which is no pack")
    for place, path in _list_paths(said):
        if path in RESERVED:
            faults.append(f"{place}: {path} is filled by the pipeline itself")
        elif not _is_known(view, path):
            faults.append(f"{place}: no class of OCSF {view.version} has {path}")
    for text in said.texts:
        try:
            parse_phrase(text.phrase)
        except PhraseError as error:
            faults.append(f"mapping.texts: {error}")
    faults += _find_word_faults(view, said)
    return [f"{pack.product}: {fault}" for fault in faults]


def _list_paths(said: PackMapping) -> Iterator[tuple[str, str]]:
    for name, targets in said.fields.items():
        for part in targets.replace("+", "|").split("|"):
            if part.strip():
                yield f"mapping.fields.{name}", part.strip()
    for path in said.set:
        yield "mapping.set", path
    for text in said.texts:
        for path in text.set:
            yield "mapping.texts.set", path
        for path in _read_targets(text.phrase):
            yield f"mapping.texts {text.phrase!r}", path


def _read_targets(phrase: str) -> tuple[str, ...]:
    try:
        return parse_phrase(phrase).targets
    except PhraseError:
        return ()


def _is_known(view: SchemaView, path: str) -> bool:
    return any(
        view.resolve_path(owner, candidate) is not None
        for candidate in (path, f"{EVIDENCE}{path}")
        for owner in view.live_classes
    )


def _find_word_faults(view: SchemaView, said: PackMapping) -> Iterator[str]:
    for name, words in said.words.items():
        groups = said.fields.get(name, "").replace("+", "|").split("|")
        paths = [name, *(part.strip() for part in groups if part.strip())]
        captions = {caption for path in paths for caption in _list_captions(view, path)}
        for word, caption in words.items():
            if captions and caption.lower() not in captions:
                yield f"mapping.words.{name}: {word!r} stands for {caption!r}, which no enum has"


def _list_captions(view: SchemaView, path: str) -> Iterator[str]:
    for owner in view.live_classes:
        resolved = view.resolve_path(owner, path)
        if resolved is not None:
            number = resolved.holder.siblings.get(resolved.leaf.name, resolved.leaf.name)
            yield from enum_words(resolved.holder.attributes[number])
