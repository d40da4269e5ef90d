"""What speaks for an attribute: the product's hints, names, sentences, values.

Belongs here: proposals from a template's sample, one function per kind of evidence. Does not belong
here: choosing between them (`chooser`), the tables they use (`aliases`, `phrases`, `hints`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ocsf_pipeline.events.aliases import AliasTable
from ocsf_pipeline.events.chooser import Chooser, Proposal, hash_key
from ocsf_pipeline.events.descriptions import find_attribute
from ocsf_pipeline.events.hints import ProductHints, find_words
from ocsf_pipeline.events.kinds import reads_as, recognise_value
from ocsf_pipeline.events.mapping import CAPTURED, CONSTANT, TextPattern
from ocsf_pipeline.events.names import join_words, lookup_keys, split_segments, split_words
from ocsf_pipeline.events.samples import Sample
from ocsf_pipeline.events.schema_view import ClassView, SchemaView
from ocsf_pipeline.events.shapes import Kind, Shape

HINT, HINT_TEXT, OWN_PATH, TEXT, NAME, SENTENCE, VALUE, SIMILAR = range(8)
"""First part of a proposal's rank: the more telling evidence goes first."""
VAGUE = frozenset({
    "name", "type", "id", "uid", "uuid", "guid", "value", "key", "status", "description", "title",
    "category", "action", "version", "result", "time", "kind", "code", "level", "state", "data",
    "detail", "details", "address", "domain", "count", "size", "start", "end", "method",
})  # fmt: skip
"""Names that mean nothing inside a list of records, whatever they mean at the top."""
_BOUND = frozenset({
    "id", "uid", "uuid", "guid", "type", "name", "version", "kind", "subtype", "command", "domain",
})  # fmt: skip
"""Names that below the top say something of their object only."""
_TYPED_WORDS = frozenset({
    "ip", "port", "mac", "addr", "address", "email", "mail", "time", "timestamp", "bytes", "pid",
})  # fmt: skip
_CUSTOM_FIELD = re.compile(
    r"(?:c[sn]|cfp|c6a|flexString|flexNumber|(?:deviceCustom|flex)Date)[0-9]{1,2}"
)
"""Fields of CEF whose meaning stands in another."""
_HOLDERS = frozenset({"event", "data", "record", "log", "payload", "fields", "result", "body"})

Path = tuple[str, ...]


def list_sources(shape: Shape, path: Path = ()) -> Iterator[tuple[Path, Kind]]:
    """Yield path and kind of every field that can give a value, first records of lists included."""
    for here, kind in shape.list_leaves(path):
        if kind is not Kind.RECORDS:
            yield here, kind
    yield from _list_record_fields(shape, path)


def _list_record_fields(shape: Shape, path: Path) -> Iterator[tuple[Path, Kind]]:
    for name, child in shape.fields.items():
        if child.kind is Kind.OBJECT:
            yield from _list_record_fields(child, (*path, name))
        elif child.kind is Kind.RECORDS:
            for inner in child.fields:
                yield (*path, name, inner), Kind.RECORDS


def propose_hints(hints: ProductHints, sample: Sample) -> Iterator[Proposal]:
    """Propose what a pack says of fields and of every log of its product."""
    kinds = dict(list_sources(sample.shape))
    known = {".".join(path): path for path in kinds}
    for order, (name, groups) in enumerate(hints.fields.items()):
        source = (name,) if name.startswith("@") else known.get(name)
        for number, targets in enumerate(groups if source else ()):
            yield Proposal(
                (HINT, order, number), source or (), targets, f"pack {hints.product}: {name}",
                sample.values.get(source or ()), find_words(hints, name, targets), is_sure=True,
                is_list=kinds.get(source or ()) is Kind.LIST, is_copy=number > 0,
            )  # fmt: skip
    for order, (target, value) in enumerate(hints.sets.items()):
        reason = f"pack {hints.product}"
        yield Proposal((HINT_TEXT, 10_000 + order), (CONSTANT, value), (target,), reason)


def propose_own_paths(view: SchemaView, owner: ClassView, sample: Sample) -> Iterator[Proposal]:
    """Propose attributes for fields that are called by OCSF's own paths."""
    for order, (path, _kind) in enumerate(list_sources(sample.shape)):
        target = ".".join(path)
        if "." in target and view.resolve_path(owner, target) is not None:
            yield Proposal(
                (OWN_PATH, order), path, (target,), "OCSF's own name", sample.values.get(path)
            )


