"""`ocsf-pipeline settings`: every setting, as a table, as Markdown, or as `.env.example`.

Belongs here: the texts. Does not belong here: the settings (`settings`).
"""

from __future__ import annotations

import textwrap

from rich.console import Console
from rich.table import Table

from ocsf_pipeline.settings import describe_settings

_ENV_HEAD = """\
# Settings of ocsf_pipeline: copy to `.env` and change what you need. `dg`, `make dev` and
# `ocsf-pipeline` read `.env` in the folder where they start; the environment wins over it.
# Made by `ocsf-pipeline settings --format env`; a test holds it equal to the code.
"""


def format_env() -> str:
    """Return the content of `.env.example`: every setting with its meaning, commented out."""
    parts = [_ENV_HEAD]
    for variable, default, meaning in describe_settings():
        comment = textwrap.fill(meaning, 98, initial_indent="# ", subsequent_indent="# ")
        parts.append(f"{comment}\n#{variable}={default}\n")
    return "\n".join(parts)


def format_markdown() -> str:
    """Return the settings as a Markdown table, for the README."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for variable, default, meaning in describe_settings():
        shown = f"`{default}`" if default else ""
        rows.append(f"| `{variable}` | {shown} | {meaning.replace('|', chr(92) + '|')} |")
    return "\n".join(rows)


def show_settings(console: Console) -> None:
    """Print the settings for people."""
    table = Table("variable", "default", "meaning")
    for row in describe_settings():
        table.add_row(*row)
    console.print(table)
