"""The words of a log without what varies: names of users, hosts, files, addresses.

Belongs here: what stands for a value in prose and in rows of cells. Does not belong here: the
masking of digits and quotes, done per log (`shapes`). Runs once per new shape.
"""

from __future__ import annotations

import re

from ocsf_pipeline.logs.shapes import MASK

_AFTER = (
    r"user(?:name)?|for|from|by|to|account|host(?:name)?|domain|group|file|path|directory|device"
    r"|interface|session|client|server|peer|address|group-policy|policy|profile|service|unit|image"
    r"|command|uid|realm|acl|access-list|list|on|in|at|dir|module|share|job|owner|named?|principal"
    r"|role|database|table|container|pod|node|namespace|cluster|bucket|key|zone|mailbox|recipient"
)
_KEEP_AFTER = frozenset(
    """
    user users invalid illegal unknown the a an root address host port to from by for on in at
    failed session client server remote local inbound outbound inside outside group policy account
    service authentication reason is was has not and or of with tcp udp icmp start started stop
    stopped created deleted added removed changed modified updated disabled enabled locked unlocked
    logged login logout logon logoff opened closed accepted rejected denied allowed blocked expired
    this that all any new password key role database table name named file connection
    """.split()  # noqa: SIM905 - a hundred literals in a list read worse
)
_PATH_OR_NAME = re.compile(
    r"(?:[A-Za-z]:)?(?:[\\/][\w.\-$%~+@]+){1,}[\\/]?|\b[\w.\-]+@[\w\-]+(?:\.[\w\-]+)*"
    r"|\b[\w\-]+(?:\.[\w\-]+){2,}\b|\b[\w.\-]+\\[\w.\-$]+"
)
_VARIABLE_AFTER = re.compile(
    rf"(?i)\b({_AFTER})([ =:]+)\\?[\"'<\[(]?(?!(?:{'|'.join(sorted(_KEEP_AFTER))})\b)"
    r"[^\s,;:=\"'<>()\[\]]+"
)
_ACTION = re.compile(r"/[a-z]+[A-Z][A-Za-z]*$")
_MASK_RUN = re.compile(r"\*(?:[\s,:;=./|()\[\]{}<>\-_&+@#!?\"']*\*)+")
_CELL_SPLIT = re.compile(r"\s*,\s*")
_CELL_CODE = re.compile(r"^[A-Z][A-Z_\- ]*$")
_MAX_WORDS = 24
_MIN_CELLS = 5
_FIRST_CELLS = 6
_MAX_SPACES = 3
_LAST_CELL = 40


def mask_variables(text: str) -> str:
    """Return text with names, paths and the words that follow `user`, `from` … masked as well."""
    if _is_row(text):
        return _mask_cells(text)
    text = _PATH_OR_NAME.sub(_mask_path, text)
    text = _VARIABLE_AFTER.sub(rf"\1\2{MASK}", text)
    text = _MASK_RUN.sub(MASK, text)
    return " ".join(text.split()[:_MAX_WORDS])


def _mask_path(match: re.Match[str]) -> str:
    """Mask a path or name; what looks like the name of a function at its end stays."""
    action = _ACTION.search(match.group(0))
    return f"{MASK}{action.group(0)}" if action else MASK


def _is_row(text: str) -> bool:
    """Whether text is a row of cells: many commas, few of them followed by a space."""
    commas = text.count(",")
    if text.split(",", 1)[0].count(" ") > _MAX_SPACES:
        return False
    return commas >= _MIN_CELLS - 1 and text.count(" ") * 2 < commas + text.count('"')


def _mask_cells(text: str) -> str:
    """Keep the first cells, which say what kind of row it is, and codes in capitals further on."""
    cells = [cell.strip(' "') for cell in _CELL_SPLIT.split(text)[:_LAST_CELL]]
    kept = []
    for number, cell in enumerate(cells):
        if MASK in cell or not cell:
            continue
        if _CELL_CODE.match(cell) or (number < _FIRST_CELLS and re.fullmatch(r"[\w\- ]+", cell)):
            kept.append(cell)
    return " | ".join(["cells", *kept[:_MAX_WORDS]])