def propose_names(aliases: AliasTable, owner: ClassView, sample: Sample) -> Iterator[Proposal]:
    """Propose attributes by the names of fields, whole paths before single names."""
    is_host_log = owner.category_uid == _NETWORK_CATEGORY and _has_local_address(sample)
    for position, (path, kind) in enumerate(list_sources(sample.shape)):
        value = sample.values.get(path)
        for rank, key in enumerate(lookup_keys(_read_label(path, sample) or path)):
            targets = aliases.find_targets(key, owner.uid, owner.category_uid)
            if not targets or _is_vague(key, path, kind):
                continue
            place = (NAME, rank, aliases.order[key], position)
            targets = settle_side(_settle_hash(targets, value), path)
            if is_host_log:
                targets = _settle_remote(targets, path)
            is_list = kind is Kind.LIST
            yield Proposal(place, path, targets, f"name {key}", value, is_list=is_list)
            break


def _read_label(path: Path, sample: Sample) -> Path | None:
    """Return what a custom field is called by its label: `cs1Label=ruleName cs1=block-all`."""
    label = sample.values.get((*path[:-1], f"{path[-1]}Label"))
    return (*path[:-1], label) if label and _CUSTOM_FIELD.fullmatch(path[-1]) else None


def _has_local_address(sample: Sample) -> bool:
    """Whether the log of a host says where its own end is; the remote end is then the other."""
    return any(
        split_words(path[-1])[:1] == ["local"] and recognise_value(value) in ("ip", "ip_port")
        for path, value in sample.values.items()
    )


def _settle_remote(targets: tuple[str, ...], path: Path) -> tuple[str, ...]:
    if not targets or not targets[0].startswith("src_endpoint."):
        return targets
    if split_words(path[-1])[:1] not in (["remote"], ["peer"]):
        return targets
    return (targets[0].replace("src_endpoint", "dst_endpoint"), *targets)


def _is_vague(key: str, path: Path, kind: Kind) -> bool:
    segments = [join_words(part) for part in split_segments(path)]
    if len(segments) < 2 or key != segments[-1]:
        return False
    if kind is Kind.RECORDS:
        return key in VAGUE
    return key in _BOUND and segments[-2] not in _HOLDERS


def is_typed_name(source: Path) -> bool:
    """Whether a field's name says what type its values are of: then a sample may be the misfit."""
    words = split_words(source[-1])
    return bool(words) and words[-1] in _TYPED_WORDS


def _settle_hash(targets: tuple[str, ...], value: str | None) -> tuple[str, ...]:
    """Fill in the algorithm where the table leaves it to the digest's length."""
    if "hashes[*]" not in targets[0]:
        return targets
    key = hash_key(value)
    return tuple(item.replace("[*]", f"[{key}]") for item in targets) if key else ()


_ACTORS = frozenset({"principal", "actor", "initiator", "subject", "initiating", "caller"})
_TARGETS = frozenset({"target", "object", "affected", "victim", "dst", "destination", "responder"})
_ENDPOINT = re.compile(r"^(?:src_endpoint|dst_endpoint|device)\.(ip|port|hostname|mac)$")


def settle_side(targets: tuple[str, ...], path: Path) -> tuple[str, ...]:
    """Let the objects around a field say who acts and on whom: `principal.process`, `target.ip`."""
    around = {word for part in split_segments(path)[:-1] for word in split_words(part)}
    if not targets or not around:
        return targets
    is_actor, is_target = bool(around & _ACTORS), bool(around & _TARGETS)
    if is_actor is is_target:
        side = next((side for signs, side in _SIDES if around & signs), None)
    else:
        side = "src_endpoint" if is_actor else "dst_endpoint"
    endpoint = _ENDPOINT.match(targets[0])
    if endpoint is not None and side is not None and not targets[0].startswith(side):
        return (f"{side}.{endpoint[1]}", *targets)
    if is_actor is is_target:
        return targets
    bare = targets[0].removeprefix("actor.")
    if bare.startswith(("user.", "process.")):
        return (f"actor.{bare}", bare) if is_actor else (bare, f"actor.{bare}")
    return targets


RAW_COLUMN = "@raw"
_NETWORK_CATEGORY = 4
_LINE_FORMATS = frozenset({"syslog", "text", "cef", "leef", "kv"})
_SIDES = (
    (frozenset({"dst", "dest", "destination", "server", "target", "victim", "to", "responder"}),
     "dst_endpoint"),
    (frozenset({"src", "source", "client", "remote", "peer", "from", "caller", "origin", "actor",
                "attacker", "user", "login", "requester", "initiator", "principal"}),
     "src_endpoint"),
    (frozenset({"host", "device", "agent", "machine", "local", "sensor", "endpoint", "computer"}),
     "device"),
)  # fmt: skip
_ID_WORDS = frozenset({"id", "uid", "guid", "uuid", "key", "token", "session", "entity"})
"""Identifiers may have as many digits as a digest."""
_URL_WORDS = frozenset({"url", "uri", "link", "href", "request", "web", "page"})
_MAIL_FROM = frozenset({"from", "sender", "mailfrom", "return"})
_MAIL_TO = frozenset({"to", "recipient", "recipients", "rcpt", "delivered"})


