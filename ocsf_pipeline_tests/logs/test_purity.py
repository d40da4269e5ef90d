"""Purity of templates, measured on the examples of the source packs.

Impure is an example whose template has mostly examples of another class, unless both accept each
other's: it would get that class, whoever decides.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

import pytest

from ocsf_pipeline.adapters.pack_files import read_packs
from ocsf_pipeline.knowledge.packs import PackEvent
from ocsf_pipeline.logs.single import normalize_texts
from ocsf_pipeline_tests.fakes.log_objects import HOUR

# Over all packs 0.8 % are impure and an event has 1.7 templates (2.1 examples in several formats).
MAX_IMPURE = 0.02
MAX_TEMPLATES_PER_EVENT = 1.9
PACKS = 60


@dataclass(frozen=True)
class Example:
    product: str
    event: PackEvent
    template_id: str

    @property
    def right(self) -> frozenset[int]:
        return frozenset({self.event.class_uid, *self.event.acceptable})


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    packs = sorted(read_packs().items())
    labelled = [
        (product, event, raw)
        for product, pack in packs[:: max(1, len(packs) // PACKS)]
        for event in pack.events
        for raw in event.examples
    ]
    result = normalize_texts([raw for _, _, raw in labelled], HOUR)
    assert len(result.records) + len(result.quarantine) == len(labelled)
    ids = dict(zip(result.records["position"], result.records["template_id"], strict=True))
    return [
        Example(product, event, ids[number])
        for number, (product, event, _) in enumerate(labelled)
        if number in ids
    ]


def test_examples_of_different_classes_rarely_share_a_template(examples: list[Example]) -> None:
    groups: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        groups[example.template_id].append(example)
    impure = []
    for group in groups.values():
        classes = Counter(example.event.class_uid for example in group)
        if not frozenset.intersection(*(example.right for example in group)):
            main = classes.most_common(1)[0][0]
            impure += [example for example in group if main not in example.right]
    named = sorted({f"{example.product}: {example.event.name}" for example in impure})
    assert len(impure) <= MAX_IMPURE * len(examples), named


def test_an_event_has_few_templates(examples: list[Example]) -> None:
    templates: dict[tuple[str, str], set[str]] = defaultdict(set)
    for example in examples:
        templates[example.product, example.event.name].add(example.template_id)
    mean = sum(map(len, templates.values())) / len(templates)
    assert mean <= MAX_TEMPLATES_PER_EVENT, mean
