"""The shapes met so far and their templates.

Belongs here: the memory from shape to template, shared by the threads that read one hour. Does not
belong here: making shapes (`shapes`), the identity of templates (`templates`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from ocsf_pipeline.logs.survey import KeyMeanings
from ocsf_pipeline.logs.templates import Template

Value = TypeVar("Value", bound=Hashable)


@dataclass
class TemplateRegistry:
    """Shapes met so far and their templates; grows with new shapes, never with logs."""

    _templates: dict[int, Template] = field(default_factory=dict)
    keys: KeyMeanings = field(default_factory=KeyMeanings)
    max_shapes: int = 200_000
    """Beyond this the memory is emptied: templates are derived anew, with the same ids."""

    def resolve_shapes(
        self, shapes: pl.Series, identify: Callable[[str], Template]
    ) -> ResolvedShapes:
        """Return the template of each shape; `identify` is asked once per new shape."""
        # Shapes are long: their hashes are what is compared, 64 bits of them.
        return self.resolve_keys(shapes.hash(), lambda rows: shapes.gather(rows), identify)

    def resolve_keys(
        self,
        keys: pl.Series,
        shapes_of: Callable[[pl.Series], pl.Series],
        identify: Callable[[str], Template],
    ) -> ResolvedShapes:
        """Return the template of each key (64 bits that stand for a shape).

        `shapes_of` is asked for the shapes of rows whose keys are new, one per key. Shapes that are
        to be read differently must come with different keys.
        """
        distinct = keys.arg_unique()
        known = keys.gather(distinct)
        if len(self._templates) > self.max_shapes:
            self._templates.clear()
        templates = [self._templates.get(key) for key in known.to_list()]
        new = [place for place, template in enumerate(templates) if template is None]
        if new:
            for place, shape in zip(new, shapes_of(distinct.gather(new)).to_list(), strict=True):
                template = identify(shape)
                templates[place] = self._templates[int(known[place])] = template
        order = known.arg_sort()
        position = order.gather(known.sort().search_sorted(keys)).to_numpy()
        found = [template for template in templates if template is not None]
        return ResolvedShapes(found, position.astype(np.intp))


@dataclass(frozen=True)
class ResolvedShapes:
    """The distinct templates of some rows, and which row has which."""

    templates: list[Template]
    rows: npt.NDArray[np.intp]
    """Per row the place of its template in `templates`."""

    def filter(self, where: pl.Series) -> ResolvedShapes:
        """Return the same for the rows of `where`."""
        return ResolvedShapes(self.templates, self.rows[where.to_numpy()])

    def column(self, read: Callable[[Template], str | None]) -> pl.Series:
        """Return what `read` says of each row's template."""
        values = pl.Series("value", [read(item) for item in self.templates], dtype=pl.String)
        return values.gather(self.rows)

    def group_by(
        self, read: Callable[[Template], Value | None]
    ) -> tuple[list[Value], npt.NDArray[np.int32]]:
        """Return the distinct values of `read`, and per row the place of its own; -1 for None."""
        places: dict[Value, int] = {}
        codes = []
        for template in self.templates:
            value = read(template)
            codes.append(-1 if value is None else places.setdefault(value, len(places)))
        return list(places), np.array(codes, dtype=np.int32)[self.rows]
