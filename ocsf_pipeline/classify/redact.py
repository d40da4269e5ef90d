"""A log -> the same log without secrets and personal data, before it leaves the machine.

Belongs here: finding what must not leave, by the name of its field and by its shape. Does not
belong here: sending anything (adapters), prompts (`questions`).

What was one value stays one value: `[IP_1]` and `[IP_2]` are two addresses, so that a reader still
sees who talked to whom. Hosts, domains, file and process names stay: classes depend on them.
A name in the middle of free text that nothing announces is not found. Every pattern has bounded
repeats: logs are written by attackers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from ocsf_pipeline.classify.words import OBJECTS, VERBS

MAX_INPUT_CHARS = 16_000
"""Of a longer log only this much is looked at, and nothing after it leaves."""
_MAX_DEPTH = 20
_PUBLIC_NAMES = frozenset(
    {"root", "system", "admin", "administrator", "anonymous", "guest", "nobody", "none", "null",
     "unknown", "true", "false", "local service", "network service", "localsystem", "daemon",
     "service", "user", "users", "n/a", "success", "failure", "failed", "ok"}
)  # fmt: skip

_SECRET_KEY = re.compile(
    r"(?i)pass(?:word|wd|phrase|code)?$|pwd$|secret|token|api_?key|access_?key|private_?key|"
    r"credential|authorization|cookie|session_?(?:id|key)$|signature$|otp$|pin$|jwt|assertion|"
    r"client_?secret|encryption_?key|nonce$"
)
# `passwordLastSet`, `tokenType`: the name of a secret in a field that holds none.
_NO_SECRET_KEY = re.compile(
    r"(?i)(?:type|last_?set|changed|expir\w*|policy|count|length|age|status|algorithm|time|at|name|"
    r"enabled|required|method|reset|elevation\w*|event|action)$"
)
_PERSON_KEY = re.compile(
    r"(?i)(?:^|[_.\-])(?:s|d|src_?|dst_?|source_?|target_?|subject_?|member_?|caller_?|actor_?|"
    r"remote_?|effective_?|initiating_?|logon_?|client_?|request_?|created_?by_?|modified_?by_?)?"
    r"(?:user(?:_?name|_?principal_?name|_?display_?name|_?email|_?id)?|uname|u?acct|account(?:_?"
    r"name)?|login(?:_?name)?|logname|"
    r"owner(?:_?name)?|display_?name|first_?name|last_?name|full_?name|given_?name|surname|"
    r"alternate_?id|principal(?:_?(?:name|id|email))?|upn|suser|duser|usr|ruser|euser|"
    r"employee(?:_?(?:name|id|number))?|person(?:_?name)?|phone(?:_?number)?|mobile|ssn|"
    r"street(?:_?address)?|postal_?code|birth(?:_?date|day)?|cardholder(?:_?name)?|"
    r"badge(?:_?(?:number|holder))?|subscriber|patient\w{0,20}|customer(?:_?name)?|author|"
    r"created_?by|modified_?by|updated_?by|performed_?by|assignee|recipient|sender|rcpt|"
    r"mail_?(?:from|to)|username)$"
)

_PEM = re.compile(r"-----BEGIN [A-Z ]{0,40}-----[^-]{0,8000}(?:-----END [A-Z ]{0,40}-----)?")
_SECRETS = re.compile(
    r"\beyJ[\w\-]{8,2000}\.[\w\-]{4,4000}(?:\.[\w\-]{0,2000})?"
    r"|\b(?:AKIA|ASIA|AROA|AIDA)[0-9A-Z]{16}\b"
    r"|\bgh[pousr]_\w{20,255}|\bgithub_pat_\w{20,255}|\bglpat-[\w\-]{16,64}"
    r"|\bxox[abeoprs]-[\w\-]{10,255}|\b[sr]k[-_](?:live|test|proj|ant)?[-_]?[\w\-]{16,255}"
    r"|\bAIza[\w\-]{30,64}|\bhv[sbr]\.[\w\-]{20,255}|\bnpm_\w{30,64}|\bya29\.[\w\-]{20,2000}"
    r"|\bSG\.[\w\-]{16,64}\.[\w\-]{16,64}"
)
_BEARER = re.compile(
    r"(?i)\b((?:bearer|basic|digest|negotiate|apikey|token)\s{1,4})[\w\-.~+/]{8,4000}={0,3}"
)
_USERINFO = re.compile(r"(?<=://)[^\s/@:]{1,200}(?::[^\s/@]{0,200})?(?=@)")
_PAIR = re.compile(
    r"""(?<![\w])([A-Za-z][\w.\-]{0,60})(\\?["']?\s{0,2}[=:]\s{0,2})"""
    r"""(\\?"(?:[^"\\]|\\.){0,400}"|'[^'\n]{0,400}'|[^\s,;&|"'<>)\]}]{1,2000})"""
)
# Values of CEF and LEEF go on, spaces included, until the next key.
_CEF_PAIR = re.compile(
    r"(?<![\w=])([A-Za-z]\w{0,40})(=)([^=\n\t|]{1,300}?)(?=\s{1,2}[A-Za-z]\w{0,40}=|\t|\s{0,2}$)"
)
_ELEMENT = re.compile(
    r"(<(?:Data Name=[\"']([\w.\-]{1,60})[\"']|([A-Za-z][\w.:\-]{0,60}))(?:\s[^<>]{0,300})?>)"
    r"([^<>]{1,2000})(?=</)"
)
_ANNOUNCED = re.compile(
    r"(?i)\b((?:invalid |illegal |unknown )?(?:user|for|account|acct|login|logname|by|from user|as)"
    r"\s{1,3}(?:invalid user |user |account )?[\"'(\[]?)([A-Za-z][\w.\-]{1,40}\$?)(?![\w.\-=:/\\@])"
)
_EMAIL = re.compile(r"(?<![\w.+\-])[\w.+\-]{1,64}@[\w\-]{1,63}(?:\.[\w\-]{1,63}){1,6}")
_HOME = re.compile(r"(?i)((?:/home/|/Users/|[A-Z]:\\{1,2}Users\\{1,2}))([^\s/\\:\"'<>|]{1,64})")
_DOMAIN_USER = re.compile(r"(?<![\w\\:/.])([A-Z][A-Z0-9\-]{1,20}\\{1,2})([A-Za-z][\w.\-]{1,40}\$?)")
_SHAPES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("SID", re.compile(r"\bS-1-5-21(?:-\d{1,10}){1,5}")),
    ("MAC", re.compile(r"\b[0-9a-fA-F]{2}(?:[:\-][0-9a-fA-F]{2}){5}\b")),
    ("IP", re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.]*\d)")),
    # Version 6: all eight groups, or fewer around a double colon; 10:00:01 is a time.
    ("IP", re.compile(r"(?<![\w:])(?:(?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}"
                      r"|(?:[0-9a-fA-F]{1,4}:){1,6}(?::[0-9a-fA-F]{1,4}){1,6})(?![\w:])")),
    ("ID", re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b")),
    ("HASH", re.compile(r"\b(?:[0-9a-fA-F]{32}|[0-9a-fA-F]{40}|[0-9a-fA-F]{64})\b")),
    ("IBAN", re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b")),
    ("SSN", re.compile(r"(?<![\d\-])\d{3}-\d{2}-\d{4}(?![\d\-])")),
    ("PHONE", re.compile(r"(?<![\w+])\+\d{1,3}(?:[ .\-]?\(?\d{2,4}\)?){2,5}(?!\w)")),
    # Long runs of letters and digits that no word is: keys, cookies, session ids.
    ("SECRET", re.compile(r"\b(?=[\w+/]{0,60}\d)(?=[\w+/]{0,60}[A-Z])(?=[\w+/]{0,60}[a-z])"
                          r"[A-Za-z0-9_+/]{36,2000}={0,2}")),
)  # fmt: skip
_CARD = re.compile(r"(?<![\d.\-])(?:\d[ \-]?){12,18}\d(?![\d.\-])")


def redact_log(raw: str) -> str:
    """Return `raw`, cut to MAX_INPUT_CHARS, with placeholders for secrets and personal data."""
    return _Redactor().redact(raw[:MAX_INPUT_CHARS])


class _Redactor:
    """Replaces values in one log; remembers which placeholder stands for what."""

    def __init__(self) -> None:
        self._placeholders: dict[tuple[str, str], str] = {}
        self._counts: dict[str, int] = {}

    def redact(self, text: str) -> str:
        document = _parse(text)
        if document is not None:
            self._learn_names(document)
            cleaned = json.dumps(self._clean(document, ""), ensure_ascii=False)
        else:
            cleaned = self._clean_text(text)
        return self._replace_known_names(cleaned)

    def _clean(self, node: Any, key: str) -> Any:
        if isinstance(node, dict):
            named = _read_named(node)
            return {
                self._clean_text(str(name)): self._clean(
                    child, named if named and str(name).lower().endswith("value") else str(name)
                )
                for name, child in node.items()
            }
        if isinstance(node, list):
            return [self._clean(child, key) for child in node]
        if isinstance(node, bool) or node is None:
            return node
        return self._clean_scalar(node, key)

    def _clean_scalar(self, value: str | int | float, key: str) -> Any:
        hidden = self._hide(key, str(value))
        if hidden is not None:
            return hidden
        if isinstance(value, str):
            inner = _parse(value)
            if inner is not None:
                return json.dumps(self._clean(inner, key), ensure_ascii=False)
            return self._clean_text(value)
        cleaned = self._clean_text(str(value))
        return value if cleaned == str(value) else cleaned

    def _hide(self, key: str, value: str) -> str | None:
        """Return what stands for the value of a field whose name says enough, or None."""
        if not value.strip() or value.strip() in ("-", "*", "0"):
            return None
        if _SECRET_KEY.search(key) and not _NO_SECRET_KEY.search(key):
            return self._mark("SECRET", value)
        if _is_person(key, value):
            return self._mark("USER", value)
        return None

    def _clean_text(self, text: str) -> str:
        text = _PEM.sub(lambda hit: self._mark("SECRET", hit[0]), text)
        text = _SECRETS.sub(lambda hit: self._mark("SECRET", hit[0]), text)
        text = _BEARER.sub(lambda hit: hit[1] + self._mark("SECRET", hit[0]), text)
        text = _USERINFO.sub(lambda hit: self._mark("SECRET", hit[0]), text)
        text = _ELEMENT.sub(self._replace_element, text)
        if "CEF:" in text or "LEEF:" in text:
            text = _CEF_PAIR.sub(self._replace_pair, text)
        text = _PAIR.sub(self._replace_pair, text)
        text = _EMAIL.sub(lambda hit: self._mark("EMAIL", hit[0]), text)
        text = _HOME.sub(self._replace_named, text)
        text = _DOMAIN_USER.sub(self._replace_named, text)
        text = _ANNOUNCED.sub(self._replace_announced, text)
        for kind, pattern in _SHAPES:
            text = self._replace_shape(kind, pattern, text)
        return _CARD.sub(self._replace_card, text)

    def _replace_pair(self, hit: re.Match[str]) -> str:
        quote = hit[3][:1] if hit[3][:1] in "\"'" else ('\\"' if hit[3][:2] == '\\"' else "")
        value = hit[3][len(quote) : len(hit[3]) - len(quote)] if quote else hit[3]
        hidden = self._hide(hit[1], value)
        return hit[0] if hidden is None else f"{hit[1]}{hit[2]}{quote}{hidden}{quote}"

    def _replace_element(self, hit: re.Match[str]) -> str:
        hidden = self._hide(hit[2] or hit[3].rsplit(":", 1)[-1], hit[4])
        return hit[0] if hidden is None else f"{hit[1]}{hidden}"

    def _replace_named(self, hit: re.Match[str]) -> str:
        return hit[0] if _is_public(hit[2]) else hit[1] + self._mark("USER", hit[2])

    def _replace_announced(self, hit: re.Match[str]) -> str:
        word = hit[2].lower()
        is_word = word in VERBS or word in OBJECTS or word in _COMMON or _is_public(word)
        return hit[0] if is_word else hit[1] + self._mark("USER", hit[2])

    def _replace_card(self, hit: re.Match[str]) -> str:
        digits = [int(char) for char in hit[0] if char.isdigit()]
        doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
        is_card = (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
        return self._mark("CARD", hit[0]) if is_card else hit[0]

    def _replace_shape(self, kind: str, pattern: re.Pattern[str], text: str) -> str:
        return pattern.sub(lambda hit: self._mark(kind, hit[0]), text)

    def _mark(self, kind: str, value: str) -> str:
        if value.startswith("[") and value.endswith("]"):
            return value  # it is a placeholder already
        known = self._placeholders.get((kind, value))
        if known is None:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            known = self._placeholders[kind, value] = f"[{kind}_{self._counts[kind]}]"
        return known

    def _learn_names(self, document: Any) -> None:
        for key, value in _walk(document, ""):
            self._hide(key, value)

    def _replace_known_names(self, text: str) -> str:
        """Replace names that a field gave away wherever else they stand, longest first."""
        names = [(value, mark) for (kind, value), mark in self._placeholders.items()
                 if kind in ("USER", "SECRET") and 3 <= len(value) <= 200]  # fmt: skip
        for value, mark in sorted(names, key=lambda item: -len(item[0])):
            for spelling in {value, json.dumps(value, ensure_ascii=False)[1:-1]}:
                whole = re.compile(rf"(?<!\w){re.escape(spelling)}(?!\w)")
                text = whole.sub(mark.replace("\\", ""), text)
        return text


_COMMON = frozenset(
    {"the", "a", "an", "this", "that", "it", "its", "is", "was", "has", "have", "had", "not", "no",
     "from", "to", "in", "on", "at", "of", "with", "via", "and", "or", "unknown", "invalid", "user",
     "account", "name", "password", "login", "session", "service", "client", "server", "host"}
)  # fmt: skip


def _is_public(value: str) -> bool:
    return value.strip().lower() in _PUBLIC_NAMES


def _is_person(key: str, value: str) -> bool:
    if not _PERSON_KEY.search(key) or _is_public(value):
        return False
    return not value.strip().startswith(("{", "[", "<")) and len(value) <= 400


def _parse(text: str) -> Any:
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, (dict, list)) and _is_shallow(document) else None


def _is_shallow(document: Any) -> bool:
    level = [document]
    for _depth in range(_MAX_DEPTH):
        level = [child for node in level for child in _children(node)]
        if not level:
            return True
    return False


def _children(node: Any) -> list[Any]:
    if isinstance(node, dict):
        return list(node.values())
    return list(node) if isinstance(node, list) else []


def _read_named(node: dict[str, Any]) -> str | None:
    """Return the name in `{"name": "userName", "value": "kim"}`."""
    lowered = {str(key).lower(): value for key, value in node.items()}
    name = next((lowered[key] for key in ("name", "key", "field") if key in lowered), None)
    return name if isinstance(name, str) and len(node) <= 3 else None


def _walk(node: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        for name, child in node.items():
            yield from _walk(child, str(name))
    elif isinstance(node, list):
        for child in node:
            yield from _walk(child, key)
    elif isinstance(node, str):
        yield key, node
