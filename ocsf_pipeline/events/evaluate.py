"""Events beside the events that somebody else's mapping gives: precision, recall, F1.

Belongs here: which attributes are scored, when two values are the same, and the report. Does not
belong here: making events, reading files, tables for people (`commands`).

Mappings differ in taste, so that only the attributes are scored that say what happened to whom.
The class itself is scored by `classify.evaluate`; what follows from it (category, type, activity)
would flatter the figures here and is left out, and so is a value that says nothing (Unknown).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

SCORED_ATTRIBUTES = (
    "time", "start_time", "end_time", "severity", "status", "status_detail", "message",
    "user.name", "user.uid", "user.domain", "user.type", "user.email_addr",
    "actor.user.name", "actor.user.uid", "actor.user.domain", "actor.user.type",
    "actor.user.email_addr",
    "src_endpoint.ip", "src_endpoint.port", "src_endpoint.hostname", "src_endpoint.mac",
    "dst_endpoint.ip", "dst_endpoint.port", "dst_endpoint.hostname", "dst_endpoint.mac",
    "device.*", "process.*", "actor.process.*", "file.*", "http_request.http_method",
    "http_request.url.*", "http_request.user_agent", "http_response.*", "query.*", "answers.*",
    "rcode", "connection_info.*", "traffic.*", "email.*", "cloud.*", "api.*", "finding_info.*",
    "vulnerabilities.*", "attacks.*", "metadata.product.name", "metadata.product.vendor_name",
    "metadata.product.version", "metadata.log_name", "metadata.original_time",
)  # fmt: skip
"""`x.*` stands for everything below `x`."""

TASTES = ("metadata.", "message")
"""Attributes that mappings fill or leave out as they like."""
FOLDED = (
    # Two places for one thing, by the version of the schema or by taste.
    (re.compile(r"^evidences\."), ""),
    (re.compile(r"^finding_info\.attacks\."), "attacks."),
    (re.compile(r"(^|\.)process\.path$"), r"\1process.file.path"),
    (re.compile(r"^email\.smtp_(from|to)$"), r"email.\1"),
    (re.compile(r"_dt$"), ""),
)
_TIMES = re.compile(r"(?:^|[._])time$")
_NOTHING = frozenset({"", "-", "unknown", "none", "null", "n/a"})


@dataclass(frozen=True)
class EventPair:
    """One log: the event that is expected of it, and the one that was made."""

    source: str
    expected: Mapping[str, Any]
    produced: Mapping[str, Any] | None
    """None when no event was made."""


@dataclass(frozen=True)
class AttributeScore:
    """Values of one attribute, of one product, or of all."""

    expected: int
    produced: int
    right: int

    @property
    def precision(self) -> float:
        """Share of the produced values that are right; 1 where none was produced."""
        return self.right / self.produced if self.produced else 1.0

    @property
    def recall(self) -> float:
        """Share of the expected values that were produced; 1 where none was expected."""
        return self.right / self.expected if self.expected else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of both."""
        total = self.expected + self.produced
        return 2 * self.right / total if total else 1.0

    def to_dict(self) -> dict[str, float]:
        """Return counts and shares, ready for JSON."""
        shares = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        return {**asdict(self), **{name: round(value, 4) for name, value in shares.items()}}


@dataclass(frozen=True)
class Disagreement:
    """An attribute with the values that only one side has."""

    source: str
    attribute: str
    expected: tuple[str, ...]
    produced: tuple[str, ...]


@dataclass(frozen=True)
class MappingReport:
    """How well events agree with the expected ones."""

    event_count: int
    overall: AttributeScore
    without_metadata: AttributeScore
    """Of all but `metadata` and `message`, in which mappings differ by taste."""
    macro_f1: float
    """Mean F1 over the products: each counts the same, however many logs it has."""
    by_attribute: Mapping[str, AttributeScore]
    by_source: Mapping[str, AttributeScore]
    disagreements: tuple[Disagreement, ...]

    def to_dict(self) -> dict[str, object]:
        """Return plain dicts, lists and numbers, ready for JSON."""
        return {
            "events": self.event_count,
            **self.overall.to_dict(),
            "without_metadata": self.without_metadata.to_dict(),
            "macro_f1": round(self.macro_f1, 4),
            "by_attribute": {name: item.to_dict() for name, item in self.by_attribute.items()},
            "by_source": {name: item.to_dict() for name, item in self.by_source.items()},
        }


