"""What all commands share: their error, progress on stderr, lines on stdout.

Belongs here: talking to the terminal. Does not belong here: any command's own work.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from rich.console import Console

Say = Callable[[str], None]
"""Tells progress: one short sentence at a time."""


class CommandError(Exception):
    """The command cannot go on; the message says what to do next, in one sentence."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        """`exit_code` 2 means that the command was called wrongly, 1 that it failed."""
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True)
class Terminal:
    """Where a command talks: results to `out`, progress to `err`."""

    out: Console
    err: Console

    def say(self, text: str) -> None:
        """Tell progress on stderr."""
        self.err.print(text, style="dim", highlight=False, markup=False)

    def write_lines(self, lines: Iterable[str]) -> None:
        """Write result lines to stdout, unstyled and unwrapped."""
        text = "\n".join(lines)
        if text:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()


def open_terminal() -> Terminal:
    """Return this process's terminal."""
    return Terminal(Console(), Console(stderr=True))
