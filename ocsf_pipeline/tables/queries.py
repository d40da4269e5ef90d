"""What an analyst's statement may be: one statement that only reads.

Belongs here: the check of the text before it is sent. It is the second fence: the first is
ClickHouse's own readonly mode, which does not stop INTO OUTFILE or, in chDB, a second statement.
Does not belong here: running it.
"""

from __future__ import annotations

import re

READING_WORDS = frozenset({"select", "with", "show", "describe", "desc", "explain", "exists"})

_LITERALS_AND_COMMENTS = re.compile(
    r"""
      '(?:[^'\\]|\\.|'')*'            # string
    | `(?:[^`\\]|\\.|``)*`            # quoted identifiers
    | "(?:[^"\\]|\\.|"")*"
    | /\*.*?\*/                       # comments
    | (?:--|\#!|\#\x20)[^\n]*
    """,
    re.VERBOSE | re.DOTALL,
)
# ClickHouse also knows curly quotes, heredocs and typographic dashes; outside of plain quotes they
# are refused, so that this reading of the text and ClickHouse's cannot differ.
_AMBIGUOUS = re.compile(r"[^\t\n\r -~]|[$'`\"]|/\*")
_FIRST_WORD = re.compile(r"[\s(]*([A-Za-z]+)")
_WRITES_FILE = re.compile(r"\binto\s+outfile\b", re.IGNORECASE)
_FORMAT = re.compile(r"\bformat\s+[A-Za-z]\w*\s*$", re.IGNORECASE)


class QueryError(ValueError):
    """Not one reading statement; the message says what to change."""


def check_query(sql: str) -> str:
    """Return `sql` without a trailing `;`.

    Raises QueryError for anything but one reading statement without INTO OUTFILE and FORMAT.
    """
    text = sql.strip().rstrip(";").rstrip()
    bare = _LITERALS_AND_COMMENTS.sub("  ", text)
    if ";" in bare:
        raise QueryError("send one statement at a time")
    if odd := _AMBIGUOUS.search(bare):
        raise QueryError(f"{odd[0]!r} may stand in closed quotes or comments only")
    first = _FIRST_WORD.match(bare)
    if first is None or first[1].lower() not in READING_WORDS:
        raise QueryError(f"only reading statements run here: {', '.join(sorted(READING_WORDS))}")
    if _WRITES_FILE.search(bare):
        raise QueryError("INTO OUTFILE is refused: use the result that is returned")
    if _FORMAT.search(bare):
        raise QueryError("leave FORMAT out: the result is returned as a table")
    return text
