"""The DDL files: numbered SQL, applied in order and never changed afterwards.

Belongs here: finding the files in the package, splitting them into statements, and saying which
are still to be applied. Does not belong here: talking to ClickHouse (`adapters.clickhouse`), or
views, which are generated again at every start (`views`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

_FILE_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")


class MigrationError(ValueError):
    """The DDL files, or what is recorded of them, contradict each other."""


@dataclass(frozen=True)
class Migration:
    """One DDL file."""

    name: str
    """File name without `.sql`, e.g. `0001_events`; the order is that of the names."""
    statements: tuple[str, ...]
    """Each can be repeated (`IF NOT EXISTS`), so that a kill between two does no harm."""
    sha256: str


def load_migrations() -> tuple[Migration, ...]:
    """Return the package's DDL files in order.

    Raises MigrationError when a name is malformed or a number occurs twice.
    """
    texts = {
        item.name: item.read_text(encoding="utf-8")
        for item in files("ocsf_pipeline.tables").joinpath("ddl").iterdir()
        if item.name.endswith(".sql")
    }
    return parse_migrations(texts)


def parse_migrations(texts: Mapping[str, str]) -> tuple[Migration, ...]:
    """Return the migrations of `texts` (file name -> SQL), in order of their numbers."""
    numbers: dict[str, str] = {}
    for name in texts:
        match = _FILE_NAME.fullmatch(name)
        if match is None:
            raise MigrationError(f"DDL file {name!r}: name it like 0005_what_it_does.sql")
        if (other := numbers.setdefault(match[1], name)) != name:
            raise MigrationError(f"DDL files {other} and {name} share a number: renumber one")
    return tuple(
        Migration(
            name=name.removesuffix(".sql"),
            statements=split_statements(texts[name]),
            sha256=hashlib.sha256(texts[name].encode()).hexdigest(),
        )
        for name in sorted(texts)
    )


def split_statements(text: str) -> tuple[str, ...]:
    """Return the statements of a DDL file; each ends with a `;` at the end of a line.

    Lines that begin with `--` are comments, and left out.
    """
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("--")]
    pieces = re.split(r";[ \t]*$", "\n".join(lines), flags=re.MULTILINE)
    return tuple(piece.strip() for piece in pieces if piece.strip())


def plan_migrations(
    migrations: tuple[Migration, ...], applied: Mapping[str, str]
) -> tuple[Migration, ...]:
    """Return the migrations not yet in `applied` (name -> sha256), in order.

    Raises MigrationError when an applied file has changed since, or when the tables were made by
    a newer version of the package.
    """
    known = {migration.name: migration for migration in migrations}
    if unknown := sorted(set(applied) - set(known)):
        raise MigrationError(
            f"the tables were made by a newer version (it applied {unknown[0]}): upgrade this one"
        )
    for name, digest in applied.items():
        if known[name].sha256 != digest:
            raise MigrationError(
                f"DDL file {name} changed after it was applied: restore it, and put the change "
                "into a new numbered file"
            )
    return tuple(migration for migration in migrations if migration.name not in applied)
