"""The value of one key per log, of whichever key its template names.

Belongs here: taking it from what a survey found, and from texts that no survey vouches for. Does
not belong here: which keys are asked for and what their values mean (`describe`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from ocsf_pipeline.logs import found
from ocsf_pipeline.logs.frames import compute_by_key
from ocsf_pipeline.logs.meanings import MeaningTable
from ocsf_pipeline.logs.survey import Survey

HOST_OBJECT = "host{}"
"""Stands for the host where it is an object with a name."""
Readers = Mapping[str, tuple[int, Callable[[pl.Series], pl.Series]]]
_STRING_TYPE = pl.String()


@dataclass(frozen=True)
class ValueReader:
    """Reads values of some rows: compiled where their survey vouches for them, else by regexes."""

    survey: Survey
    table: MeaningTable
    rows: npt.NDArray[np.intp] | None = None
    """Rows of the survey, where they are not all of it."""
    forgotten: npt.NDArray[np.bool_] | None = None
    """Rows whose texts are no longer those that were surveyed."""

    def filter(self, where: pl.Series) -> ValueReader:
        """Return the same for the rows of `where`."""
        rows = np.flatnonzero(where.to_numpy())
        return replace(self, rows=rows if self.rows is None else self.rows[rows])

    def forget(self, where: pl.Series) -> ValueReader:
        """Return a reader for texts that were written anew in the rows of `where`."""
        return replace(self, forgotten=where.to_numpy())

    def read(
        self,
        fields: pl.Series,
        keys: Sequence[str],
        codes: npt.NDArray[np.int32],
        form: int,
        special: Readers | None = None,
    ) -> pl.Series:
        """Return per row the value of `keys[code]`; null where it has none, or the code is -1.

        `form` is one of `found`; `special` gives another, and how texts are read that the pass is
        not to answer for, to what is no key.
        """
        special = special or {}

        def extract(code: int, part: pl.DataFrame) -> pl.Series:
            key, texts = keys[code], part["fields"]
            if key in special:
                return special[key][1](texts)
            return texts.str.extract(_literal(key) + found.PATTERNS[form])

        if not keys:
            return pl.Series("value", [None], dtype=pl.String).new_from_index(0, len(fields))
        rows = np.arange(len(fields)) if self.rows is None else self.rows
        of_keys = [special[key][0] if key in special else form for key in keys]
        forms = np.array([*of_keys, found.NONE], dtype=np.uint8)[codes]
        is_vouched = self.survey.has_keys[rows]
        if self.forgotten is not None:
            is_vouched &= ~self.forgotten
        forms[~is_vouched & (codes >= 0)] = found.UNSURE
        hashes = np.array([*(self.table.hash_name(key) for key in keys), 0], dtype=np.uint64)
        values, unsure = found.find_values(self.survey.keys, rows, hashes[codes], forms)
        if not len(unsure):
            return values
        others = fields[unsure].to_frame("fields")
        return values.scatter(unsure, compute_by_key(others, codes[unsure], extract, _STRING_TYPE))


def _literal(key: str) -> str:
    """Return the pattern of a key as it stands in JSON text: a literal, so that search is fast."""
    return f'"{re.escape(key)}":'
