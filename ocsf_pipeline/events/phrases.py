"""Values inside sentences: phrases with attributes in their gaps, found by regular expressions.

Belongs here: reading phrases (`from {src_endpoint.ip} port {src_endpoint.port}`) into patterns,
and the phrases that hold for any product (`phrases.yaml`). Does not belong here: which phrases a
template's sample holds (`mapping`), running patterns over rows (`run`).

Patterns run in Polars only, whose engine takes linear time, also on texts of attackers.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import yaml

from ocsf_pipeline.events.values import PROTOCOLS

_GAP = re.compile(r"\{([^{}]*)\}")
_QUOTED = re.compile(r"['\"`]?(\{[^{}*.][^{}]*\})['\"`]?")
_IP = r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}|[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*"
_HOST = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?"
_WORD = r"[^\s'\"()<>\[\],;](?:[^\s\"()<>\[\],;]*[^\s'\"()<>\[\],;:.])?"
_PROTOCOL = "(?:" + "|".join(sorted((*PROTOCOLS, "ip", "ipsec"), key=len, reverse=True)) + r")\b"
_BY_NAME: Mapping[str, str] = {
    "ip": _IP, "port": "[0-9]{1,5}", "pid": "[0-9]+", "bytes": "[0-9]+", "bytes_in": "[0-9]+",
    "bytes_out": "[0-9]+", "packets": "[0-9]+", "code": "[0-9]+", "protocol_num": "[0-9]{1,3}",
    "mac": "(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}|(?:[0-9A-Fa-f]{4}[.]){2}[0-9A-Fa-f]{4}",
    "hostname": _HOST, "direction": "inbound|outbound|ingress|egress|incoming|outgoing|in|out",
    "protocol_name": _PROTOCOL,
    "severity": "[0-7]", "event_code": "[A-Za-z0-9_]+",
    "interface_name": r"[A-Za-z0-9_./-]+", "status_detail": ".+?", "cmd_line": ".+?",
    "url_string": r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>]+",
    "email_addr": r"[^\s@<>'\"]+@[^\s@<>'\"]+",
    "duration": "[0-9:.]+", "path": r"(?:/|[A-Za-z]:\\)[^'\"<>|]*[^\s'\"<>|,;:.)]",
}  # fmt: skip
_PASSED_OVER: Mapping[str, str] = {"*": r".*?", ".": r"\S+", ",": "[^,]*"}
"""With `{,}` a phrase is one of comma-separated columns, any of which may be empty."""


class PhraseError(ValueError):
    """A phrase cannot be read; the message shows it and says what to change."""


@dataclass(frozen=True)
class Phrase:
    """A pattern and the attribute of each of its groups, in order."""

    text: str
    """As it was written; the evidence shown to people."""
    pattern: str
    targets: tuple[str, ...]
    words: tuple[str, ...]
    """In lower case; a text without one of them does not hold the phrase."""


@lru_cache(maxsize=4_096)
def parse_phrase(text: str) -> Phrase:
    """Read one phrase: `{attribute}` takes a value; `{*}`, `{.}`, `{,}` pass over what they name.

    `{*}` is any text, `{.}` a word, `{,}` a column.
    White space stands for white space of any length; quotes around a value need not be written.
    A phrase that begins with `^` or ends with `$` holds there only. Raises PhraseError.
    """
    body, is_start, is_end = text, text.startswith("^"), text.endswith("$")
    body = body.removeprefix("^").removesuffix("$")
    pieces = _GAP.split(_QUOTED.sub(r"\1", body))
    targets: list[str] = []
    is_columns = "," in pieces[1::2]
    pattern = "^" if is_start else ("" if pieces[0].startswith((" ", "[")) else r"(?:^|\b|\s)")
    for number, piece in enumerate(pieces):
        if number % 2 == 0:
            pattern += r"\s+".join(re.escape(part) for part in re.split(r"\s+", piece))
        elif piece in _PASSED_OVER:
            pattern += _PASSED_OVER[piece]
        else:
            targets.append(piece)
            is_last = number == len(pieces) - 2 and not pieces[-1]
            inner = _choose_inner(piece, is_last and not is_end)
            if is_columns:
                pattern += f"({'[^,]*' if inner is _WORD else inner}|)"
                continue
            # Without any word around it, "no value" would be found in every text.
            is_alone = len(pieces) == 3 and not any(pieces[::2])
            pattern += f"({inner})" if is_alone else _quote_gap(inner)
    if not targets:
        raise PhraseError(f"the phrase {text!r} takes no value; write {{attribute}} for one")
    words = tuple(dict.fromkeys(" ".join(pieces[::2]).lower().split()))
    return Phrase(text, f"(?i){pattern}{'$' if is_end else ''}", tuple(targets), words)


def _choose_inner(target: str, is_open: bool) -> str:
    inner = _BY_NAME.get(target.rpartition(".")[2], _WORD)
    return ".+" if is_open and inner == ".+?" else inner


def _quote_gap(inner: str) -> str:
    return rf"['\"`]?({inner}|-)['\"`]?"


def make_pair_phrase(name: str, target: str) -> Phrase:
    """Return the phrase of `Name: value` or `name=value` inside a text."""
    inner = _choose_inner(target, is_open=False)
    inner = "[^,;]+" if inner == ".+?" else inner
    parts = r"[ _-]".join(map(re.escape, re.split(r"[ _-]", name)))
    pattern = rf"(?i)(?:^|[\s,;(\[]){parts}\s?[=:]\s?{_quote_gap(inner)}"
    return Phrase(f"{name}: {{{target}}}", pattern, (target,), ())


@dataclass(frozen=True)
class PhraseTable:
    """The phrases of `phrases.yaml`, the most telling first; `version` changes with them."""

    phrases: tuple[Phrase, ...]
    version: str


def parse_phrases(text: str) -> PhraseTable:
    """Read phrases from YAML: a list of texts. Raises PhraseError."""
    listed: Sequence[str] = yaml.safe_load(text)
    phrases = tuple(parse_phrase(item) for item in listed)
    return PhraseTable(phrases, hashlib.sha256(text.encode()).hexdigest()[:12])


@lru_cache(maxsize=1)
def load_phrases() -> PhraseTable:
    """Return the phrases that the package carries."""
    return parse_phrases((files("ocsf_pipeline.events") / "phrases.yaml").read_text("utf-8"))
