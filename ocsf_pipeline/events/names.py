"""Field names of logs, made comparable.

Belongs here: splitting a name into words and the keys under which a field is looked up in the
alias table. Does not belong here: the aliases themselves, any meaning of a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_SERVER_SIDE = re.compile(r"^[sr]-(?=[a-z])")
"""W3C extended: `s-ip` is the server's, `r-ip` the remote server's of a proxy."""
MAX_SUFFIX_SEGMENTS = 3


def split_words(name: str) -> list[str]:
    """Return the words of one field name in lower case: `sourceIPAddress` → source, ip, address."""
    return [word.lower() for word in _WORD.findall(name)]


@lru_cache(maxsize=32_768)
def join_words(name: str) -> str:
    """Return the name's words without any separator: `c-ip`, `cIp` and `C_IP` → `cip`."""
    return "".join(split_words(name))


def split_segments(path: Sequence[str]) -> list[str]:
    """Return the segments of a field path; dots inside a name also separate: `source.ip`."""
    return [part for name in path for part in name.split(".") if part]


def lookup_keys(path: Sequence[str]) -> Iterator[str]:
    """Yield the keys of a field path, most telling first.

    The whole path, then ever shorter endings, then the last name with one ancestor alone, then
    the last name: `("event", "src", "geo", "city")` → `eventsrcgeocity`, `srcgeocity`, `geocity`,
    `srccity`, `eventcity`, `city`.
    """
    segments = [join_words(_SERVER_SIDE.sub("server-", part)) for part in split_segments(path)]
    count = len(segments)
    starts = [0, *range(max(1, count - MAX_SUFFIX_SEGMENTS), count - 1)]
    keys = ["".join(segments[start:]) for start in starts]
    keys += [segments[i] + segments[-1] for i in range(count - 3, -1, -1)]
    keys += segments[-1:]
    yield from dict.fromkeys(key for key in keys if key)
