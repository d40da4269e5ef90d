"""How often retrieval over descriptions finds the attribute that a pack's hints name for a field.

    python -m ocsf_pipeline.bench.descriptions

Belongs here: fields of packs with what people mapped them to, searched as if no pack were known.
Does not belong here: the search (`events.descriptions`).

All fields are searched, also those whose names the alias table knows; `unnamed` are the others, the
only ones that mapping searches. The threshold in `events.descriptions` was read off this table.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import typer

from ocsf_pipeline.adapters.pack_files import read_packs
from ocsf_pipeline.adapters.schema_package import EmbeddedSchemaSource
from ocsf_pipeline.events.aliases import AliasTable, load_aliases
from ocsf_pipeline.events.descriptions import find_attribute
from ocsf_pipeline.events.hints import make_hints
from ocsf_pipeline.events.mapping import EVIDENCE
from ocsf_pipeline.events.names import lookup_keys
from ocsf_pipeline.events.proposals import settle_side
from ocsf_pipeline.events.schema_view import ClassView, SchemaView, view_schema
from ocsf_pipeline.schema.parse import parse_schema

_THRESHOLDS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)


@dataclass(frozen=True)
class Judged:
    """What was found for one field."""

    field: str
    wanted: tuple[str, ...]
    found: str
    score: float
    is_named: bool
    """Whether the alias table knows the field."""

    @property
    def is_right(self) -> bool:
        """Whether the found attribute is one of those that the pack names."""
        return _bare(self.found) in map(_bare, self.wanted)


def _bare(target: str) -> str:
    """Return a target without what stands for the same: evidence, who acts, a path's place."""
    bare = target.removeprefix(EVIDENCE).removeprefix("actor.").removesuffix("_id")
    return bare.replace("[*]", "[0]").replace("process.file.path", "process.path")


def judge_fields(version: str = "1.8.0") -> list[Judged]:
    """Search the fields of all hints, each in the first class of the pack with the attribute."""
    view = view_schema(parse_schema(EmbeddedSchemaSource().fetch_schema(version).body))
    packs = read_packs()
    hints = make_hints(packs.values())
    aliases = load_aliases()
    judged: dict[tuple[str, tuple[str, ...]], Judged] = {}
    for product, pack in packs.items():
        classes = [view.find_live_class(event.class_uid) for event in pack.events]
        for name, groups in hints[product].fields.items():
            if not groups or name.startswith("@"):
                continue
            wanted = tuple(target for group in groups for target in group)
            owner = _find_class(view, classes, wanted)
            if owner is None:
                continue
            is_named = _is_named(aliases, owner, name)
            path = name.split(".")
            match = find_attribute(view, owner, path, None, lambda _holder: False)
            if match is None:
                judged[name, wanted] = Judged(name, wanted, "", 0.0, is_named)
                continue
            target = settle_side((match.target,), tuple(path))[0]
            judged[name, wanted] = Judged(name, wanted, target, match.score, is_named)
    return list(judged.values())


def _find_class(
    view: SchemaView, classes: list[ClassView], wanted: tuple[str, ...]
) -> ClassView | None:
    return next(
        (owner for owner in classes if any(view.resolve_path(owner, path) for path in wanted)), None
    )


def _is_named(aliases: AliasTable, owner: ClassView, name: str) -> bool:
    return any(
        aliases.find_targets(key, owner.uid, owner.category_uid)
        for key in lookup_keys(name.split("."))
    )


def summarize(judged: list[Judged]) -> Iterator[dict[str, object]]:
    """Yield, per threshold, how many fields get an attribute and how many the right one."""
    for least in _THRESHOLDS:
        for kind, wanted in (("all", judged), ("unnamed", [i for i in judged if not i.is_named])):
            taken = [item for item in wanted if item.score >= least]
            right = sum(item.is_right for item in taken)
            yield {
                "fields": kind,
                "min_score": least,
                "count": len(wanted),
                "taken": len(taken),
                "right": right,
                "precision": round(right / len(taken), 3) if taken else 1.0,
            }


def run(
    show: Annotated[bool, typer.Option(help="Print each field and what was found.")] = False,
) -> None:
    """Print precision by threshold as JSON lines."""
    judged = judge_fields()
    for item in sorted(judged, key=lambda item: -item.score) if show else ():
        found = [item.is_right, round(item.score, 2), item.is_named, item.field, item.found]
        typer.echo(json.dumps(found))
    for row in summarize(judged):
        typer.echo(json.dumps(row))


if __name__ == "__main__":
    typer.run(run)