_CLOUDS = (
    # provider, sign in a name, sign in a value
    ("AWS", re.compile(r"(?i)(?:^|[^a-z])aws(?:[^a-z]|$)|^arn:aws|aws[A-Z]"), "arn:aws"),
    ("Azure", re.compile(r"^azure|[^a-z]azure|/subscriptions/", re.IGNORECASE), "/subscriptions/"),
    ("GCP", re.compile(r"^gcp|[^a-z]gcp[^a-z]", re.IGNORECASE), "googleapis.com"),
)
_HEADER_TIME = (
    r"^(?:<[0-9]+>)?(?:[0-9] )?("
    r"[A-Z][a-z]{2} +[0-9]{1,2} (?:[0-9]{4} )?[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}[0-9.,]*)(?:[^0-9.,Z+-]|$)"
)
"""A time in front of a text, unless it names its zone."""


def propose_cloud(owner: ClassView, sample: Sample) -> Iterator[Proposal]:
    """Propose the provider that names of fields or resource names of values give away."""
    if "cloud" not in owner.attributes:
        return
    for provider, name_sign, value_sign in _CLOUDS:
        named = next((path for path in sample.values if name_sign.search(path[-1])), None)
        valued = next((p for p, value in sample.values.items() if value_sign in value), None)
        found = named or valued
        if found is not None:
            reason = f"field {'.'.join(found)}"
            yield Proposal((VALUE, 10_000), (CONSTANT, provider), ("cloud.provider",), reason)
            return


def propose_header_time(patterns: list[TextPattern], log_format: str) -> Iterator[Proposal]:
    """Propose the time in front of a line of text as it is written there."""
    if log_format in _LINE_FORMATS:
        source = (CAPTURED, str(len(patterns)), "1")
        patterns.append(TextPattern((RAW_COLUMN,), _HEADER_TIME))
        yield Proposal((VALUE, 0), source, ("metadata.original_time",), "time before the text")


def propose_values(sample: Sample) -> Iterator[Proposal]:
    """Propose attributes by what values look like, helped by the words of their names."""
    for order, (path, kind) in enumerate(list_sources(sample.shape)):
        value = sample.values.get(path)
        if value is None or kind is Kind.RECORDS:
            continue
        is_list = kind is Kind.LIST
        words = {word for part in path for word in split_words(part)}
        found = recognise_value(value)
        targets = _targets_of_kind(found, words)
        if targets:
            reason = f"value looks like {found}"
            yield Proposal((VALUE, order), path, targets, reason, value, is_list=is_list)


def _targets_of_kind(kind: str, words: set[str]) -> tuple[str, ...]:
    if kind in ("ip", "ip_port", "mac"):
        last = "mac" if kind == "mac" else "ip"
        side = next((side for signs, side in _SIDES if words & signs), None)
        return (f"{side}.{last}",) if side else ()
    if kind == "email":
        if words & _MAIL_FROM:
            return ("email.from", "user.email_addr", "actor.user.email_addr")
        if words & _MAIL_TO:
            return ("email.to[0]", "user.email_addr", "actor.user.email_addr")
        return ("user.email_addr", "actor.user.email_addr")
    if kind in ("md5", "sha1", "sha256", "sha512"):
        if words & _ID_WORDS:
            return ()
        is_file = words & {"hash", "file", "process", "image", "checksum", "digest", "sample"}
        key = f"hashes[{kind}].value"
        return (f"file.{key}", f"process.file.{key}") if is_file else ()
    if kind == "url" and not words & _URL_WORDS:
        return ()
    return {
        "url": ("http_request.url.url_string", "url.url_string"),
        "account": ("user.name", "actor.user.name"),
    }.get(kind, ())


def propose_similar(
    view: SchemaView, owner: ClassView, sample: Sample, chooser: Chooser
) -> Iterator[Proposal]:
    """Propose attributes whose names and descriptions read like fields that gave none so far."""
    for path, kind in list_sources(sample.shape):
        value = sample.values.get(path)
        if value is None or kind is Kind.RECORDS or chooser.is_used(path):
            continue
        found = find_attribute(view, owner, path, value, chooser.has)
        if found is None:
            continue
        targets = settle_side((found.target,), path)
        resolved = view.resolve_path(owner, targets[0])
        if resolved is None or not reads_as(value, resolved):
            continue
        reason = f"description of {found.target}, {found.score:.2f}"
        rank = (SIMILAR, -found.score)
        yield Proposal(rank, path, targets, reason, value, is_list=kind is Kind.LIST)
