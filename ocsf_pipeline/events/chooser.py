"""Which of several proposals gives an attribute: every attribute and every field is used once.

Belongs here: taking proposals in their order, what speaks against one, casts that follow from a
value's kind, and rules that follow from other rules. Does not belong here: making proposals
(`compiler`, `proposals`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from ocsf_pipeline.events.kinds import HASH_BY_LENGTH, may_be, recognise_value
from ocsf_pipeline.events.mapping import CONSTANT, EVIDENCE, MAX_ELEMENTS, SUMMED, Rule
from ocsf_pipeline.events.schema_view import ClassView, ResolvedPath, SchemaView
from ocsf_pipeline.events.tree import split_path
from ocsf_pipeline.events.twins import find_twin
from ocsf_pipeline.events.values import enum_words

RESERVED = frozenset({
    "time", "message", "raw_data", "unmapped", "activity_id", "activity_name", "type_uid",
    "type_name", "class_uid", "class_name", "category_uid", "category_name", "observables",
    "metadata.uid", "metadata.version", "metadata.profiles",
})  # fmt: skip
"""Attributes that the pipeline itself fills."""
_NETWORK_CATEGORY = 4
_TOTALS = {
    f"traffic.{unit}": (f"traffic.{unit}_in", f"traffic.{unit}_out")
    for unit in ("bytes", "packets")
}
_OLDER_NAMES = (("process.path", "process.file.path"), ("_list[0]", ""))
"""Ends of attribute paths, and what older releases of the schema have for them."""


@dataclass(frozen=True)
class Proposal:
    """A source, and the attributes that it may give, best first."""

    rank: tuple[float, ...]
    source: tuple[str, ...]
    targets: tuple[str, ...]
    reason: str
    sample: str | None = None
    """A value that stood there; None where none is known."""
    words: Mapping[str, str] | None = None
    """The product's words for an enum's captions."""
    is_list: bool = False
    """Whether the source is a list, which may fill an array as a whole."""
    is_copy: bool = False
    """Whether the source may give another attribute too."""
    is_sure: bool = False
    """Said by a source pack: the sample's value does not speak against it."""


