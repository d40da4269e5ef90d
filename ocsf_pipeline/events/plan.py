"""A mapping made ready to run: its tree, its columns and its leftovers, with constants filled in.

Belongs here: compiling an EventMapping into the tree of its events. Does not belong here:
touching rows (`execute`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from ocsf_pipeline.events.mapping import (
    CAPTURED,
    CONSTANT,
    DATETIME_PROFILE,
    EVIDENCE,
    PRIMARY_CASTS,
    SUMMED,
    EventMapping,
    Rule,
)
from ocsf_pipeline.events.observables import Observable, list_observables
from ocsf_pipeline.events.required import (
    MESSAGE_COLUMN,
    PRODUCT_COLUMN,
    TIME_COLUMN,
    UID_COLUMN,
    PlanCloser,
)
from ocsf_pipeline.events.rows import HOT_ATTRIBUTES
from ocsf_pipeline.events.schema_view import AttributeView, ClassView, ResolvedPath, SchemaView
from ocsf_pipeline.events.shapes import Kind
from ocsf_pipeline.events.tree import Branch, Constant, Leaf, Node, build_tree, list_columns

VENDOR_COLUMN = "@vendor"
_UNSURE_CATEGORIES = frozenset({0, 2})
"""No category, and findings."""
CLASS_ATTRIBUTES = (
    "activity_id", "activity_name", "category_name", "category_uid", "class_name", "class_uid",
    "type_name", "type_uid",
)  # fmt: skip
"""Constant per template: written in front of the rest as one text."""


@dataclass(frozen=True)
class Column:
    """One value column: where it comes from and what it must fit."""

    name: str
    rule: Rule
    attribute: AttributeView
    sibling: tuple[str, AttributeView] | None = None
    """Column name and enum attribute, for the caption beside an enum's number."""


