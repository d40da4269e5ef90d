"""What ClickHouse's errors mean for a caller: worth another try, or not, and what to do next.

Belongs here: turning clickhouse-connect's exceptions into port errors. Does not belong here:
retrying.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from clickhouse_connect.driver import exceptions as driver

from ocsf_pipeline.ports import PermanentPortError, PortError, TransientPortError

TABLE_EXISTS = 57
UNKNOWN_TABLE = 60
_TOO_SLOW = 159

TRANSIENT_CODES = {
    159: "the statement took too long: narrow it, or raise the time limit",
    202: "too many statements run at once",
    209: "the connection timed out",
    210: "the network failed",
    236: "the statement was cancelled",
    241: "ClickHouse ran out of memory: try smaller blocks or fewer runs at once",
    242: "the table is read-only for now: check ClickHouse Keeper",
    243: "the disk is full: free space, or set a retention",
    252: "too many parts: merges have fallen behind",
    285: "too few replicas are up",
    319: "the outcome of an insert is unknown",
    394: "the statement was killed",
    425: "a file operation failed",
    999: "ClickHouse Keeper failed",
}

_ADVICE = {
    60: "run the migrations (migrate_tables) first, and check the name",
    81: "the database does not exist: run the migrations (migrate_tables) first",
    164: "only reading is allowed here",
    192: "check the user name",
    193: "check the password",
    194: "check user and password",
    396: "the result is too large: add a LIMIT or aggregate",
    497: "the user lacks a grant",
    516: "check user and password",
}

_MAX_TEXT = 600


class SlowStatementError(TransientPortError):
    """A statement took too long; sent again at once, it would take as long."""


class StatementError(PermanentPortError):
    """ClickHouse refused a statement; `code` is ClickHouse's own."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


@contextmanager
def port_errors(doing: str) -> Iterator[None]:
    """Raise what clickhouse-connect raises inside as a PortError that begins with `doing`."""
    try:
        yield
    except PortError:
        raise
    except driver.Error as error:
        raise translate_error(error, doing) from error
    except OSError as error:
        raise TransientPortError(f"{doing}: {error}") from error


def translate_error(error: driver.Error, doing: str) -> PortError:
    """Return the port error for an exception of clickhouse-connect."""
    code = int(getattr(error, "code", None) or 0)
    text = str(error).strip()
    if len(text) > _MAX_TEXT:
        text = text[:_MAX_TEXT] + " …"
    if code == _TOO_SLOW:
        return SlowStatementError(f"{doing}: {TRANSIENT_CODES[code]}. {text}")
    if code in TRANSIENT_CODES:
        return TransientPortError(f"{doing}: {TRANSIENT_CODES[code]}. {text}")
    if "EmbeddedServer" in text:
        return TransientPortError(
            f"{doing}: chDB could not open the folder. Another program may have it open, or it is "
            f"not writable. {text}"
        )
    if code == 0 and isinstance(error, driver.OperationalError):
        return TransientPortError(f"{doing}: cannot be reached; check address and network. {text}")
    advice = f"{_ADVICE[code]}. " if code in _ADVICE else ""
    return StatementError(f"{doing}: {advice}{text}", code)
