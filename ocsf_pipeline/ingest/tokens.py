"""Who may send: named tokens, compared in constant time, replaced while the endpoint runs.

Belongs here: the form of tokens and of the Authorization header. Does not belong here: where tokens
come from is handed in, answers to who may not (`app`).

A line is `name:token` or `name:sha256:hex`; `#` begins a comment. Several are valid at a time: add
the new token, move the senders, remove the old one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass

from ocsf_pipeline.ingest.errors import RequestError

MIN_TOKEN_LENGTH = 16
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_HASHED = re.compile(r"sha256:([0-9a-fA-F]{64})")
_ANYONE = "anyone"


class TokenError(ValueError):
    """A list of tokens cannot be used; the message names the line, never the token."""


class MissingTokenError(RequestError):
    """The request carries no token."""

    status = 401

    def __init__(self) -> None:
        super().__init__(
            "Token is required: send 'Authorization: Bearer TOKEN' or 'Splunk TOKEN'",
            reason="no_token",
        )


class WrongTokenError(RequestError):
    """The request carries a token that is not known."""

    status = 403

    def __init__(self) -> None:
        super().__init__("Invalid token", reason="wrong_token")


@dataclass(frozen=True)
class Tokens:
    """The tokens in force, as digests by the senders' names; empty lets everyone in."""

    digests: tuple[tuple[str, bytes], ...]

    def find_sender(self, authorization: str) -> str:
        """Return the name of the sender that an Authorization header proves.

        Raises MissingTokenError or WrongTokenError. Every token is compared, whatever is found.
        """
        if not self.digests:
            return _ANYONE
        presented = _read_authorization(authorization)
        if not presented:
            raise MissingTokenError
        digest = hashlib.sha256(presented.encode("utf-8", "surrogateescape")).digest()
        found = [name for name, known in self.digests if hmac.compare_digest(digest, known)]
        if not found:
            raise WrongTokenError
        return found[0]


def parse_tokens(text: str) -> Tokens:
    """Read a list of tokens, a line each. Raises TokenError when one cannot be used."""
    digests = []
    for number, line in enumerate(text.replace(",", "\n").splitlines(), 1):
        entry = line.partition("#")[0].strip()
        if not entry:
            continue
        name, colon, token = (part.strip() for part in entry.partition(":"))
        if not colon or not _NAME.fullmatch(name):
            raise TokenError(f"tokens, entry {number}: write 'name:token' with a plain name")
        hashed = _HASHED.fullmatch(token)
        if hashed is None and len(token) < MIN_TOKEN_LENGTH:
            raise TokenError(
                f"tokens, entry {number} ({name}): shorter than {MIN_TOKEN_LENGTH} characters; "
                "make one with: openssl rand -hex 24"
            )
        known = bytes.fromhex(hashed[1]) if hashed else hashlib.sha256(token.encode()).digest()
        digests.append((name, known))
    return Tokens(tuple(digests))


class TokenWatch:
    """Tokens that follow their source: a list that cannot be used leaves the last good one."""

    def __init__(self, fixed: str, read: Callable[[], tuple[object, str]] | None) -> None:
        """`fixed` is always valid; `read` returns (what changes with the text, the text).

        Raises TokenError or OSError when the first list cannot be used.
        """
        self._fixed = parse_tokens(fixed)
        self._read = read
        self._stamp: object = None
        self.tokens = self._fixed
        self.failure = ""
        """Why the source cannot be used now; empty when it can."""
        if read is not None:
            self._stamp, text = read()
            self.tokens = self._join(parse_tokens(text))

    def refresh(self) -> bool:
        """Look at the source again; return whether the tokens changed."""
        if self._read is None:
            return False
        try:
            stamp, text = self._read()
            if stamp == self._stamp:
                self.failure = ""
                return False
            fresh = parse_tokens(text)
            if not fresh.digests:
                raise TokenError("the list is empty; an open endpoint must be asked for at start")
        except (OSError, ValueError) as error:
            self.failure = str(error)
            return False
        self._stamp, self.tokens, self.failure = stamp, self._join(fresh), ""
        return True

    def _join(self, fresh: Tokens) -> Tokens:
        return Tokens((*self._fixed.digests, *fresh.digests))


def _read_authorization(header: str) -> str:
    """Return the token of `Bearer x`, `Splunk x`, or the password of `Basic …`."""
    scheme, _space, value = header.strip().partition(" ")
    value = value.strip()
    if scheme.lower() in ("bearer", "splunk"):
        return value
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""
