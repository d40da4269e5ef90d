"""The alias table: which OCSF attributes a field name may mean.

Belongs here: reading `aliases.yaml` into lookups, with its version. Does not belong here: the
names themselves (they are data), choosing between several fields (`mapping`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import yaml


class AliasError(ValueError):
    """The alias table contradicts itself; the message names the line to change."""


@dataclass(frozen=True)
class AliasTable:
    """Names with their meaning; `version` changes with the content."""

    targets: Mapping[str, tuple[str, ...]]
    """Lookup key to attribute paths, best first; `path@4001`: in that class or category only."""
    order: Mapping[str, int]
    """Lookup key to its place in its line: earlier names are the more usual ones."""
    version: str

    def find_targets(self, key: str, class_uid: int, category_uid: int) -> tuple[str, ...]:
        """Return what a name may mean in one class; empty where it is not known."""
        scopes = {"", str(class_uid), str(category_uid)}
        split = (target.partition("@") for target in self.targets.get(key, ()))
        return tuple(path for path, _at, scope in split if scope in scopes)


def parse_aliases(text: str) -> AliasTable:
    """Read the table from YAML; raises AliasError where a name stands twice."""
    lines: dict[str, str] = yaml.safe_load(text)
    targets: dict[str, tuple[str, ...]] = {}
    order: dict[str, int] = {}
    for line, names in lines.items():
        paths = tuple(line.split("|"))
        for position, name in enumerate(str(names).split()):
            if name in targets:
                raise AliasError(
                    f"aliases.yaml: {name!r} stands under {'|'.join(targets[name])!r} and under "
                    f"{line!r}; leave it in one of the two"
                )
            targets[name] = paths
            order[name] = position
    return AliasTable(targets, order, hashlib.sha256(text.encode()).hexdigest()[:12])


@lru_cache(maxsize=1)
def load_aliases() -> AliasTable:
    """Return the table that the package carries."""
    return parse_aliases((files("ocsf_pipeline.events") / "aliases.yaml").read_text("utf-8"))