@dataclass(frozen=True)
class EventPlan:
    """Everything that running a mapping needs."""

    mapping: EventMapping
    owner: ClassView
    columns: tuple[Column, ...]
    leaves: Mapping[tuple[str, ...], str]
    """Path in `fields` to the name of its decoded column."""
    lists: frozenset[str]
    """Decoded columns that hold lists."""
    tree: Branch
    leftovers: Branch
    """`unmapped` as the log nests it: fields without a place, and values that did not fit."""
    hot: Mapping[str, tuple[str, ...]]
    """Column of the event row to the value columns that may fill it, best first."""
    status_column: str | None
    severity_column: str | None
    fallbacks: tuple[str, ...]
    patterns: tuple[tuple[str, str], ...] = ()
    """Decoded column and regular expression of each text pattern, in the mapping's order."""
    echo: str | None = None
    """Decoded column that mostly repeats the record's message; left out of `unmapped` there."""
    sums: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Columns that add up others, and those."""
    default_severity: int = 0
    observables: tuple[Observable, ...] = ()
    times: tuple[str, ...] = ()
    """Columns of times that are also given as texts."""


def unfit_name(column: str) -> str:
    """Return the name of the column that keeps what a cast refused."""
    return f"{column}!"


def build_plan(view: SchemaView, mapping: EventMapping) -> EventPlan:
    """Return the plan of `mapping`; raises ValueError where the schema cannot be met."""
    owner = view.classes[mapping.class_uid]
    leaves, lists = _name_leaves(mapping)
    columns: list[Column] = []
    nodes: dict[str, Node] = {}
    sums: dict[str, Rule] = {}
    for number, rule in enumerate(mapping.rules):
        resolved = view.resolve_path(owner, rule.target)
        if resolved is None:
            continue
        name = f"m{number}"
        if rule.source[0] == SUMMED:
            sums[name] = rule
        nodes[rule.target.removesuffix("[*]")] = Leaf(name)
        if rule.source[0] == CAPTURED and int(rule.source[1]) >= len(mapping.patterns):
            raise ValueError(f"rule for {rule.target} names a pattern that the mapping has not")
        if rule.source[0] == SUMMED:
            continue
        sibling = resolved.leaf.sibling
        if rule.cast != "value" and sibling is not None and sibling in resolved.holder.attributes:
            head, _dot, _last = rule.target.rpartition(".")
            nodes[f"{head}.{sibling}" if head else sibling] = Leaf(f"{name}s")
            columns.append(Column(name, rule, resolved.leaf, (f"{name}s", resolved.leaf)))
        else:
            columns.append(Column(name, rule, resolved.leaf))
    by_target = {column.rule.target: column.name for column in columns}
    fallbacks: list[str] = []
    default_severity = _add_severity(owner, nodes)
    tree = _build_event_tree(view, owner, mapping, nodes, fallbacks)
    echo = leaves.get(("message",))
    echo = None if echo in lists or ("message",) in {item.rule.source for item in columns} else echo
    return EventPlan(
        mapping=mapping,
        owner=owner,
        columns=tuple(columns),
        leaves=leaves,
        lists=lists,
        tree=tree,
        leftovers=_build_leftovers(leaves, lists, columns, echo),
        hot={
            name: tuple(by_target[path] for path in _list_hot(paths) if path in by_target)
            for name, (paths, _dtype) in HOT_ATTRIBUTES.items()
        },
        status_column=by_target.get("status_id"),
        severity_column=by_target.get("severity_id"),
        fallbacks=tuple(fallbacks),
        patterns=tuple(
            (leaves.get(item.source, item.source[0]), item.pattern) for item in mapping.patterns
        ),
        echo=echo,
        default_severity=default_severity,
        sums=tuple(
            (name, tuple(by_target[part] for part in rule.source[1:]))
            for name, rule in sums.items()
        ),
        observables=list_observables(view, owner, _list_values(view, owner, columns)),
        times=tuple(
            column.removesuffix("t")
            for column in list_columns(tree)
            if column in {datetime_name(name) for name in (TIME_COLUMN, *by_target.values())}
        ),
    )


def _list_hot(paths: str) -> list[str]:
    """Return the attributes that may fill a hot column; findings keep theirs as evidence."""
    named = paths.split("|")
    return [*named, *(f"{EVIDENCE}{path}" for path in named)]


def _list_values(
    view: SchemaView, owner: ClassView, columns: list[Column]
) -> list[tuple[str, str, ResolvedPath]]:
    """Return column, path and resolved path of what logs give, not of what every log has."""
    listed = []
    for item in columns:
        resolved = view.resolve_path(owner, item.rule.target)
        if resolved is not None and item.rule.source[0] != CONSTANT:
            listed.append((item.name, item.rule.target, resolved))
    return listed


def datetime_name(column: str) -> str:
    """Return the name of the column that holds a column's times as texts."""
    return f"{column}t"


def _add_datetimes(
    view: SchemaView, owner: ClassView, mapping: EventMapping, every: dict[str, Node]
) -> None:
    """Put `x_dt` beside every time `x` that the events have, where the schema has it."""
    for target, node in list(every.items()):
        resolved = view.resolve_path(owner, target)
        if resolved is None or resolved.leaf.type.name != "timestamp_t":
            continue
        twin = view.resolve_path(owner, f"{target}_dt")
        if twin is not None and twin.profiles <= set(mapping.profiles) and isinstance(node, Leaf):
            every[f"{target}_dt"] = Leaf(datetime_name(node.column))


def echo_name(column: str) -> str:
    """Return the name of the column that keeps a message only where the event has another."""
    return f"{column}~"


def _add_severity(owner: ClassView, nodes: dict[str, Node]) -> int:
    """Give every event a severity, and return what stands in where the log names none.

    What is logged without a severity informs; a finding without one is of unknown severity.
    """
    default = 0 if owner.category_uid in _UNSURE_CATEGORIES else 1
    caption = owner.attributes["severity_id"].enum.get(str(default), "Unknown")
    for name, value in (("severity_id", default), ("severity", caption)):
        node = nodes.setdefault(name, Constant(value))
        if isinstance(node, Leaf):
            node.fallback = value
    return default


