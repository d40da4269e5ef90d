"""A template's sample becomes its mapping: proposals of all kinds, chosen once.

Belongs here: the order of the kinds of evidence, what columns of the record give, the version.
Does not belong here: single kinds of evidence (`proposals`), choosing (`chooser`), rows (`run`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import polars as pl

from ocsf_pipeline.events import proposals as propose
from ocsf_pipeline.events.aliases import AliasTable, load_aliases
from ocsf_pipeline.events.chooser import Chooser, Proposal
from ocsf_pipeline.events.hints import (
    Origin,
    ProductHints,
    choose_product,
    hints_version,
    read_origin,
)
from ocsf_pipeline.events.kinds import is_instant
from ocsf_pipeline.events.mapping import (
    CAPTURED,
    CONSTANT,
    DATETIME_PROFILE,
    RULES_VERSION,
    EventMapping,
    Rule,
    TextPattern,
)
from ocsf_pipeline.events.outcomes import find_outcome
from ocsf_pipeline.events.phrases import PhraseTable, load_phrases
from ocsf_pipeline.events.samples import Sample, find_sample
from ocsf_pipeline.events.schema_view import ClassView, SchemaView, view_schema
from ocsf_pipeline.events.sentences import TextFinder
from ocsf_pipeline.events.shapes import Kind
from ocsf_pipeline.schema.model import OcsfSchema

SELF_ACTING_CLASSES = frozenset({"authentication"})
"""Whoever acts is the user that the event is about, unless the log names another."""

_NUMBERED_SEVERITIES: Mapping[str, Mapping[str, str]] = {
    # formats whose own definition says what a number means
    "xml": {"0": "informational", "1": "critical", "2": "medium", "3": "low",
            "4": "informational", "5": "informational"},
    "cef": {**dict.fromkeys(("0", "1", "2", "3"), "low"), **dict.fromkeys("456", "medium"),
            **dict.fromkeys("78", "high"), "9": "critical", "10": "critical"},
    "syslog": {"0": "fatal", "1": "critical", "2": "critical", "3": "medium", "4": "low",
               "5": "informational", "6": "informational", "7": "informational"},
}  # fmt: skip
_NUMBERED_SEVERITIES = {**_NUMBERED_SEVERITIES, "leef": _NUMBERED_SEVERITIES["cef"]}
_OWN_DAEMONS = frozenset({2, 4})
"""Categories in which the program in front of a line is the device's own daemon."""
_TEXT_HEADER = frozenset({"message", "syslog_host"})
_EVENT_HEADER = frozenset({"ProcessID", "ThreadID"})
"""Of Windows event XML: the process that wrote the event, not one that it is about."""


