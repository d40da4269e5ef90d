"""What sentences say: a product's phrases, phrases of any product, `Name: value` inside a text.

Belongs here: finding them in a template's sample. Does not belong here: phrases themselves
(`phrases`), other kinds of evidence (`proposals`), choosing (`chooser`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from ocsf_pipeline.events.aliases import AliasTable
from ocsf_pipeline.events.chooser import Proposal
from ocsf_pipeline.events.hints import ProductHints, find_words
from ocsf_pipeline.events.mapping import CAPTURED, CONSTANT, TextPattern
from ocsf_pipeline.events.names import join_words
from ocsf_pipeline.events.phrases import Phrase, make_pair_phrase, parse_phrase
from ocsf_pipeline.events.proposals import HINT_TEXT, SENTENCE, TEXT, VAGUE, Path, list_sources
from ocsf_pipeline.events.samples import Sample
from ocsf_pipeline.events.schema_view import ClassView
from ocsf_pipeline.events.shapes import Kind

TEXT_NAMES = frozenset({
    "message", "msg", "text", "log", "rawmessage", "eventmessage", "logmessage", "shortmessage",
    "fullmessage", "body", "description", "details", "eventdescription", "data", "reason",
})  # fmt: skip
MAX_PATTERNS = 8
MAX_PAIR_CHARS = 2_000
_PAIR = re.compile(
    r"(?:^|(?<=[\s,;(\[]))([A-Za-z][A-Za-z0-9_-]{0,24}(?: [A-Za-z0-9_-]{1,24}){0,2})\s?[=:]\s?"
    r"(?:\"([^\"]{1,200})\"|'([^']{1,200})'|([^\s,;\"'\[\]()]{1,200}))"
)
""" `Name of two words: value` or `name=value` inside a text."""
MIN_TEXT_CHARS = 12
_TEXT_FIELDS = frozenset({
    "message", "user", "src_ip", "src_port", "dst_ip", "dst_port", "program", "pid", "msgid",
    "syslog_host", "sd_id",
})  # fmt: skip
"""What free text is read into; with other fields a log is structured."""


@dataclass
class TextFinder:
    """Finds phrases in a sample's text fields; `patterns` are those that were found."""

    sample: Sample
    patterns: list[TextPattern]

    def list_texts(self) -> list[tuple[Path, str]]:
        """Return path and value of the fields that hold sentences."""
        kinds = dict(list_sources(self.sample.shape))
        return [
            (path, value)
            for path, value in self.sample.values.items()
            if kinds.get(path) is Kind.TEXT
            and join_words(path[-1]) in TEXT_NAMES
            and len(value) >= MIN_TEXT_CHARS
            and " " in value
        ]

    @property
    def is_free_text(self) -> bool:
        """Whether the logs are sentences, and their fields were read out of them."""
        return (
            "message" in self.sample.shape.fields and set(self.sample.shape.fields) <= _TEXT_FIELDS
        )

    def propose_hints(self, hints: ProductHints) -> Iterator[Proposal]:
        """Propose what a pack's sentences say; of several that fit, the first."""
        for path, text in self.list_texts():
            phrases = [parse_phrase(written) for written, _sets in hints.texts]
            found = match_phrases(phrases, text)
            for order, (written, sets) in enumerate(hints.texts):
                phrase, values = phrases[order], found[order]
                if values is None:
                    continue
                reason = f"pack {hints.product}: {written}"
                for target, value in sets.items():
                    yield Proposal((HINT_TEXT, order), (CONSTANT, value), (target,), reason)
                for item in self._propose(path, phrase, values, (HINT_TEXT, order), reason):
                    words = find_words(hints, item.targets[0], item.targets)
                    yield Proposal(item.rank, item.source, item.targets, reason, item.sample, words)
                return

    def propose_phrases(self, phrases: Sequence[Phrase]) -> Iterator[Proposal]:
        """Propose what general phrases take; a value that one took is not taken again."""
        stage = TEXT if self.is_free_text else SENTENCE
        for path, text in self.list_texts():
            taken: set[str] = set()
            found = match_phrases(phrases, text)
            for order, (phrase, values) in enumerate(zip(phrases, found, strict=True)):
                if len(self.patterns) >= MAX_PATTERNS:
                    return
                roots = {_root_of(target) for target in phrase.targets}
                if values is None or roots & taken:
                    continue
                taken |= roots
                reason = f"text {phrase.text}"
                yield from self._propose(path, phrase, values, (stage, order), reason)

    def propose_pairs(self, aliases: AliasTable, owner: ClassView) -> Iterator[Proposal]:
        """Propose what `Name: value` and `name=value` inside a text say, by the name."""
        for path, text in self.list_texts():
            for found in _PAIR.finditer(text[:MAX_PAIR_CHARS]):
                if len(self.patterns) >= MAX_PATTERNS:
                    return
                known = _find_pair_name(aliases, owner, found[1])
                if known is None:
                    continue
                name, targets = known
                phrase = make_pair_phrase(name, targets[0])
                source = (CAPTURED, str(len(self.patterns)), "1")
                self.patterns.append(TextPattern(path, phrase.pattern))
                rank = (SENTENCE, 1_000 + found.start())
                value = next((item for item in found.groups()[1:] if item), None)
                yield Proposal(rank, source, targets, f"text {phrase.text}", value)

    def _propose(
        self, path: Path, phrase: Phrase, values: Sequence[str | None],
        rank: tuple[float, ...], reason: str,
    ) -> Iterator[Proposal]:  # fmt: skip
        number = len(self.patterns)
        self.patterns.append(TextPattern(path, phrase.pattern))
        for group, (target, value) in enumerate(zip(phrase.targets, values, strict=True), start=1):
            source = (CAPTURED, str(number), str(group))
            yield Proposal(rank, source, _list_fallbacks(target), reason, value)