class Chooser:
    """Takes proposals for one template; `rules` and `evidence` are what came of them."""

    def __init__(self, view: SchemaView, owner: ClassView) -> None:
        self._view = view
        self._owner = owner
        self.rules: dict[str, Rule] = {}
        self.profiles: set[str] = set()
        self.evidence: dict[str, str] = {}
        self._sources: set[tuple[str, ...]] = set()
        self._used: dict[str, set[str]] = {}
        self._samples: dict[str, str] = {}

    def offer(self, proposal: Proposal) -> bool:
        """Take the first of the proposal's attributes that fits and is free."""
        is_used = proposal.source in self._sources and proposal.source[0] != CONSTANT
        if is_used and not proposal.is_copy:
            return False
        for target in self._list_variants(proposal):
            if self._take(target, proposal):
                self._sources.add(proposal.source)
                return True
            if target in self.rules and not proposal.is_sure:
                return False  # another field means the same; what comes next means another thing
        return False

    def block(self, source: tuple[str, ...]) -> None:
        """Let no proposal use `source`."""
        self._sources.add(source)

    def is_used(self, source: tuple[str, ...]) -> bool:
        """Whether a source gives an attribute, or may give none."""
        return source in self._sources

    def has(self, prefix: str) -> bool:
        """Whether some rule gives `prefix` or an attribute below it."""
        return any(f"{target}.".startswith(f"{prefix}.") for target in self.rules)

    def make_actor_the_user(self) -> None:
        """Where only an actor is named, let its rules give the class's `user`."""
        if self.has("user"):
            return
        for target in [name for name in self.rules if name.startswith("actor.user.")]:
            rule, reason = self.rules.pop(target), self.evidence.pop(target)
            moved = target.removeprefix("actor.")
            if self._place(moved, replace(rule, target=moved), reason) is None:
                self.rules[target], self.evidence[target] = rule, reason

    def add_derived(self) -> None:
        """Add what follows from rules: names of paths, numbers of protocols, versions of IP."""
        for target, rule in sorted(self.rules.items()):
            if rule.source[0] == CONSTANT:
                continue
            for derived, cast in self._list_derived(target):
                if derived not in self.rules:
                    follows = Rule(rule.source, derived, cast)
                    self._place(derived, follows, f"from {target}")
        for total, parts in _TOTALS.items():
            if all(part in self.rules for part in parts):
                self._place(
                    total, Rule((SUMMED, *parts), total, "sum"), f"sum of {' and '.join(parts)}"
                )

    def add_elements(self, records: Collection[tuple[str, ...]]) -> None:
        """Let further records of a list give further elements of the array that the first is in."""
        for target, rule in sorted(self.rules.items()):
            head, bracket, tail = target.rpartition("[0]")
            if not bracket or rule.source not in records:
                continue
            for number in range(1, MAX_ELEMENTS):
                further = f"{head}[{number}]{tail}"
                follows = replace(rule, target=further, element=number)
                self._place(further, follows, f"as {target}")

    def _list_variants(self, proposal: Proposal) -> Iterator[str]:
        """Yield the attributes to try: the value may speak for a twin, findings have evidences."""
        for wanted in proposal.targets:
            target = self._view.migrate_path(self._owner, self._swap_twin(wanted, proposal))
            yield target
            for newer, older in _OLDER_NAMES:
                if target.endswith(newer):
                    yield target.removesuffix(newer) + older
            root = target.partition(".")[0].partition("[")[0]
            if root not in self._owner.attributes and "evidences" in self._owner.attributes:
                yield f"{EVIDENCE}{target}"

    def _swap_twin(self, target: str, proposal: Proposal) -> str:
        if proposal.is_sure or not proposal.sample:
            return target
        return find_twin(target, proposal.sample, self._owner)

    def _take(self, target: str, proposal: Proposal) -> bool:
        resolved = self._view.resolve_path(self._owner, target)
        if resolved is None:
            return False
        leaf, sample = resolved.leaf, proposal.sample
        if leaf.object_type is not None or target in RESERVED:
            return False
        if not proposal.is_sure and not may_be(sample, leaf):
            return False
        if proposal.is_list and target.endswith("]") and not leaf.enum and not leaf.is_required:
            whole = f"{target.rpartition('[')[0]}[*]"
            rule = Rule(proposal.source, whole, "list")
            return self._place(whole, rule, proposal.reason) is not None
        target, cast = _settle_enum(target, resolved)
        cast = self._settle_cast(target, cast, resolved, sample)
        words = _read_words(proposal.words, resolved, cast)
        placed = self._place(target, Rule(proposal.source, target, cast, words), proposal.reason)
        if placed is None:
            return False
        self._samples[target] = sample or ""
        if cast == "account":
            domain = Rule(proposal.source, f"{target[:-4]}domain", "domain")
            if self._place(domain.target, domain, f"from {target}") is None:
                self.rules[target] = Rule(proposal.source, target, "value", words)
        elif cast == "host":
            port = Rule(proposal.source, f"{target.rpartition('.')[0]}.port", "port")
            self._place(port.target, port, f"from {target}")
        return True

    def _settle_cast(
        self, target: str, cast: str, resolved: ResolvedPath, sample: str | None
    ) -> str:
        """Return the cast that the sample's kind asks for."""
        kind = recognise_value(sample)
        if cast != "value":
            return cast
        if kind == "ip_port" and resolved.leaf.type.name in ("ip_t", "hostname_t"):
            return "host"
        if kind == "account" and target.endswith("user.name"):
            return "account"
        return cast

    def _place(self, target: str, rule: Rule, reason: str) -> ResolvedPath | None:
        resolved = self._view.resolve_path(self._owner, target)
        if resolved is None or target in RESERVED or target in self.rules:
            return None
        if self._breaks_constraint(target) or self._is_filled(target):
            return None
        self.rules[target] = rule
        self.profiles |= resolved.profiles
        self.evidence[target] = reason
        return resolved

    def _list_derived(self, target: str) -> Iterator[tuple[str, str]]:
        head, _dot, last = target.rpartition(".")
        if last == "path" and head:
            yield f"{head}.name", "basename"
            if head.rpartition(".")[2] in ("process", "parent_process"):
                yield f"{head}.file.path", "same"
                yield f"{head}.file.name", "basename"
        elif target == "connection_info.protocol_name":
            yield "connection_info.protocol_num", "protocol_num"
        elif target == "connection_info.protocol_num":
            yield "connection_info.protocol_name", "protocol_name"
        elif target == "src_endpoint.ip" and self._owner.category_uid == _NETWORK_CATEGORY:
            yield "connection_info.protocol_ver_id", "ip_version"

    def _is_filled(self, target: str) -> bool:
        """True when a list fills the array of which `target` is one element, or the reverse."""
        array, bracket, key = target.rpartition("[")
        if not bracket or not target.endswith("]"):
            return False
        if key == "*]":
            return any(name.startswith(f"{array}[") for name in self.rules)
        return f"{array}[*]" in self.rules

    def _breaks_constraint(self, target: str) -> bool:
        """True when another rule already gives the one attribute that may be present."""
        place = ""
        single, attributes = self._owner.just_one, self._owner.attributes
        for name, _key in split_path(target):
            if name in single:
                used = self._used.setdefault(place, set())
                if used - {name}:
                    return True
                used.add(name)
            object_type = attributes[name].object_type
            if object_type is None:
                break
            below = self._view.objects[object_type]
            single, attributes = below.just_one, below.attributes
            place = f"{place}.{name}"
        return False


def _settle_enum(target: str, resolved: ResolvedPath) -> tuple[str, str]:
    """Return the enum's number attribute in place of its text sibling, and the cast."""
    leaf = resolved.leaf
    number = resolved.holder.siblings.get(leaf.name)
    if number is not None and not resolved.holder.attributes[number].is_array:
        head, _dot, _name = target.rpartition(".")
        return (f"{head}.{number}" if head else number), "enum"
    if leaf.enum and leaf.type.base in ("integer_t", "long_t"):
        return target, "number"
    return target, "value"


def _read_words(
    words: Mapping[str, str] | None, resolved: ResolvedPath, cast: str
) -> tuple[tuple[str, int], ...]:
    """Return the product's words by the enum's numbers; a caption that is none is passed over."""
    if not words or cast != "enum":
        return ()
    leaf = resolved.leaf
    number = resolved.holder.siblings.get(leaf.name, leaf.name)
    captions = enum_words(resolved.holder.attributes[number])
    found = {word.lower(): captions.get(caption.lower()) for word, caption in words.items()}
    return tuple((word, value) for word, value in sorted(found.items()) if value is not None)


def hash_key(text: str | None) -> str | None:
    """Return the algorithm of a digest by its length, None where the text is no digest."""
    kind = recognise_value(text)
    return kind if kind in HASH_BY_LENGTH.values() else None
