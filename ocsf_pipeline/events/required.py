"""What the schema requires beyond what a log gives: a plan is closed so that it is always valid.

Belongs here: required attributes, constraints, and the stand-ins for what a log does not say.
Does not belong here: which log field gives which attribute (`mapping`).

A stand-in never claims anything: 0 Unknown where the enum has it, else 99 Other; "unknown" for
text; the record's own time and uid where those are meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ocsf_pipeline.events.schema_view import AttributeView, ClassView, ObjectView, SchemaView
from ocsf_pipeline.events.tree import Branch, Constant, Elements, Leaf, Node, place_node

UNKNOWN = "unknown"
NO_UUID = "00000000-0000-0000-0000-000000000000"
UNKNOWN_EMAIL = "unknown@unknown.invalid"
MAX_DEPTH = 8

TIME_COLUMN = "@time_ms"
UID_COLUMN = "@event_uid"
PRODUCT_COLUMN = "@product"
MESSAGE_COLUMN = "@message"
HOST_COLUMN = "@host"

CERTAIN_COLUMNS = frozenset({TIME_COLUMN, UID_COLUMN, PRODUCT_COLUMN})

RECORD_STAND_INS: Mapping[str, str] = {
    # attribute path: column of the record that stands in, where the class has the attribute
    "finding_info.uid": UID_COLUMN,
    "finding_info_list[].uid": UID_COLUMN,
    "finding.uid": UID_COLUMN,
    "service.name": PRODUCT_COLUMN,
    "app.name": PRODUCT_COLUMN,
}
_PREFERRED = (
    "name", "uid", "service", "src_endpoint", "hostname", "user", "http_request", "log_name",
    "cve", "desc", "cloud", "url_string", "provider", "group", "device", "app_name",
)  # fmt: skip
"""What stands in first where one of several attributes must be present."""


@dataclass
class PlanCloser:
    """Adds to a tree what its class requires; remembers every stand-in in `fallbacks`."""

    view: SchemaView
    profiles: frozenset[str]
    fallbacks: list[str]

    def close_class(self, owner: ClassView, root: Branch) -> None:
        """Make `root` a valid event of `owner` in every row."""
        self._close(owner, root, "", 0)

    def _close(self, owner: ObjectView, branch: Branch, path: str, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise ValueError(f"OCSF attribute {path} requires itself; the schema cannot be met")
        for attribute in owner.attributes.values():
            if attribute.is_required and self._is_on(attribute):
                self._require(branch, attribute, _join(path, attribute.name), depth)
        for names in (owner.at_least_one, owner.just_one):
            if names:
                self._satisfy(owner, branch, names, path, depth)
        for name, child in branch.children.items():
            attribute = owner.attributes[name]
            if attribute.object_type is not None:
                self._close_below(attribute, child, _join(path, name), depth)

        children = branch.children.values()
        # A stand-in that a constraint asked for guards emptiness too, and must stay as it is.
        if (
            branch.is_required
            and depth
            and not any(_is_certain(i) or _is_guard(i) for i in children)
        ):
            self._fill_empty(owner, branch, path, depth)

    def _fill_empty(self, owner: ObjectView, branch: Branch, path: str, depth: int) -> None:
        """Give a required object without any certain member one that stands in."""
        names = tuple(
            item.name
            for item in owner.attributes.values()
            if item.object_type is None and not item.is_array and not item.enum
        )
        if names:
            self._add_guarded(owner, branch, names, list(branch.children), path, depth)

    def _close_below(self, attribute: AttributeView, node: Node, path: str, depth: int) -> None:
        owner = self.view.objects[attribute.object_type or ""]
        if isinstance(node, Branch):
            self._close(owner, node, path, depth + 1)
        elif isinstance(node, Elements):
            for key, item in node.items.items():
                if isinstance(item, Branch):
                    _name_element(owner, item, key)
                    self._close(owner, item, f"{path}[]", depth + 1)

    def _is_on(self, attribute: AttributeView) -> bool:
        return not attribute.profiles or bool(attribute.profiles & self.profiles)

    def _require(self, branch: Branch, attribute: AttributeView, path: str, depth: int) -> None:
        node = branch.children.get(attribute.name)
        if node is None:
            branch.children[attribute.name] = self._stand_in(attribute, path, depth)
            self.fallbacks.append(path)
        elif isinstance(node, Leaf):
            if node.fallback is None:
                node.fallback = _plain_stand_in(attribute)
        elif isinstance(node, Branch | Elements):
            node.is_required = True
            _keep_one_element(node)

    def _stand_in(self, attribute: AttributeView, path: str, depth: int) -> Node:
        if attribute.object_type is None:
            column = RECORD_STAND_INS.get(path)
            if column is None and attribute.type.name == "timestamp_t":
                column = TIME_COLUMN
            node: Node = Leaf(column) if column else Constant(_plain_stand_in(attribute))
        else:
            node = Branch(is_required=True)
            self._close(self.view.objects[attribute.object_type], node,
                        f"{path}[]" if attribute.is_array else path, depth + 1)  # fmt: skip
        if attribute.is_array:
            return Elements({"0": node}, is_required=True)
        return node

    def _satisfy(
        self,
        owner: ObjectView,
        branch: Branch,
        names: tuple[str, ...],
        path: str,
        depth: int,
    ) -> None:
        """Make at least one of `names` present wherever `branch` is."""
        if any("." in name for name in names):
            self._satisfy_paths(branch, names)
            return
        present = [name for name in names if name in branch.children]
        if any(_is_certain(branch.children[name]) for name in present):
            return
        nested = [name for name in present if isinstance(branch.children[name], Branch | Elements)]
        if nested and not any(isinstance(branch.children[name], Leaf) for name in present):
            node = branch.children[nested[0]]
            if isinstance(node, Branch | Elements):
                node.is_required = True
            return
        self._add_guarded(owner, branch, names, present, path, depth)

    def _add_guarded(
        self,
        owner: ObjectView,
        branch: Branch,
        names: tuple[str, ...],
        present: list[str],
        path: str,
        depth: int,
    ) -> None:
        chosen = _choose(owner, names, present)
        attribute = owner.attributes[chosen]
        node = branch.children.get(chosen)
        unless = tuple(name for name in present if name != chosen)
        self.fallbacks.append(_join(path, chosen))
        if isinstance(node, Leaf):
            node.fallback, node.unless = _plain_stand_in(attribute), unless
            return
        made = self._stand_in(attribute, _join(path, chosen), depth)
        if isinstance(made, Constant):
            made.unless = unless
        branch.children[chosen] = made

    def _satisfy_paths(self, branch: Branch, names: tuple[str, ...]) -> None:
        """Constraints over nested attributes, e.g. `device.os.version`: the last is text."""
        chosen = names[-1]
        steps = chosen.split(".")
        holder: Node | None = branch
        for step in steps[:-1]:
            holder = holder.children.get(step) if isinstance(holder, Branch) else None
        below = holder.children if isinstance(holder, Branch) else {}
        others = {name.split(".")[-1] for name in names} & set(below)
        if steps[-1] in others:
            leaf = below[steps[-1]]
            if isinstance(leaf, Leaf):
                leaf.fallback = UNKNOWN
        else:
            place_node(branch, chosen, Constant(UNKNOWN))
        walk: Node = branch
        for step in steps[:-1]:
            if isinstance(walk, Branch):
                walk = walk.children[step]
                if isinstance(walk, Branch):
                    walk.is_required = True
        self.fallbacks.append(chosen)


def _is_certain(node: Node) -> bool:
    """True when the node is in every row in which its object is."""
    if isinstance(node, Branch | Elements):
        return node.is_required
    if isinstance(node, Constant):
        return not node.unless
    return node.fallback is not None or node.column in CERTAIN_COLUMNS


def _keep_one_element(node: Branch | Elements) -> None:
    """Let a required array have its first element in every row."""
    if isinstance(node, Elements) and not any(map(_is_certain, node.items.values())):
        first = next(iter(node.items.values()), None)
        if isinstance(first, Branch):
            first.is_required = True


def _is_guard(node: Node) -> bool:
    """True when the node stands in where none of its siblings has a value."""
    return isinstance(node, Leaf | Constant) and bool(node.unless)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _choose(owner: ObjectView, names: Iterable[str], present: list[str]) -> str:
    """Return the attribute that is most fit to stand in: text, well known, free of profiles."""
    known = [owner.attributes[name] for name in names if name in owner.attributes]
    usable = [item for item in known if not item.is_deprecated and not item.profiles] or known

    def rank(attribute: AttributeView) -> tuple[int, int, int]:
        order = (
            _PREFERRED.index(attribute.name) if attribute.name in _PREFERRED else len(_PREFERRED)
        )
        plain = attribute.object_type is None and attribute.type.regex is None
        return (0 if plain and attribute.type.base == "string_t" else 1, order, len(present))

    return min(usable, key=rank).name


def _plain_stand_in(attribute: AttributeView) -> object:
    if attribute.enum:
        values = list(attribute.enum)
        chosen = next((value for value in ("0", "99") if value in values), min(values))
        return int(chosen) if attribute.type.base in ("integer_t", "long_t") else chosen
    by_base = {"integer_t": 0, "long_t": 0, "float_t": 0.0, "boolean_t": False}
    if attribute.type.base in by_base:
        return max(by_base[attribute.type.base], attribute.type.low or 0)
    return {"uuid_t": NO_UUID, "email_t": UNKNOWN_EMAIL, "ip_t": "0.0.0.0"}.get(  # noqa: S104
        attribute.type.name, UNKNOWN
    )


def _name_element(owner: ObjectView, item: Branch, key: str) -> None:
    """Give an element its enum value where the key names one: `hashes[sha256]` → SHA-256."""
    wanted = _squeeze(key)
    for attribute in owner.attributes.values():
        if not attribute.enum or not attribute.is_required or attribute.name in item.children:
            continue
        for value, caption in attribute.enum.items():
            if _squeeze(caption) == wanted:
                item.children[attribute.name] = Constant(int(value))
                if attribute.sibling is not None and attribute.sibling in owner.attributes:
                    item.children[attribute.sibling] = Constant(caption)
                return


def _squeeze(text: str) -> str:
    return "".join(char for char in text.lower() if char.isalnum())
