"""Queries -> terms, per part: words and pairs, stems, pieces of words, concepts.

Belongs here: which terms a query has. Does not belong here: what a query is (`queries`), what words
mean (`words`), how telling a term is (`vectors`).
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable

from ocsf_pipeline.classify.queries import LogQuery
from ocsf_pipeline.classify.words import OBJECTS, VERBS, stem_word

PARTS = (
    "head", "names", "concepts", "message", "values", "keys", "kinds", "source", "stems", "pieces",
)  # fmt: skip
"""`stems` and `pieces` say what `head`, `names` and `message` say once more, so that words which
no pack has are known by words which one has: `unlocking` by `unlocked`, `driverload` by both."""
_STATEMENT_PARTS = frozenset({"head", "names", "values"})
_MAX_STATEMENT_WORDS = 12
_MAX_CONCEPT_WORDS = 25
_MAX_STEM_CHARS = 300
_MAX_STEM_WORDS = 40
_PIECE_SIZES = (4, 5)
_MAX_PIECED_CHARS = 24
_WORD = re.compile(r"[a-z0-9]+")
_NO_LETTER = re.compile(r"[^a-z]")


def list_terms(query: LogQuery, part: str) -> list[str]:
    """Return the terms of one part of a query, repeats included."""
    if part == "concepts":
        return _list_concepts(query)
    if part == "stems":
        return _list_stems(query)
    if part == "pieces":
        return _list_pieces(query)
    text = str(getattr(query, part)).lower()
    if part in _STATEMENT_PARTS:
        return _list_statement_terms(text)
    if part == "keys":
        return _list_key_terms(text)
    if part == "message":
        words = _WORD.findall(text)
        return words + _pair_words(words)
    return text.split()


def _list_statement_terms(text: str) -> list[str]:
    terms: list[str] = []
    for statement in text.split(" ; "):
        key, colon, value = statement.partition(": ")
        words = (value if colon else key).split()[:_MAX_STATEMENT_WORDS]
        terms += words + _pair_words(words)
        if colon and key:
            owner = key.rsplit(" ", 1)[-1]
            terms += [f"{owner}={word}" for word in words]
    return terms


def _list_key_terms(text: str) -> list[str]:
    terms: list[str] = []
    for key in text.split(" ; "):
        words = key.split()
        terms += words
        if len(words) > 1:
            terms.append(key)
        if len(words) > 2:
            terms += _pair_words(words)
    return terms


def _list_concepts(query: LogQuery) -> list[str]:
    """Return what is done to what, in words of our own: `CreateUser` and `user added` alike."""
    found: set[str] = set()
    for part, sign in (("head", "h"), ("names", "n"), ("message", "m")):
        for statement in str(getattr(query, part)).lower().split(" ; "):
            said = statement.partition(": ")[2] if part != "message" else ""
            words = _WORD.findall(said or statement)[: 2 * _MAX_STATEMENT_WORDS]
            verbs = {VERBS[word] for word in words if word in VERBS}
            objects = {OBJECTS[word] for word in words if word in OBJECTS}
            found.update(f"{sign}:{item}" for item in verbs | objects)
            if len(words) <= _MAX_CONCEPT_WORDS:
                found.update(f"{sign}:{verb} {item}" for verb in verbs for item in objects)
    found.update(f"k:{OBJECTS[word]}" for word in query.keys.split() if word in OBJECTS)
    return sorted(found)


def _pair_words(words: Iterable[str]) -> list[str]:
    return [f"{left} {right}" for left, right in itertools.pairwise(words)]


def _say(query: LogQuery) -> list[str]:
    """Return what the query says, in lower case, a statement each, without the keys' words."""
    said = []
    for part in (query.head, query.names):
        for statement in part.lower().split(" ; "):
            key, colon, value = statement.partition(": ")
            said.append(value if colon else key)
    said.append(query.message[:_MAX_STEM_CHARS].lower())
    return said


def _list_stems(query: LogQuery) -> list[str]:
    terms: list[str] = []
    for text in _say(query):
        words = [word for word in _WORD.findall(text)[:_MAX_STEM_WORDS] if not word.isdigit()]
        stems = [stem for word in words for stem in stem_word(word)]
        terms += stems + _pair_words(stems)
    return terms


def _list_pieces(query: LogQuery) -> list[str]:
    return [
        piece for word in sorted(set(" ".join(_say(query)).split())) for piece in _cut_pieces(word)
    ]


@functools.lru_cache(maxsize=50_000)
def _cut_pieces(word: str) -> tuple[str, ...]:
    letters = _NO_LETTER.sub("", word)
    if not 3 <= len(letters) <= _MAX_PIECED_CHARS:
        return ()
    bounded = f"<{letters}>"
    return tuple(
        bounded[start : start + size]
        for size in _PIECE_SIZES
        for start in range(len(bounded) - size + 1)
    )
