"""Analysts' overrides -> labelled examples.

Belongs here: which example an override and one log that it covers make. Does not belong here:
reading overrides and logs out of the tables (`steps.corrections`), merging with packs (`examples`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ocsf_pipeline.knowledge.examples import LabelledExample, make_example_id

MAX_LOGS_PER_OVERRIDE = 50
"""An override of a broad event type is one opinion, not thousands."""


@dataclass(frozen=True)
class Correction:
    """One log that an override in force covers."""

    override_id: str
    class_uid: int
    activity_id: int
    product: str
    """Empty where it is not known."""
    event_type: str
    raw: str
    query: str
    """The text by which logs like this one are found."""


def examples_from_corrections(corrections: Sequence[Correction]) -> list[LabelledExample]:
    """Return one example per distinct log, at most MAX_LOGS_PER_OVERRIDE of an override, by id.

    Of several overrides of one log the first in `corrections` counts.
    """
    taken: dict[str, int] = {}
    examples: dict[str, LabelledExample] = {}
    for item in corrections:
        event_name = item.event_type or "override"
        example_id = make_example_id("override", item.product, event_name, item.raw)
        if example_id in examples or taken.get(item.override_id, 0) >= MAX_LOGS_PER_OVERRIDE:
            continue
        taken[item.override_id] = taken.get(item.override_id, 0) + 1
        examples[example_id] = LabelledExample(
            example_id=example_id,
            product=item.product,
            event_name=event_name,
            class_uid=item.class_uid,
            activity_id=item.activity_id,
            acceptable=(),
            raw=item.raw,
            query=item.query,
            origin="override",
        )
    return [examples[example_id] for example_id in sorted(examples)]
