"""Labelled examples -> the rows that the ranker's parts are fitted on: queries, targets, weights.

Belongs here: choosing rows, their targets and weights, folds. Does not belong here: fitting
(`training`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ocsf_pipeline.classify.lexicon import build_common_queries
from ocsf_pipeline.classify.queries import LogQuery
from ocsf_pipeline.knowledge.examples import LabelledExample

MAX_ROWS = 11_000
"""Twice as many cost eight times as much, more than a minute; of one event, later examples go
first, then the last events of the products with most."""
ROW_FOLDS = 2
"""Fewer: half of the examples of a product are as good as most of them."""
_ACCEPTABLE_TARGET = 0.4
_LEXICON_WEIGHT = 0.7
_PRODUCT_EVENNESS = 0.3
"""Rows weigh by the size of their product to the power of minus this."""
_LEXICON_OWNER = "\0lexicon"

Floats = npt.NDArray[np.float32]
Positions = npt.NDArray[np.intp]


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

    @property
    def example_count(self) -> int:
        """How many of the rows are examples; they come first."""
        return len(self.examples)


def gather_rows(
    examples: Sequence[LabelledExample], queries: Sequence[LogQuery], class_uids: tuple[int, ...]
) -> TrainingRows:
    """Return the rows of distinct examples of `class_uids`, thinned to MAX_ROWS, and the lexicon's.

    Examples of small products weigh more, so that a product with many events does not outvote
    the rest.
    """
    columns = {uid: column for column, uid in enumerate(class_uids)}
    positions = _thin_out(examples, queries, columns)
    kept = [examples[at] for at in positions]
    common = [(uid, query) for uid in class_uids for query in build_common_queries(uid)]
    targets = np.zeros((len(kept) + len(common), len(class_uids)), dtype=np.float32)
    for row, example in enumerate(kept):
        for uid in example.acceptable:
            if uid in columns:
                targets[row, columns[uid]] = _ACCEPTABLE_TARGET
        targets[row, columns[example.class_uid]] = 1
    for row, (uid, _query) in enumerate(common, start=len(kept)):
        targets[row, columns[uid]] = 1
    sizes = Counter(example.product for example in kept)
    weights = np.array(
        [sizes[item.product] ** -_PRODUCT_EVENNESS for item in kept], dtype=np.float32
    )
    weights /= weights.mean()
    return TrainingRows(
        queries=[*(queries[at] for at in positions), *(query for _uid, query in common)],
        owners=[
            *(name_owner(item) for item in kept),
            *(f"{_LEXICON_OWNER}{uid}" for uid, _ in common),
        ],
        targets=targets,
        weights=np.append(weights, np.full(len(common), _LEXICON_WEIGHT)).astype(np.float32),
        examples=kept,
        positions=np.array(positions, dtype=np.intp),
    )


def name_owner(example: LabelledExample) -> str:
    """Return the group that is left out together: a product, or an override by itself."""
    return example.product or example.example_id


def _thin_out(
    examples: Sequence[LabelledExample], queries: Sequence[LogQuery], columns: dict[int, int]
) -> list[int]:
    """Return positions of live, distinct examples: as many of each event as MAX_ROWS allows."""
    seen: set[tuple[str, int, str]] = set()
    turns: list[tuple[int, int, int]] = []
    met: Counter[tuple[str, str, int]] = Counter()
    sizes: Counter[tuple[str, int]] = Counter()
    for at, (example, query) in enumerate(zip(examples, queries, strict=True)):
        key = (example.product, example.class_uid, query.text)
        if example.class_uid not in columns or key in seen:
            continue
        seen.add(key)
        event = (example.product, example.event_name, example.class_uid)
        # An analyst's decision is never thinned out.
        turn = -1 if example.origin == "override" else met[event]
        met[event] += 1
        turns.append((turn, sizes[example.product, turn], at))
        sizes[example.product, turn] += 1
    turns.sort()
    return sorted(at for *_turn, at in turns[:MAX_ROWS])


def split_folds(rows: TrainingRows, seed: int) -> tuple[list[Positions], list[Positions]]:
    """Return a fold per product, and folds that do not keep products together."""
    shuffle = np.random.default_rng(seed)
    members: dict[str, list[int]] = {}
    for row, owner in enumerate(rows.owners[: rows.example_count]):
        members.setdefault(owner, []).append(row)
    by_row = shuffle.permutation(rows.example_count) % ROW_FOLDS
    return (
        [np.array(members[owner], dtype=np.intp) for owner in sorted(members)],
        [np.flatnonzero(by_row == fold) for fold in range(ROW_FOLDS)],
    )
