"""Source packs: what we know about a product's logs, as data, one YAML file per product.

Belongs here: the pack's format (a typed model), its validation, reading packs from text.
Does not belong here: turning packs into chunks or training rows; any fact about a product.
The format is documented in docs/packs.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

Family = Literal[
    "identity", "endpoint", "network", "firewall", "proxy", "waf", "dns", "email", "cloud", "saas",
    "kubernetes", "database", "linux", "windows", "macos", "vulnerability", "compliance", "ot",
    "vpn", "web", "application", "threat_intelligence", "data_security", "physical",
]  # fmt: skip
LogFormat = Literal["json", "syslog", "cef", "leef", "kv", "csv", "xml", "text"]
NonEmpty = Annotated[str, Field(min_length=1)]


class PackError(ValueError):
    """A pack that cannot be used; the message names the file, the place and the remedy."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PackEvent(_Strict):
    """One event type of the product."""

    name: NonEmpty
    """The event's id or name as it stands in the log, e.g. `4625` or `user.session.start`."""
    class_uid: int
    activity_id: int
    meaning: NonEmpty
    """One line that says what happened."""
    examples: Annotated[tuple[NonEmpty, ...], Field(min_length=1)]
    """Whole raw logs in the product's true format, written for this project."""
    acceptable: tuple[int, ...] = ()
    """Other classes that a careful analyst would also accept."""

    @field_validator("name", mode="before")
    @classmethod
    def _read_number_as_text(cls, value: object) -> object:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class PackText(_Strict):
    """A sentence of the product, with attributes in its gaps."""

    phrase: NonEmpty
    """e.g. `Built {connection_info.direction} connection {connection_info.uid}`."""
    set: Mapping[NonEmpty, str] = {}
    """Attributes that every log with this sentence has, and their value."""


class PackMapping(_Strict):
    """What is known about the product's fields: hints, which general rules fill up."""

    like: str = ""
    """Another product whose hints hold here too, beneath this pack's own."""
    recognised_by: tuple[tuple[NonEmpty, ...], ...] = ()
    """Alternatives: field paths, and `"texts"` in quotes, that only this product's logs have."""
    fields: Mapping[NonEmpty, str] = {}
    """Field path to OCSF attribute paths, best first, separated by `|`; empty: to none. ` + `
    separates attributes that the field gives all at once."""
    texts: tuple[PackText, ...] = ()
    words: Mapping[NonEmpty, Mapping[str, NonEmpty]] = {}
    """Enum attribute or field path to {the product's word: caption of the enum's value}."""
    set: Mapping[NonEmpty, str] = {}
    """Attributes that every log of the product has, and their value."""

    @field_validator("words", mode="before")
    @classmethod
    def _read_numbers_as_text(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {
            name: {str(word): str(caption) for word, caption in words.items()}
            if isinstance(words, dict)
            else words
            for name, words in value.items()
        }


class SourcePack(_Strict):
    """What we know about one product."""

    product: Annotated[str, Field(pattern=r"^[a-z0-9]+(_[a-z0-9]+)*$")]
    """Unique id: the file's stem."""
    vendor: NonEmpty
    name: NonEmpty
    family: Family
    formats: Annotated[tuple[LogFormat, ...], Field(min_length=1)]
    about: NonEmpty
    """One or two lines: what the product is and where its logs come from."""
    events: Annotated[tuple[PackEvent, ...], Field(min_length=1)]
    mapping: PackMapping = PackMapping()
    """Hints for mapping; most products need none."""

    @property
    def has_mapping(self) -> bool:
        """Whether the pack has hints for mapping."""
        return self.mapping != PackMapping()

    @model_validator(mode="after")
    def _check_events_are_distinct(self) -> SourcePack:
        names = [(event.name, event.class_uid) for event in self.events]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"event listed twice with the same class: {twice[0]}")
        return self


def parse_pack(stem: str, text: str) -> SourcePack:
    """Read one pack from YAML `text`; `stem` is its file name without the suffix.

    Raises PackError with the place of the first fault.
    """
    try:
        # Either loader is a safe one; the C one is ten times as fast.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        document = yaml.load(text, Loader=loader)  # noqa: S506
    except yaml.YAMLError as error:
        raise PackError(f"{stem}: not valid YAML: {re.sub(chr(10), ' ', str(error))}") from error
    try:
        pack = SourcePack.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise PackError(f"{stem}: at {place or 'the top'}: {first['msg']}") from error
    if pack.product != stem:
        raise PackError(f"{stem}: `product` is {pack.product!r}; it must equal the file's name")
    return pack


def load_packs(*folders: Mapping[str, str]) -> dict[str, SourcePack]:
    """Parse the packs of several folders, each given as {stem: YAML text}, by product.

    A pack of a later folder replaces one of the same name in an earlier folder. Raises PackError
    for the first pack that cannot be used; one that is replaced is not read.
    """
    texts: dict[str, str] = {}
    for folder in folders:
        texts.update(folder)
    return {stem: parse_pack(stem, texts[stem]) for stem in sorted(texts)}
