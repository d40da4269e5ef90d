"""Whether a sentence says that something succeeded or failed.

Belongs here: words of outcome in texts whose words are the same in all logs of a template. Does
not belong here: fields that hold an outcome (`aliases`), words of enums (`values`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_FAILURE = re.compile(
    r"\b(fail(?:ed|ure|s)?|denied|den(?:y|ies)|reject(?:ed|s)?|invalid|refused|unauthori[sz]ed|"
    r"blocked|incorrect|illegal|unable to|could not|cannot|not allowed|not permitted|"
    r"unsuccessful)\b",
    re.IGNORECASE,
)
_SUCCESS = re.compile(
    r"\b(accepted|succe(?:ss|eded|ssful|ssfully)|granted|allowed|permitted|"
    r"logged (?:in|on|out|off)|session (?:opened|closed)|established|completed)\b",
    re.IGNORECASE,
)


def find_outcome(texts: Iterable[tuple[tuple[str, ...], str]]) -> tuple[str, str] | None:
    """Return the word and the status (`Success` or `Failure`) of the first text that has one."""
    for _path, text in texts:
        failure, success = _FAILURE.search(text), _SUCCESS.search(text)
        if failure is not None:
            return failure[0].lower(), "Failure"
        if success is not None:
            return success[0].lower(), "Success"
    return None
