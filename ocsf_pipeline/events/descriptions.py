"""Retrieval over descriptions: which attribute of a class reads most like a field's name.

Belongs here: the texts of a class's attributes, their index, and searching it by the words of a
field. Does not belong here: taking what was found (`chooser`), tables of names (`aliases`).

BM25 over whole paths, normalised by the best that the words could reach, so that one threshold
holds for all fields: 1 is an attribute that has every word in its own name. An index is made once
per class; a search costs some ten microseconds. `python -m ocsf_pipeline.bench.descriptions`
measures it on the hints of packs, and chose MIN_SCORE.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from ocsf_pipeline.events.kinds import recognise_value
from ocsf_pipeline.events.mapping import EVIDENCE
from ocsf_pipeline.events.names import split_segments, split_words
from ocsf_pipeline.events.schema_view import AttributeView, ClassView, ObjectView, SchemaView

MIN_SCORE = 0.5
"""Least share of the best possible score; below it names and descriptions agree by chance."""
MIN_UNNAMED_SCORE = 0.7
"""The same where the field does not name every object that it would belong to."""
MAX_DEPTH = 3
MAX_PATHS = 4_000
_NAME_WEIGHT, _CAPTION_WEIGHT, _ABOVE_WEIGHT, _DESCRIPTION_WEIGHT = 3.0, 2.0, 1.5, 0.5
_SATURATION = 1.2
_LENGTH_SHARE = 0.4
_MAX_TRIED = 8
_MIN_WORDS, _MAX_WORDS = 2, 12
"""One word alone (`version`, `state`) reads like attributes of any object."""
_MAX_DESCRIPTION_WORDS = 30

_LONG_FORMS: Mapping[str, str] = {
    "src": "source", "dst": "destination", "dest": "destination", "addr": "address", "ip": "ip",
    "proc": "process", "cmd": "command", "usr": "user", "num": "number", "msg": "message",
    "dir": "direction", "id": "unique", "uid": "unique", "uuid": "unique", "guid": "unique",
    "dev": "device", "dvc": "device", "img": "image", "desc": "description", "ver": "version",
    "proto": "protocol", "req": "request", "resp": "response", "rsp": "response", "org":
    "organization", "os": "operating", "cnt": "count", "len": "length", "cert":
    "certificate", "auth": "authentication", "acct": "account", "srv": "server", "svc": "service",
    "app": "application", "mail": "email", "subj": "subject", "parent": "parent", "reg": "registry",
    "ts": "time", "timestamp": "time", "datetime": "time", "rcpt": "recipient", "pkt": "packet",
    "pkts": "packet", "vuln": "vulnerability", "lang": "language", "tgt": "target", "perm":
    "permission", "attr": "attribute", "val": "value", "fqdn": "hostname", "host": "hostname",
}  # fmt: skip
_NO_WORDS = frozenset({
    "the", "a", "an", "of", "or", "and", "to", "in", "is", "that", "this", "for", "by", "with",
    "as", "on", "at", "from", "e", "g", "eg", "see", "it", "be", "are", "which", "if", "such",
    "was", "when", "can", "example", "event", "log", "data", "object", "field", "info",
    "information", "detail", "value", "specific", "associated", "related", "used",
})  # fmt: skip
_KIND_WORDS: Mapping[str, tuple[str, ...]] = {
    "ip": ("ip", "address"), "ip_port": ("ip", "address"), "mac": ("mac", "address"),
    "email": ("email", "address"), "url": ("url",), "md5": ("hash",), "sha1": ("hash",),
    "sha256": ("hash",), "sha512": ("hash",), "time": ("time",), "windows_path": ("path",),
    "unix_path": ("path",),
}  # fmt: skip
_PROFILES = frozenset({"host", "cloud", "security_control", "network_proxy", "load_balancer"})
"""Profiles that a field's name alone may bring into an event."""
_LEFT_OUT = frozenset({
    "observables", "enrichments", "unmapped", "raw_data", "raw_data_size", "raw_data_hash",
    "metadata", "osint", "type_uid", "type_name", "class_uid", "class_name", "category_uid",
    "category_name", "activity_id", "activity_name", "time", "message", "timezone_offset",
    "transformation_info_list", "message_context", "ai_model", "trace", "authorizations",
})  # fmt: skip
_OWN: Mapping[str, tuple[str, ...]] = {"osint_inventory_info": ("osint",)}
"""What is left out elsewhere, and is what a class is about."""
_TAG = re.compile(r"<[^>]*>")