def score_events(pairs: Sequence[EventPair]) -> MappingReport:
    """Compare the events of `pairs`, value by value.

    Raises ValueError when there are no pairs.
    """
    if not pairs:
        raise ValueError("no expected events to compare with; check that the file is not empty")
    counts: Counter[tuple[str, str, str]] = Counter()
    disagreements: list[Disagreement] = []
    for pair in pairs:
        expected, produced = _gather(pair.expected), _gather(pair.produced or {})
        for name in sorted({*expected, *produced}):
            wanted, made = expected.get(name, []), produced.get(name, [])
            right = _match(wanted, made)
            counts[pair.source, name, "expected"] += len(wanted)
            counts[pair.source, name, "produced"] += len(made)
            counts[pair.source, name, "right"] += right
            if right < max(len(wanted), len(made)):
                shown = (tuple(map(_show, wanted)), tuple(map(_show, made)))
                disagreements.append(Disagreement(pair.source, name, *shown))
    sources = sorted({pair.source for pair in pairs})
    names = sorted({name for _source, name, _kind in counts})
    by_source = {source: _sum(counts, source=source) for source in sources}
    by_attribute = {name: _sum(counts, name=name) for name in names}
    return MappingReport(
        event_count=len(pairs),
        overall=_sum(counts),
        without_metadata=_sum(
            {key: n for key, n in counts.items() if not key[1].startswith(TASTES)}
        ),
        macro_f1=sum(item.f1 for item in by_source.values()) / len(by_source),
        by_attribute=dict(sorted(by_attribute.items(), key=lambda item: -item[1].expected)),
        by_source=by_source,
        disagreements=tuple(disagreements),
    )


def _sum(
    counts: Mapping[tuple[str, str, str], int], source: str | None = None, name: str | None = None
) -> AttributeScore:
    total: Counter[str] = Counter()
    for (of_source, of_name, kind), count in counts.items():
        if source in (None, of_source) and name in (None, of_name):
            total[kind] += count
    return AttributeScore(total["expected"], total["produced"], total["right"])


Alternatives = frozenset[str]
"""Texts that all stand for one value: an enum's number and its caption."""


def _gather(event: Mapping[str, Any]) -> dict[str, list[Alternatives]]:
    """Return the scored values of an event by attribute; equal values of one count once."""
    found: dict[str, list[Alternatives]] = {}
    for path, value in _flatten(event, ""):
        for pattern, replacement in FOLDED:
            path = pattern.sub(replacement, path)
        if _is_scored(path):
            same = _normalise(path, value)
            if same and same not in found.setdefault(path, []):
                found[path].append(same)
    return {path: values for path, values in found.items() if values}


def _flatten(value: object, path: str) -> Iterator[tuple[str, tuple[object, ...]]]:
    """Yield (path, values that stand for one thing); lists have no step of their own."""
    if isinstance(value, Mapping):
        for name, below in value.items():
            number = value.get(f"{name}_id")
            inner = f"{path}.{name}" if path else str(name)
            if number is not None and not isinstance(below, Mapping | list):
                yield inner, (below, number)
            elif name.endswith("_id") and not isinstance(below, Mapping | list):
                if name[:-3] not in value:
                    yield inner[:-3], (None, below)
            else:
                yield from _flatten(below, inner)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for item in value:
            yield from _flatten(item, path)
    else:
        yield path, (value,)


def _is_scored(path: str) -> bool:
    return any(
        path.startswith(name[:-1]) if name.endswith("*") else path == name
        for name in SCORED_ATTRIBUTES
    )


def _normalise(path: str, values: tuple[object, ...]) -> Alternatives:
    """Return what a value may be spelled as; empty where it says nothing."""
    if len(values) == 2:  # the caption of an enum and its number
        caption, number = values
        if number == 0 or (_spell(caption) in _NOTHING and number in (None, 99)):
            return frozenset()
        texts = {_spell(caption)} - _NOTHING
        return frozenset(texts if number in (None, 99) else {*texts, f"#{number}"})
    text = _spell(values[0])
    if text in _NOTHING:
        return frozenset()
    if _TIMES.search(path):
        return frozenset({_spell_time(text)})
    return frozenset({text})


def _spell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip().lower()


def _spell_time(text: str) -> str:
    """Return a time in epoch milliseconds, the text itself where it is none."""
    try:
        moment = datetime.fromisoformat(re.sub(r"(\.[0-9]{6})[0-9]+", r"\1", text.upper()))
    except ValueError:
        return text
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return str(int(moment.timestamp() * 1000))


def _match(wanted: Sequence[Alternatives], made: Sequence[Alternatives]) -> int:
    free = list(made)
    right = 0
    for value in wanted:
        hit = next((item for item in free if item & value), None)
        if hit is not None:
            free.remove(hit)
            right += 1
    return right


def _show(value: Alternatives) -> str:
    return "|".join(sorted(value))
