"""The plan of one event: a tree of OCSF attributes whose leaves are columns or constants.

Belongs here: the node types and building a tree from attribute paths. Does not belong here: what
a class requires (`required`), turning a tree into JSON (`encode`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass
class Leaf:
    """A value taken from the column `column` of the frame of values."""

    column: str
    fallback: object = None
    """Stands in where the column is null; None for no stand-in."""
    unless: tuple[str, ...] = ()
    """The fallback is needless in rows where one of these siblings has a value."""


@dataclass
class Constant:
    """The same value in every row, or in every row where no sibling of `unless` has a value."""

    value: object
    unless: tuple[str, ...] = ()


@dataclass
class Branch:
    """An object. Unless required, it exists only in rows where some leaf below has a value."""

    children: dict[str, Node] = field(default_factory=dict)
    is_required: bool = False


@dataclass
class Elements:
    """An array; `items` by an element key that the output does not show."""

    items: dict[str, Node] = field(default_factory=dict)
    is_required: bool = False


Node = Leaf | Constant | Branch | Elements


def split_path(path: str) -> list[tuple[str, str | None]]:
    """Return (name, element key or None) of each step: `a.b[md5].c`."""
    steps = []
    for step in path.split("."):
        name, bracket, key = step.partition("[")
        steps.append((name, key.rstrip("]") if bracket else None))
    return steps


def build_tree(leaves: Mapping[str, Node]) -> Branch:
    """Return the tree that has every node of `leaves` at its path.

    Raises ValueError when one path runs through another's leaf.
    """
    root = Branch(is_required=True)
    for path, leaf in leaves.items():
        place_node(root, path, leaf)
    return root


def place_node(root: Branch, path: str, node: Node) -> None:
    """Put `node` at `path` below `root`, creating what is missing on the way."""
    steps = split_path(path)
    holder = root
    for name, key in steps[:-1]:
        if key is None:
            below = holder.children.setdefault(name, Branch())
        else:
            below = _element(holder, name).items.setdefault(key, Branch())
        if not isinstance(below, Branch):
            raise ValueError(f"attribute path {path!r} runs through a plain value at {name!r}")
        holder = below
    name, key = steps[-1]
    if key is None:
        holder.children[name] = node
    else:
        _element(holder, name).items[key] = node


def _element(holder: Branch, name: str) -> Elements:
    found = holder.children.setdefault(name, Elements())
    if not isinstance(found, Elements):
        raise ValueError(f"attribute {name!r} is used both as a list and as a single value")
    return found


def list_columns(node: Node) -> Iterator[str]:
    """Yield the columns that the tree reads."""
    if isinstance(node, Leaf):
        yield node.column
    elif isinstance(node, Branch):
        for child in node.children.values():
            yield from list_columns(child)
    elif isinstance(node, Elements):
        for child in node.items.values():
            yield from list_columns(child)