def _find_pair_name(
    aliases: AliasTable, owner: ClassView, said: str
) -> tuple[str, tuple[str, ...]] | None:
    """Return the end of `said` that is a known name, and its attributes."""
    parts = said.split(" ")
    for start in range(len(parts)):
        name = " ".join(parts[start:])
        key = join_words(name)
        if start and key in VAGUE:
            return None
        targets = aliases.find_targets(key, owner.uid, owner.category_uid)
        if targets:
            return name, targets
    return None


def match_phrase(phrase: Phrase, text: str) -> list[str | None] | None:
    """Return the values that a phrase takes out of a text, None where it is not in it."""
    return match_phrases([phrase], text)[0]


def match_phrases(phrases: Sequence[Phrase], text: str) -> list[list[str | None] | None]:
    """Return what `match_phrase` does of each phrase, all found at once."""
    lower = text.lower()
    likely = [
        number
        for number, phrase in enumerate(phrases)
        if all(word in lower for word in phrase.words)
    ]
    groups = [
        pl.col("text").str.extract_groups(phrases[number].pattern).alias(str(number))
        for number in likely
    ]
    found: list[list[str | None] | None] = [None] * len(phrases)
    row = pl.DataFrame({"text": [text]}).select_seq(groups).row(0) if groups else ()
    for number, values in zip(likely, row, strict=True):
        if any(value is not None for value in values.values()):
            found[number] = list(values.values())
    return found


def _root_of(target: str) -> str:
    return target.rpartition(".")[0] or target


def _list_fallbacks(target: str) -> tuple[str, ...]:
    """A user acts in some classes and is acted on in others; packs name a device in others."""
    if target.startswith("actor.user."):
        return (target, target.removeprefix("actor."))
    if target.startswith("user."):
        return (target, f"actor.{target}")
    if target.startswith("process."):
        return (target, f"actor.{target}")
    if target.startswith("src_endpoint."):
        return (target, target.replace("src_endpoint", "device"))
    return (target,)
