"""Trees of attributes become JSON text, one expression for all rows.

Belongs here: which nodes exist in which rows, and JSON without null members. Does not belong
here: which attributes an event has.

`struct.json_encode` does all quoting, so no value can break the JSON. It writes null members;
they are left out beforehand where a whole column is null, and removed afterwards where some rows
are. Removing is sound because in encoded JSON a quote inside a string always follows a backslash
and only a member's name is followed by a colon, given names without special characters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from ocsf_pipeline.events.tree import Branch, Constant, Elements, Leaf, Node

_LATER_NULLS = r'(?:,"[^"\\:,{}\[\]]+":null)+'
_FIRST_NULL = r'\{"[^"\\:,{}\[\]]+":null,?'
_SAFE_NAME = re.compile(r'[^"\\:,{}\[\]\x00-\x1f]+')


@dataclass
class _Rendered:
    expr: pl.Expr | None
    """None when the node exists in no row."""
    may_be_null: bool = False
    mapped: list[pl.Expr] = field(default_factory=list)
    """Conditions of which one must hold for a log's own value to be below."""
    is_always_mapped: bool = False


@dataclass
class Encoder:
    """Renders trees over one frame of values, whose null counts are known."""

    null_counts: Mapping[str, int]
    height: int
    fallbacks: dict[str, str] = field(default_factory=dict)
    """Attribute path to the column whose nulls its stand-in fills; to "" where it fills all."""
    has_nulls: bool = False
    has_unsafe_names: bool = False

    def encode(self, root: Branch) -> pl.Expr | None:
        """Return an expression for the JSON text of `root`, or None when it has no member.

        Null where `root` is not required and nothing below has a value.
        """
        self.has_nulls = self.has_unsafe_names = False
        rendered = self._render_branch(root, "")
        if rendered.expr is None:
            return None
        text = rendered.expr.struct.json_encode()
        if self.has_nulls:
            text = text.str.replace_all(_LATER_NULLS, "").str.replace_all(_FIRST_NULL, "{")
        if rendered.may_be_null:
            text = pl.when(pl.any_horizontal(rendered.mapped)).then(text)
        return text

    def _render(self, node: Node, path: str) -> _Rendered:
        if isinstance(node, Leaf):
            return self._render_leaf(node, path)
        if isinstance(node, Constant):
            return _Rendered(_literal(node.value))
        if isinstance(node, Branch):
            return self._render_branch(node, path)
        return self._render_elements(node, path)

    def _render_leaf(self, leaf: Leaf, path: str) -> _Rendered:
        nulls = self.null_counts[leaf.column]
        column = pl.col(leaf.column)
        if leaf.fallback is not None and not leaf.unless and nulls:
            self.fallbacks[path] = leaf.column
        if nulls == 0:
            return _Rendered(column, is_always_mapped=True)
        has_stand_in = leaf.fallback is not None and not leaf.unless
        if nulls == self.height:
            return _Rendered(_literal(leaf.fallback) if has_stand_in else None)
        mapped = [column.is_not_null()]
        if has_stand_in:
            return _Rendered(column.fill_null(_literal(leaf.fallback)), mapped=mapped)
        return _Rendered(column, may_be_null=True, mapped=mapped)

    def _render_branch(self, branch: Branch, path: str) -> _Rendered:
        children = {
            name: self._render(child, f"{path}.{name}" if path else name)
            for name, child in branch.children.items()
        }
        self._settle_fallbacks(branch, children, path)
        members = {name: item for name, item in children.items() if item.expr is not None}
        always, mapped = _presence(list(members.values()))
        if not members or not (branch.is_required or always or mapped):
            return _Rendered(None)
        for name, item in members.items():
            self.has_nulls |= item.may_be_null
            self.has_unsafe_names |= _SAFE_NAME.fullmatch(name) is None
        struct = pl.struct(
            item.expr.alias(name) for name, item in members.items() if item.expr is not None
        )
        if branch.is_required or always:
            return _Rendered(struct, mapped=mapped, is_always_mapped=always)
        if path:
            struct = pl.when(pl.any_horizontal(mapped)).then(struct)
        return _Rendered(struct, may_be_null=True, mapped=mapped)

    def _settle_fallbacks(self, branch: Branch, children: dict[str, _Rendered], path: str) -> None:
        """Fill in the values that only rows without any of their siblings need."""
        for name, node in branch.children.items():
            if not isinstance(node, Leaf | Constant) or not node.unless:
                continue
            others = [children[key] for key in node.unless if key in children and key != name]
            others = [item for item in others if item.expr is not None]
            own = children[name] if isinstance(node, Leaf) else _Rendered(None)
            if any(not item.may_be_null for item in others):
                children[name] = own
                continue
            stand_in = _literal(node.fallback if isinstance(node, Leaf) else node.value)
            place = f"{path}.{name}" if path else name
            if others:
                absent = pl.all_horizontal(
                    item.expr.is_null() for item in others if item.expr is not None
                )
                stand_in = pl.when(absent).then(stand_in)
            elif own.expr is None:
                self.fallbacks[place] = ""
            expr = stand_in if own.expr is None else pl.coalesce(own.expr, stand_in)
            children[name] = _Rendered(
                expr, may_be_null=bool(others), mapped=own.mapped,
                is_always_mapped=own.is_always_mapped,
            )  # fmt: skip

    def _render_elements(self, elements: Elements, path: str) -> _Rendered:
        items = [self._render(item, f"{path}[]") for item in elements.items.values()]
        items = [item for item in items if item.expr is not None]
        always, mapped = _presence(items)
        if not items or not (elements.is_required or always or mapped):
            return _Rendered(None)
        array = pl.concat_list([item.expr for item in items if item.expr is not None])
        self.has_nulls |= len(items) > 1
        if any(item.may_be_null for item in items):
            array = array.list.drop_nulls()
        if elements.is_required or always:
            return _Rendered(array, mapped=mapped, is_always_mapped=always)
        return _Rendered(
            pl.when(pl.any_horizontal(mapped)).then(array), may_be_null=True, mapped=mapped
        )


def _presence(items: Sequence[_Rendered]) -> tuple[bool, list[pl.Expr]]:
    always = any(item.is_always_mapped for item in items)
    return always, [] if always else [expr for item in items for expr in item.mapped]


def _literal(value: object) -> pl.Expr:
    if isinstance(value, pl.Expr):
        return value
    if isinstance(value, bool | str | float):
        return pl.lit(value)
    if isinstance(value, int):
        return pl.lit(value, pl.Int64)
    if isinstance(value, list):
        return pl.lit(pl.Series([value], dtype=pl.List(pl.String))).first()
    raise TypeError(f"no constant of type {type(value).__name__} can stand in an event")