_INDEXES: WeakKeyDictionary[SchemaView, dict[int, AttributeIndex]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Match:
    """An attribute that reads like a field."""

    target: str
    score: float
    object_count: int
    """Objects on the attribute's path …"""
    named_count: int
    """… and how many of them the field's words name."""


@dataclass(frozen=True)
class _Text:
    target: str
    names: frozenset[str]
    """Words of the path and the caption: what it is called, not what is said of it."""
    objects: tuple[tuple[str, ...], ...]
    """Words of each object on the path."""
    weights: Mapping[str, float]


@dataclass(frozen=True)
class AttributeIndex:
    """The attributes of one class by the words of their paths, captions and descriptions."""

    texts: tuple[_Text, ...]
    postings: Mapping[str, tuple[NDArray[np.int32], NDArray[np.float32]]]
    """Word to the attributes that have it, and its weight in each: 1 is full."""
    rarity: Mapping[str, float]

    def search(self, words: Sequence[str], needed: Collection[str]) -> Iterator[Match]:
        """Yield the attributes that fit `words` best and have all of `needed` in their names."""
        wanted = Counter(words[:_MAX_WORDS])
        if len(wanted) < _MIN_WORDS or not all(word in self.postings for word in needed):
            return
        scores = np.zeros(len(self.texts), np.float32)
        best = 0.0
        unknown = max(self.rarity.values(), default=1.0)
        for word, count in wanted.items():
            weight = self.rarity.get(word, unknown) * min(count, 2)
            best += weight
            found = self.postings.get(word)
            if found is not None:
                scores[found[0]] += weight * found[1]
        for _number in range(_MAX_TRIED):
            place = int(scores.argmax())
            score, text = float(scores[place]) / best, self.texts[place]
            scores[place] = 0.0
            if score < MIN_SCORE:
                return
            if text.names.issuperset(needed):
                # `proxy_endpoint` is named by proxy, not by endpoint.
                named = sum(bool(words) and words[0] in wanted for words in text.objects)
                yield Match(text.target, score, len(text.objects), named)


def index_class(view: SchemaView, owner: ClassView) -> AttributeIndex:
    """Return the index of a class; made once per schema and class."""
    known = _INDEXES.setdefault(view, {})
    if owner.uid not in known:
        known[owner.uid] = _make_index(list(_list_texts(view, owner))[:MAX_PATHS])
    return known[owner.uid]


def find_attribute(
    view: SchemaView,
    owner: ClassView,
    path: Sequence[str],
    value: str | None,
    has_object: Callable[[str], bool],
) -> Match | None:
    """Return the attribute of a class that reads most like a field; None where none does.

    `has_object`: whether the event has an object by other evidence, so that more of it is likely.
    """
    segments = split_segments(path)
    last = read_words(segments[-1]) if segments else ()
    above = [word for part in segments[:-1][-2:] for word in read_words(part)]
    kind = [word for word in _KIND_WORDS.get(recognise_value(value), ()) if word not in last]
    if not last:
        return None
    for match in index_class(view, owner).search([*last, *last, *above, *kind], last):
        holder = match.target.rpartition(".")[0]
        if match.named_count == match.object_count:
            return match
        is_likely = bool(match.named_count) or (len(set(last)) > 1 and has_object(holder))
        if match.score >= MIN_UNNAMED_SCORE and is_likely:
            return match
    return None


@lru_cache(maxsize=16_384)
def read_words(text: str) -> tuple[str, ...]:
    """Return the words of a name or a text, abbreviations written out, without endings."""
    words = (_LONG_FORMS.get(word, word) for word in split_words(text))
    return tuple(_stem(word) for word in words if word not in _NO_WORDS)


def _stem(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return f"{word[:-3]}y"
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


_Holder = tuple[str, ObjectView, tuple[tuple[str, ...], ...], tuple[str, ...]]
"""Path, object, words of the objects on the way, and their types."""


def _list_texts(view: SchemaView, owner: ClassView) -> Iterator[_Text]:
    """Yield every attribute path worth finding with the weight of each of its words."""
    level: list[_Holder] = [("", owner, (), ())]
    for depth in range(MAX_DEPTH + 1):
        below = []
        for prefix, holder, words, types in level:
            for item in holder.attributes.values():
                if not _is_wanted(item, owner, depth):
                    continue
                path = f"{prefix}{item.name}{'[0]' if item.is_array else ''}"
                if item.object_type is None:
                    yield _weigh(path, item, words)
                elif item.object_type not in types and (
                    depth < MAX_DEPTH - 1 or f"{path}.".startswith(EVIDENCE)
                ):
                    child = view.objects[item.object_type]
                    above = () if f"{path}." == EVIDENCE else (*words, read_words(item.name))
                    below.append((f"{path}.", child, above, (*types, item.object_type)))
        level = below


def _is_wanted(item: AttributeView, owner: ClassView, depth: int) -> bool:
    if item.is_deprecated or item.name.endswith(("_dt", "_id")):
        return False
    if item.profiles and not item.profiles & owner.profiles & _PROFILES:
        return False
    if item.type.base == "json_t" or (item.type.base == "boolean_t" and item.enum):
        return False
    return depth > 0 or item.name not in _LEFT_OUT or item.name in _OWN.get(owner.name, ())


def _weigh(path: str, item: AttributeView, objects: tuple[tuple[str, ...], ...]) -> _Text:
    above = [word for words in objects for word in words]
    own = (*read_words(item.name), *read_words(item.caption))
    weights: dict[str, float] = defaultdict(float)
    for words, weight in (
        (read_words(item.name), _NAME_WEIGHT),
        (read_words(item.caption), _CAPTION_WEIGHT),
        (above, _ABOVE_WEIGHT),
    ):
        for word in words:
            weights[word] += weight
    for word in set(read_words(_TAG.sub(" ", item.description))[:_MAX_DESCRIPTION_WORDS]):
        weights[word] += _DESCRIPTION_WEIGHT
    return _Text(path, frozenset((*own, *above)), objects, dict(weights))


def _make_index(texts: list[_Text]) -> AttributeIndex:
    count = len(texts)
    in_texts: Counter[str] = Counter(word for text in texts for word in text.weights)
    rarity = {
        word: float(np.log(1 + (count - number + 0.5) / (number + 0.5)))
        for word, number in in_texts.items()
    }
    lengths = np.array([sum(text.weights.values()) for text in texts], np.float32)
    shares = 1 - _LENGTH_SHARE + _LENGTH_SHARE * lengths / max(float(lengths.mean()), 1.0)
    places: dict[str, list[int]] = {}
    values: dict[str, list[float]] = {}
    for number, text in enumerate(texts):
        for word, weight in text.weights.items():
            places.setdefault(word, []).append(number)
            values.setdefault(word, []).append(
                weight / (weight + _SATURATION * float(shares[number]))
            )
    postings = {
        word: (np.array(places[word], np.int32), np.array(values[word], np.float32))
        for word in places
    }
    return AttributeIndex(tuple(texts), postings, rarity)
