"""Events as forms: the constant text of many events, with gaps for what differs between them.

Belongs here: which text and which gaps the events with the same attributes have, and putting form
and values together again. Does not belong here: which attributes an event has (`plan`), writing
the values of many rows (`fill`). Why events are kept apart like this:
docs/decisions/0018-events-as-forms.md.

A form is cut at each GAP; so are the values. Piece by piece, form and value in turn, they make up
the event. An empty form therefore means that the values are the whole event. No JSON text holds a
GAP, since JSON escapes it.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field

import polars as pl

from ocsf_pipeline.events.observables import Observable
from ocsf_pipeline.events.plan import EventPlan
from ocsf_pipeline.events.tree import Branch, Constant, Elements, Leaf, Node

GAP = "\0"


@dataclass(frozen=True)
class Form:
    """What the events that have a value in the same columns have in common."""

    text: str
    columns: tuple[str, ...]
    """The column that fills each gap, in order."""
    fallbacks: tuple[str, ...]
    """Paths of attributes in which a stand-in fills what the log did not give."""


@dataclass(frozen=True)
class _Gap:
    column: str
    is_text: bool


@dataclass
class _Part:
    """A piece of an event."""

    pieces: list[str | _Gap]
    is_mapped: bool = False
    """Whether a value of the log's own is in it."""
    fallbacks: list[str] = field(default_factory=list)


def make_form(
    plan: EventPlan,
    opening: str,
    present: Container[str],
    texts: Container[str],
    whole: str | None = None,
) -> Form:
    """Return the form of the events that have values in the columns `present`.

    `opening` is the text in front (see `plan.class_opening`). Columns of `texts` hold plain text,
    others JSON. `whole` names a column that takes the place of `unmapped`'s own fields.
    """
    maker = _FormMaker(present, texts)
    event = maker.render_branch(plan.tree, "")
    if event is None:
        raise ValueError(f"the plan of class {plan.owner.uid} has no attribute")
    pieces: list[str | _Gap] = [opening]
    unmapped = _Part([_Gap(whole, is_text=False)]) if whole else maker.render(plan.leftovers, "")
    if unmapped is not None:
        pieces += ['"unmapped":', *unmapped.pieces, ","]
    pieces += maker.list_observables(plan.observables)
    pieces += event.pieces[1:]  # without its brace, which the opening has
    text, columns = [], []
    for piece in pieces:
        if isinstance(piece, _Gap):
            text.append(f'"{GAP}"' if piece.is_text else GAP)
            columns.append(piece.column)
        else:
            text.append(piece)
    return Form("".join(text), tuple(columns), tuple(event.fallbacks))


def join_forms(forms: pl.Series, values: pl.Series) -> pl.Series:
    """Return whole events; what the column `event` of the tables does, for frames."""
    pieces = (
        pl.DataFrame({"form": forms.cast(pl.String), "values": values})
        .with_row_index("row")
        .with_columns(pl.col("form", "values").fill_null("").str.split(GAP))
        .explode("form", "values")
        .group_by("row", maintain_order=True)
        .agg(pl.concat_str("form", "values").str.join("").alias("event"))
    )
    return pieces.get_column("event")


@dataclass(frozen=True)
class _FormMaker:
    present: Container[str]
    texts: Container[str]

    def render(self, node: Node, path: str) -> _Part | None:
        """Return the text of a node, or None where the event lacks it."""
        if isinstance(node, Leaf):
            if node.column in self.present:
                return self._fill(node.column)
            if node.fallback is None or node.unless:
                return None
            return _stand_in(node.fallback, path)
        if isinstance(node, Constant):
            return _Part([_encode(node.value)])
        if isinstance(node, Branch):
            return self.render_branch(node, path)
        return self._render_elements(node, path)

    def render_branch(self, branch: Branch, path: str) -> _Part | None:
        """Return an object's text; unless required, it needs a value of the log's own."""
        children = {
            name: self.render(child, f"{path}.{name}" if path else name)
            for name, child in branch.children.items()
        }
        self._settle_fallbacks(branch, children, path)
        members = [(name, part) for name, part in children.items() if part is not None]
        return _wrap(branch, members, ("{", "}"))

    def _render_elements(self, elements: Elements, path: str) -> _Part | None:
        rendered = [self.render(item, f"{path}[]") for item in elements.items.values()]
        return _wrap(elements, [(None, part) for part in rendered if part is not None], ("[", "]"))

    def _settle_fallbacks(
        self, branch: Branch, children: dict[str, _Part | None], path: str
    ) -> None:
        """Fill in the values that are needed only without any of their siblings."""
        for name, node in branch.children.items():
            if not isinstance(node, Leaf | Constant) or not node.unless:
                continue
            own = children[name] if isinstance(node, Leaf) else None
            others = (children.get(key) for key in node.unless if key != name)
            if own is None and not any(other is not None for other in others):
                value = node.fallback if isinstance(node, Leaf) else node.value
                own = _stand_in(value, f"{path}.{name}" if path else name)
            children[name] = own

    def list_observables(self, observables: Iterable[Observable]) -> list[str | _Gap]:
        """Return the member `observables`, comma last, or nothing."""
        pieces: list[str | _Gap] = []
        for item in observables:
            if item.column in self.present:
                pieces.append("," if pieces else '"observables":[')
                pieces += [f'{item.head}"value":', *self._fill(item.column).pieces, "}"]
        return [*pieces, "],"] if pieces else []

    def _fill(self, column: str) -> _Part:
        return _Part([_Gap(column, column in self.texts)], is_mapped=True)


def _wrap(
    node: Branch | Elements, members: Sequence[tuple[str | None, _Part]], brackets: tuple[str, str]
) -> _Part | None:
    is_mapped = any(part.is_mapped for _name, part in members)
    if not (node.is_required or is_mapped):
        return None
    pieces: list[str | _Gap] = [brackets[0]]
    fallbacks: list[str] = []
    for number, (name, part) in enumerate(members):
        lead = "," if number else ""
        pieces.append(lead if name is None else f"{lead}{_encode(name)}:")
        pieces += part.pieces
        fallbacks += part.fallbacks
    return _Part([*pieces, brackets[1]], is_mapped, fallbacks)


def _stand_in(value: object, path: str) -> _Part:
    return _Part([_encode(value)], fallbacks=[path])


def _encode(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair in a field's name
        return json.dumps(value, separators=(",", ":"))
    return text