def _build_event_tree(
    view: SchemaView,
    owner: ClassView,
    mapping: EventMapping,
    nodes: Mapping[str, Node],
    fallbacks: list[str],
) -> Branch:
    every: dict[str, Node] = {
        "time": Leaf(TIME_COLUMN),
        "message": Leaf(MESSAGE_COLUMN),
        "metadata.uid": Leaf(UID_COLUMN),
        "metadata.version": Constant(view.version),
        "metadata.product.name": Leaf(PRODUCT_COLUMN),
        "metadata.product.vendor_name": Leaf(VENDOR_COLUMN),
        **nodes,
    }
    if DATETIME_PROFILE in mapping.profiles:
        _add_datetimes(view, owner, mapping, every)
    if mapping.profiles:
        every["metadata.profiles"] = Constant(list(mapping.profiles))
    tree = build_tree(every)
    for name in CLASS_ATTRIBUTES:
        tree.children[name] = Constant(0)
    PlanCloser(view, frozenset(mapping.profiles), fallbacks).close_class(owner, tree)
    for name in CLASS_ATTRIBUTES:
        del tree.children[name]
    return tree


def _name_leaves(mapping: EventMapping) -> tuple[dict[tuple[str, ...], str], frozenset[str]]:
    names: dict[tuple[str, ...], str] = {}
    lists = set()
    for number, (path, kind) in enumerate(mapping.shape.list_leaves()):
        names[path] = f"f{number}"
        if kind is not Kind.TEXT:
            lists.add(f"f{number}")
    return names, frozenset(lists)


def _build_leftovers(
    leaves: Mapping[tuple[str, ...], str],
    lists: frozenset[str],
    columns: list[Column],
    echo: str | None,
) -> Branch:
    """Return the tree of `unmapped`: other fields as they are, mapped ones where they did not fit.

    A list of which one element was taken, and a word that became an enum's number, stay whole.
    """
    taken = {item.rule.source: item for item in columns if item.rule.cast in PRIMARY_CASTS}
    ports = {item.rule.source for item in columns if item.rule.cast == "port"}
    root = Branch()
    for path, name in leaves.items():
        column = taken.get(path)
        is_cut_off = column is not None and column.rule.cast == "host" and path not in ports
        is_first_only = name in lists and (column is None or column.rule.cast != "list")
        is_kept_whole = column is None or is_first_only or is_cut_off
        holder = root
        for step in path[:-1]:
            below = holder.children.setdefault(step, Branch())
            if isinstance(below, Branch):
                holder = below
        source = name if is_kept_whole or column is None else unfit_name(column.name)
        holder.children[path[-1]] = Leaf(echo_name(name) if name == echo else source)
    return root


def list_gap_columns(plan: EventPlan) -> list[str]:
    """Return every column that some event of the plan may show, in a fixed order."""
    columns = [*list_columns(plan.tree), *list_columns(plan.leftovers)]
    return list(dict.fromkeys([*columns, *(item.column for item in plan.observables)]))


def class_members(owner: ClassView, activity_id: int) -> dict[str, int | str]:
    """Return the attributes that class and activity give: the CLASS_ATTRIBUTES.

    An activity that the class has not becomes 0 Unknown, or 99 Other where there is no 0.
    """
    activity = owner.attributes.get("activity_id")
    enum = activity.enum if activity else {}
    if str(activity_id) not in enum:
        activity_id = 0 if "0" in enum or not enum else 99
    name = enum.get(str(activity_id), "Unknown")
    return {
        "activity_id": activity_id,
        "activity_name": name,
        "category_name": owner.category_name,
        "category_uid": owner.category_uid,
        "class_name": owner.caption,
        "class_uid": owner.uid,
        "type_name": f"{owner.caption}: {name}",
        "type_uid": owner.uid * 100 + activity_id,
    }


def class_opening(owner: ClassView, members: Mapping[str, int | str]) -> str:
    """Return the opening of every event with these members, `{` included, comma last."""
    present = {key: value for key, value in members.items() if key in owner.attributes}
    return json.dumps(present, ensure_ascii=False, separators=(",", ":"))[:-1] + ","
