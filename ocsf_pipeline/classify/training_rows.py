"""Labelled examples -> the rows that the ranker's parts are fitted on: queries, targets, weights.

Belongs here: choosing rows, their targets and weights, folds. Does not belong here: fitting
(`training`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ocsf_pipeline.classify.lexicon import build_common_queries
from ocsf_pipeline.classify.queries import LogQuery
from ocsf_pipeline.knowledge.examples import LabelledExample

MAX_ROWS = 12_000
"""Twice as many cost eight times as much, minutes; of one event, later examples go
first, then the last events of the products with most."""
_ACCEPTABLE_TARGET = 0.4
_LEXICON_WEIGHT = 0.7
_PRODUCT_EVENNESS = 0.3
"""Rows weigh by the size of their product to the power of minus this."""
_LEXICON_OWNER = "\0lexicon"

Floats = npt.NDArray[np.float32]
Positions = npt.NDArray[np.intp]


@dataclass(frozen=True)
class SpareRows:
    """Examples that thinning left out though their event has rows: known events, unseen logs."""

    queries: list[LogQuery]
    examples: list[LabelledExample]
    positions: Positions
    """Place of each example in what was handed in."""
    targets: Floats
    weights: Floats


@dataclass(frozen=True)
class TrainingRows:
    """What the legs are trained on: examples, then the names of the lexicon."""

    queries: list[LogQuery]
    owners: list[str]
    targets: Floats
    """[rows, classes], the label's own class 1, acceptable ones less."""
    weights: Floats
    examples: list[LabelledExample]
    positions: Positions
    """Place of each example in what was handed in."""
    spare: SpareRows

    @property
    def example_count(self) -> int:
        """How many of the rows are examples; they come first."""
        return len(self.examples)

    def find_siblings(self) -> Positions:
        """Return the rows of the examples whose event has another row."""
        events = [name_event(item) for item in self.examples]
        counts = Counter(events)
        return np.flatnonzero([counts[event] > 1 for event in events])


def gather_rows(
    examples: Sequence[LabelledExample], queries: Sequence[LogQuery], class_uids: tuple[int, ...]
) -> TrainingRows:
    """Return the rows of distinct examples of `class_uids`, thinned to MAX_ROWS, and the lexicon's.

    Examples of small products weigh more, so that a product with many events does not outvote
    the rest.
    """
    columns = {uid: column for column, uid in enumerate(class_uids)}
    positions, thinned = _thin_out(examples, queries, columns)
    kept = [examples[at] for at in positions]
    known = {name_event(item) for item in kept}
    thinned = [at for at in thinned if name_event(examples[at]) in known]
    spare = [examples[at] for at in thinned]
    common = [(uid, query) for uid in class_uids for query in build_common_queries(uid)]
    common_targets = np.zeros((len(common), len(class_uids)), dtype=np.float32)
    for row, (uid, _query) in enumerate(common):
        common_targets[row, columns[uid]] = 1
    sizes = Counter(example.product for example in kept)
    weights, spare_weights = (
        np.array([sizes[item.product] ** -_PRODUCT_EVENNESS for item in items], dtype=np.float32)
        for items in (kept, spare)
    )
    mean = weights.mean()
    return TrainingRows(
        queries=[*(queries[at] for at in positions), *(query for _uid, query in common)],
        owners=[
            *(name_owner(item) for item in kept),
            *(f"{_LEXICON_OWNER}{uid}" for uid, _ in common),
        ],
        targets=np.concatenate([_build_targets(kept, columns), common_targets]),
        weights=np.append(weights / mean, np.full(len(common), _LEXICON_WEIGHT)).astype(np.float32),
        examples=kept,
        positions=np.array(positions, dtype=np.intp),
        spare=SpareRows(
            queries=[queries[at] for at in thinned],
            examples=spare,
            positions=np.array(thinned, dtype=np.intp),
            targets=_build_targets(spare, columns),
            weights=spare_weights / mean,
        ),
    )


def _build_targets(examples: Sequence[LabelledExample], columns: Mapping[int, int]) -> Floats:
    targets = np.zeros((len(examples), len(columns)), dtype=np.float32)
    for row, example in enumerate(examples):
        for uid in example.acceptable:
            if uid in columns:
                targets[row, columns[uid]] = _ACCEPTABLE_TARGET
        targets[row, columns[example.class_uid]] = 1
    return targets


def name_event(example: LabelledExample) -> tuple[str, str, int]:
    """Return what the examples of one event have in common."""
    return name_owner(example), example.event_name, example.class_uid


def name_owner(example: LabelledExample) -> str:
    """Return the group that is left out together: a product, or an override by itself."""
    return example.product or example.example_id


def _thin_out(
    examples: Sequence[LabelledExample], queries: Sequence[LogQuery], columns: dict[int, int]
) -> tuple[list[int], list[int]]:
    """Return positions of live, distinct examples: those that MAX_ROWS allows, then the rest.

    As many of each event stay as fit.
    """
    seen: set[tuple[str, int, str]] = set()
    turns: list[tuple[int, int, int]] = []
    met: Counter[tuple[str, str, int]] = Counter()
    sizes: Counter[tuple[str, int]] = Counter()
    for at, (example, query) in enumerate(zip(examples, queries, strict=True)):
        key = (example.product, example.class_uid, query.text)
        if example.class_uid not in columns or key in seen:
            continue
        seen.add(key)
        event = name_event(example)
        # An analyst's decision is never thinned out.
        turn = -1 if example.origin == "override" else met[event]
        met[event] += 1
        turns.append((turn, sizes[example.product, turn], at))
        sizes[example.product, turn] += 1
    turns.sort()
    places = [at for *_turn, at in turns]
    return sorted(places[:MAX_ROWS]), sorted(places[MAX_ROWS:])


def split_folds(keys: Sequence[Hashable]) -> list[Positions]:
    """Return, for each of the keys, the positions where it stands."""
    members: dict[Hashable, list[int]] = {}
    for row, key in enumerate(keys):
        members.setdefault(key, []).append(row)
    return [np.array(places, dtype=np.intp) for places in members.values()]