@dataclass(frozen=True)
class MappingCompiler:
    """Compiles mappings for one schema, one set of hints and one choice of profiles."""

    schema: OcsfSchema
    hints: Mapping[str, ProductHints] = field(default_factory=dict)
    with_datetime: bool = False
    """Whether times are also given as RFC 3339 texts, by the profile `datetime`."""
    aliases: AliasTable = field(default_factory=load_aliases)
    phrases: PhraseTable = field(default_factory=load_phrases)

    @cached_property
    def view(self) -> SchemaView:
        """What the stage needs of the schema."""
        return view_schema(self.schema)

    @cached_property
    def version(self) -> str:
        """Changes when any mapping may change: rules, tables, hints, schema, profiles."""
        parts = [
            RULES_VERSION, self.schema.version, self.aliases.version, self.phrases.version,
            hints_version(self.hints), self.with_datetime,
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    def compile_decisions(self, decisions: pl.DataFrame) -> dict[str, EventMapping]:
        """Compile one mapping per row of `decisions` (DECISION_SCHEMA), by template_id.

        A decision for a class that the schema has not is mapped as base event (0).
        """
        compiled = {}
        names = (
            "template_id", "class_uid", "sample_fields", "evidence", "format", "vendor", "product",
        )  # fmt: skip
        for row in decisions.select(names).unique("template_id").iter_rows(named=True):
            sample = find_sample([row["sample_fields"]])
            origin = read_origin(row)
            hints = self._choose_hints(origin, sample)
            compiled[row["template_id"]] = self.compile(
                row["template_id"], row["class_uid"], sample, origin.format, hints
            )
        return compiled

    def compile_again(self, mapping: EventMapping, sample: Sample) -> EventMapping:
        """Compile a mapping for another sample of the same template."""
        hints = self.hints.get(mapping.product)
        return self.compile(
            mapping.template_id, mapping.class_uid, sample, mapping.format, (hints, "as before")
            if hints else None,
        )  # fmt: skip

    def compile(
        self,
        template_id: str,
        class_uid: int,
        sample: Sample,
        log_format: str = "",
        known: tuple[ProductHints, str] | None = None,
    ) -> EventMapping:
        """Compile the mapping of one template; `known`: its product's hints, and why they apply."""
        owner = self.view.find_live_class(class_uid)
        chooser = Chooser(self.view, owner)
        hints = known[0] if known else None
        patterns: list[TextPattern] = []
        for source in _list_blocked(owner, sample, hints, log_format):
            chooser.block(source)
        offered = list(self._propose(owner, sample, hints, patterns, log_format))
        offered.sort(key=lambda item: item.rank)
        offered = _drop_plain_times(offered, chooser)
        # A value that does not fit may be the sample's alone: what is still free is taken then.
        refused = [item for item in offered if not chooser.offer(item)]
        for proposal in refused:
            if proposal.rank[0] == propose.NAME and propose.is_typed_name(proposal.source):
                chooser.offer(replace(proposal, sample=None))
        similar = propose.propose_similar(self.view, owner, sample, chooser)
        for proposal in sorted(similar, key=lambda item: item.rank):
            chooser.offer(proposal)
        if owner.name in SELF_ACTING_CLASSES:
            chooser.make_actor_the_user()
        for proposal in _propose_columns(owner, log_format):
            chooser.offer(proposal)
        chooser.add_derived()
        kinds = propose.list_sources(sample.shape)
        chooser.add_elements({path for path, kind in kinds if kind is Kind.RECORDS})
        _add_outcome(owner, sample, chooser)
        return self._finish(template_id, owner, sample, log_format, known, chooser, patterns)

    def _propose(
        self,
        owner: ClassView,
        sample: Sample,
        hints: ProductHints | None,
        patterns: list[TextPattern],
        log_format: str,
    ) -> Iterator[Proposal]:
        finder = TextFinder(sample, patterns)
        if hints is not None:
            yield from propose.propose_hints(hints, sample)
            yield from finder.propose_hints(hints)
        yield from propose.propose_own_paths(self.view, owner, sample)
        for proposal in propose.propose_names(self.aliases, owner, sample):
            yield _with_scale(proposal, log_format)
        for proposal in finder.propose_phrases(self.phrases.phrases):
            yield _with_scale(proposal, "syslog")
        yield from finder.propose_pairs(self.aliases, owner)
        yield from propose.propose_values(sample)
        yield from propose.propose_cloud(owner, sample)
        yield from propose.propose_header_time(patterns, log_format)

    def _choose_hints(self, origin: Origin, sample: Sample) -> tuple[ProductHints, str] | None:
        if not self.hints:
            return None
        paths = [".".join(path) for path, _kind in propose.list_sources(sample.shape)]
        return choose_product(self.hints, origin, paths, list(sample.values.values()))

    def _finish(
        self,
        template_id: str,
        owner: ClassView,
        sample: Sample,
        log_format: str,
        known: tuple[ProductHints, str] | None,
        chooser: Chooser,
        patterns: list[TextPattern],
    ) -> EventMapping:
        rules = tuple(sorted(chooser.rules.values(), key=lambda rule: rule.target))
        rules, kept = _drop_unused_patterns(rules, patterns)
        profiles = set(chooser.profiles)
        if self.with_datetime and DATETIME_PROFILE in owner.profiles:
            profiles.add(DATETIME_PROFILE)
        evidence = dict(chooser.evidence)
        if known:
            evidence["metadata.product.name"] = evidence.get(
                "metadata.product.name", f"pack {known[0].product}: {known[1]}"
            )
        named = (known[0].product, known[0].name, known[0].vendor) if known else ("", "", "")
        identity = [
            self.version, owner.uid, log_format, named, sorted(profiles),
            [[rule.source, rule.target, rule.cast, rule.words, rule.element] for rule in rules],
            [[item.source, item.pattern] for item in kept], sample.shape.to_json(),
        ]  # fmt: skip
        digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        return EventMapping(
            template_id=template_id,
            class_uid=owner.uid,
            rules=rules,
            profiles=tuple(sorted(profiles)),
            shape=sample.shape,
            version=digest[:16],
            evidence=evidence,
            patterns=kept,
            product=named[0],
            product_name=named[1],
            product_vendor=named[2],
            format=log_format,
        )


def compile_mappings(
    schema: OcsfSchema,
    decisions: pl.DataFrame,
    hints: Mapping[str, ProductHints] | None = None,
) -> dict[str, EventMapping]:
    """Compile one mapping per row of `decisions`; see `MappingCompiler.compile_decisions`."""
    return MappingCompiler(schema, hints or {}).compile_decisions(decisions)


def _list_blocked(
    owner: ClassView, sample: Sample, hints: ProductHints | None, log_format: str
) -> Iterator[tuple[str, ...]]:
    """Yield the fields that give no attribute, by what the pack or the format says."""
    for name, targets in (hints.fields if hints else {}).items():
        if not targets:
            yield tuple(name.split("."))
    names = set(sample.shape.fields)
    if owner.category_uid in _OWN_DAEMONS and "program" in names and names & _TEXT_HEADER:
        yield from ((name,) for name in ("program", "pid"))
    if "syslog_host" in names:
        yield from ((name,) for name in ("sd_id", "msgid"))
    if log_format == "xml" and set(sample.shape.fields) >= _EVENT_HEADER:
        yield from ((name,) for name in _EVENT_HEADER)


_ORIGINAL_TIME = ("metadata.original_time",)


def _drop_plain_times(offered: list[Proposal], chooser: Chooser) -> list[Proposal]:
    """Leave out the original time where `time` says all of it: an instant, whatever its form.

    The fields stay as they are in `unmapped`. Where a zone or a year is missing, `time` is our
    reading of what was written, and that belongs beside it.
    """
    times = [item for item in offered if item.targets[:1] == _ORIGINAL_TIME and not item.is_sure]
    if not any(is_instant(item.sample) for item in times):
        return offered
    for item in times:
        chooser.block(item.source)
    return [item for item in offered if item not in times]


def _add_outcome(owner: ClassView, sample: Sample, chooser: Chooser) -> None:
    """Where no field says how it went, the words of the sentence may."""
    if "status_id" not in owner.attributes or chooser.has("status_id"):
        return
    outcome = find_outcome(TextFinder(sample, []).list_texts())
    if outcome is not None:
        word, caption = outcome
        chooser.offer(Proposal((0,), (CONSTANT, caption), ("status",), f"word {word}"))


def _propose_columns(owner: ClassView, log_format: str) -> Iterator[Proposal]:
    """Propose what the record says beside its fields, where nothing better was found."""
    scale = _NUMBERED_SEVERITIES.get(log_format)
    yield Proposal((0,), ("@severity",), ("severity",), "column severity", words=scale)
    host = "device.hostname" if "device" in owner.attributes else "src_endpoint.hostname"
    yield Proposal((0,), ("@host",), (host,), "column host")
    yield Proposal((0,), ("@message",), ("finding_info.title",), "column message")


def _with_scale(proposal: Proposal, log_format: str) -> Proposal:
    scale = _NUMBERED_SEVERITIES.get(log_format)
    if scale is None or proposal.targets[:1] != ("severity",):
        return proposal
    return Proposal(
        proposal.rank, proposal.source, proposal.targets, proposal.reason, proposal.sample, scale
    )


def _drop_unused_patterns(
    rules: tuple[Rule, ...], patterns: list[TextPattern]
) -> tuple[tuple[Rule, ...], tuple[TextPattern, ...]]:
    """Leave out patterns none of whose groups gives an attribute, and number the others anew."""
    used = sorted({int(rule.source[1]) for rule in rules if rule.source[0] == CAPTURED})
    renumbered = {str(old): str(new) for new, old in enumerate(used)}
    kept = tuple(patterns[old] for old in used)
    moved = tuple(
        replace(rule, source=(CAPTURED, renumbered[rule.source[1]], rule.source[2]))
        if rule.source[0] == CAPTURED
        else rule
        for rule in rules
    )  # fmt: skip
    return moved, kept
