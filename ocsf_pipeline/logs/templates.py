"""The template of a shape: one identity for all shapes that differ in nothing that matters.

Belongs here: canonicalising a shape (Python, once per new shape), the ids that follow from it, and
which keys of the shape hold time, host, severity and message. Does not belong here: anything done
per log (`shapes`), any decision about classes.

A template must be pure (two logs that deserve different classes never share one) and templates
must be few (field order, optional fields, ids, addresses, times, array lengths make no new one):

- a structured log whose event is named (`eventName: RunInstances`) is identified by its format, the
  names and the values of its naming keys, and by who says so (product, provider, channel);
- one that is not named (flow records, DNS answers) by its sorting values, by its words, and by the
  *concepts* its keys speak of (addresses, query, url, user …), not by the exact set of keys;
- text by its program, its message code where it has one, else by its words without variables.

Everything here is a function of the shape alone, so that ids depend on no order of arrival.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ocsf_pipeline.logs.keys import KeyRole, describe_key
from ocsf_pipeline.logs.shapes import NAME_SEPARATOR, SHAPE_SEPARATOR
from ocsf_pipeline.logs.words import mask_variables

_TEMPLATE_VERSION = "2"
_PAIR = re.compile(r'"([^"\\]+)":(?:"([^"\\]*)"|(-?\d{1,6})[,}\]]|([\[{]+))?')
_MAX_VALUE = 80
_MAX_REPEATED = 20
# Values that say too little to name an event by themselves.
_PALE = frozenset(
    """
    allow allowed accept accepted pass passed permit permitted deny denied drop dropped block
    blocked reject rejected success successful succeeded failure failed fail error ok info
    information informational notice warning debug critical event events log logs audit alert
    alerts message messages record records data entry item object create created creation update
    updated delete deleted add added remove removed read write get post put patch list head
    options connect start started stop stopped begin end open opened close closed new change
    changed modify modified edit edited view viewed access accessed user users system default
    none null unknown other general generic standard true false yes no na n/a undefined enabled
    disabled detect detected monitor monitored traffic network security activity json string
    request response resource entity
    destroy snapshot publish apply run submit process
    """.split()  # noqa: SIM905 - a list of two hundred literals reads worse
)
_VENDOR_KEYS = ("vendor", "vendorname", "vendor_name", "devicevendor", "device_vendor")
_PRODUCT_KEYS = (
    "product", "productname", "product_name", "deviceproduct", "device_product", "provider",
    "providername", "eventsource", "sourcename", "program", "workload",
)  # fmt: skip
_CODE_PRODUCTS = (
    (re.compile(r"^%(?:ASA|PIX|FWSM)-"), ("Cisco", "ASA")),
    (re.compile(r"^%FTD-"), ("Cisco", "Firepower Threat Defense")),
    (re.compile(r"^%[A-Z0-9_]+(?:-[A-Z0-9_]+)*-\d-"), ("Cisco", "IOS")),
)
_STYLES = (
    ("dotted", re.compile(r"[.]")),
    ("kebab", re.compile(r"-")),
    ("snake", re.compile(r"_")),
    ("pascal", re.compile(r"^[A-Z].*[a-z]")),
    ("camel", re.compile(r"^[a-z]+[A-Z]")),
)


@dataclass(frozen=True)
class Template:
    """What is known of a template from its shape alone."""

    template_id: str
    """Empty where the shape must be refined first, by nested name and words."""
    vendor: str | None = None
    product: str | None = None
    time_key: str | None = None
    host_key: str | None = None
    severity_key: str | None = None
    message_key: str | None = None
    repeated_keys: tuple[tuple[str, int], ...] = ()
    """Keys that stand more than once in a flat list of pairs, and how often."""
    opens_name: bool = False
    """Whether an object in it is about the event, so that its name is to be looked for."""
    words_key: str | None = None
    """Where the words lie that the shape is to be refined by."""

    @property
    def is_final(self) -> bool:
        """Whether the shape told enough."""
        return bool(self.template_id)


@dataclass
class _Outline:
    """The tokens of a structured shape, taken apart."""

    pairs: set[tuple[str, str]] = field(default_factory=set)
    """(last part of the key, lower case; value) of naming and sorting keys."""
    keys: dict[str, None] = field(default_factory=dict)
    """Keys of plain values, as they stand, in the order in which they were met."""
    opened: set[str] = field(default_factory=set)
    """Keys of objects and arrays."""
    counts: Counter[str] = field(default_factory=Counter)


def identify_template(shape: str) -> Template:
    """Return the template of one shape: the same shape gives the same id for ever."""
    format_name, name, code, masked = shape.split(SHAPE_SEPARATOR, 3)
    if format_name == "text":
        return _identify_text(name, code, masked)
    return _identify_structure(format_name, name, code, masked, is_refined=False)


def identify_refined(shape: str) -> Template:
    """Return the template of a structured shape that holds nested name and words."""
    format_name, tokens, nested, words = shape.split(SHAPE_SEPARATOR, 3)
    return _identify_structure(format_name, tokens, nested, words, is_refined=True)


def _identify_structure(
    format_name: str, tokens: str, nested: str, words: str, *, is_refined: bool
) -> Template:
    outline = _read_outline(tokens)
    named = {(key, value) for key, value in outline.pairs if describe_key(key).is_naming}
    telling = any(_is_telling(key, value) for key, value in named)
    opens_name = any(describe_key(key).opens_name for key in outline.opened)
    says_name = format_name == "cef" and not is_refined
    if (not telling or opens_name or says_name) and not is_refined:
        words_key = _choose_words(format_name, outline, telling)
        return Template("", opens_name=opens_name, words_key=words_key)
    owned = {(key, value) for key, value in outline.pairs if describe_key(key).is_owner}
    names = sorted(set(nested.split(NAME_SEPARATOR))) if nested else []
    identity = ["nested", *names] if names else []
    if telling or any(_is_telling("name", name.partition("=")[2]) for name in names):
        identity += ["named", *_join(named | owned)]
        if format_name == "cef":
            identity += ["words", mask_variables(words)]
    else:
        identity += _describe_unnamed(outline, words)
    return Template(
        template_id=_digest(format_name, identity),
        vendor=_first(outline.pairs, _VENDOR_KEYS),
        product=_first(outline.pairs, _PRODUCT_KEYS),
        time_key=_choose_time(outline),
        host_key=_choose_host(outline),
        severity_key=_choose(outline.keys, lambda role: role.severity),
        message_key=_choose(outline.keys, lambda role: role.message),
        repeated_keys=() if format_name == "json" else _find_repeated(outline),
    )


def _read_outline(tokens: str) -> _Outline:
    outline = _Outline()
    for key, text, number, brackets in _PAIR.findall(tokens):
        if brackets:
            outline.opened.add(key)
            if "{" in brackets:
                continue
        outline.keys[key] = None
        outline.counts[key] += 1
        value = text or number
        if value and len(value) <= _MAX_VALUE:
            outline.pairs.add((key.rsplit(".", 1)[-1].lower(), value))
    return outline


def _find_repeated(outline: _Outline) -> tuple[tuple[str, int], ...]:
    repeated = [(key, count) for key, count in outline.counts.items() if count > 1]
    return tuple((key, min(count, _MAX_REPEATED)) for key, count in repeated[:_MAX_REPEATED])


def _describe_unnamed(outline: _Outline, words: str) -> list[str]:
    keys = [*outline.keys, *outline.opened]
    concepts = sorted({name for key in keys for name in describe_key(key).concepts})
    # Nothing but keys, none of them known: only the keys themselves can keep logs apart.
    bare = sorted(outline.keys) if not concepts and not outline.pairs and not words else []
    return [
        "sorted", *_join(outline.pairs), "concepts", *concepts, *bare,
        "style", _name_style(keys), "words", mask_variables(words),
    ]  # fmt: skip


def _name_style(keys: Iterable[str]) -> str:
    """Return how most keys are written: a product keeps to one style."""
    counts = dict.fromkeys([name for name, _ in _STYLES], 0)
    for key in keys:
        style = next((name for name, pattern in _STYLES if pattern.search(key)), None)
        if style:
            counts[style] += 1
    best = max(counts, key=lambda name: counts[name])
    return best if counts[best] else "plain"


def _choose(
    keys: Iterable[str], rank: Callable[[KeyRole], int | None], skip: frozenset[str] = frozenset()
) -> str | None:
    """Return the key of the best rank; of equals the one that sorts first, in any order of keys."""
    ranked = [
        (found, key)
        for key in keys
        if key not in skip and (found := rank(describe_key(key))) is not None
    ]
    return min(ranked)[1] if ranked else None


def _choose_time(outline: _Outline) -> str | None:
    """Return the key of the time; `date+time` where one time stands in two fields."""
    if "date" in outline.keys and "time" in outline.keys:
        return "date+time"
    return _choose(outline.keys, lambda role: role.time)


def _choose_host(outline: _Outline) -> str | None:
    """Return the key of the host; `host{}` where it is an object with a name."""
    plain = _choose(outline.keys, lambda role: role.host)
    nested = any(re.match(r"(?i)(?:host|device|computer|agent|endpoint)$", key)
                 for key in outline.opened)  # fmt: skip
    return plain or ("host{}" if nested else None)


def _choose_words(format_name: str, outline: _Outline, telling: bool) -> str | None:
    if format_name == "cef":
        return "name"
    return None if telling else _choose(outline.keys, lambda role: role.words)


def _join(pairs: Iterable[tuple[str, str]]) -> list[str]:
    return sorted(f"{key}={value}" for key, value in pairs)


def _is_telling(key: str, value: str) -> bool:
    words = re.findall(r"[A-Za-z]+|\d+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", value))
    if not words:
        return False
    if all(word.isdigit() for word in words):
        return len("".join(words)) >= 3 or describe_key(key).is_numbered
    return any(word.lower() not in _PALE and len(word) > 1 for word in words) or len(words) >= 3


def _first(pairs: set[tuple[str, str]], keys: tuple[str, ...]) -> str | None:
    for wanted in keys:
        values = sorted(value for key, value in pairs if key == wanted and value)
        if values:
            return values[0]
    return None


def _identify_text(program: str, code: str, masked: str) -> Template:
    base = program.rsplit("/", 1)[-1]
    base = re.sub(r"[\d.\-_]+$", "", base) or base
    if code:
        vendor, product = next(
            (owner for pattern, owner in _CODE_PRODUCTS if pattern.match(code)), (None, None)
        )
        return Template(_digest("text", ["code", code]), vendor, product)
    identity = ["words", base, mask_variables(masked)]
    return Template(_digest("text", identity), None, base or None)


def _digest(format_name: str, identity: list[str]) -> str:
    text = SHAPE_SEPARATOR.join((_TEMPLATE_VERSION, format_name, *identity))
    return hashlib.sha256(text.encode()).hexdigest()[:20]
