"""Connections to ClickHouse: a server over HTTP, or chDB embedded in this process.

Belongs here: what a DSN says, what an engine can do (`Capabilities`), opening and closing
clients, and waiting for chDB's folder. Does not belong here: what is done with a client
(`clickhouse`, `clickhouse_hours`).

chDB opens a folder from one process at a time, and one folder at a time in a process. So a lock
file beside the folder is held while the engine is open, and the engine is closed as soon as
nobody in this process uses it.
"""

from __future__ import annotations

import json
import logging
import os
import re
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import clickhouse_connect
from filelock import FileLock, Timeout

from ocsf_pipeline.adapters.clickhouse_errors import port_errors
from ocsf_pipeline.ports import PermanentPortError, TransientPortError

logger = logging.getLogger(__name__)

DATABASE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_FIRST_NOTICE_SECONDS = 1.0
_NEXT_NOTICES_SECONDS = 15.0
_OPTIONS = {"verify", "ca_cert", "client_cert", "client_cert_key"}


@dataclass(frozen=True)
class Capabilities:
    """What differs between the engines; nothing else asks which engine it is."""

    several_processes: bool
    """Several processes may have the tables open at once; else all leftovers are of dead ones."""
    keeps_session_settings: bool
    """SET lasts on a client; else settings travel with each request."""
    over_network: bool
    """A statement may be lost on its way, or its answer may: what can be repeated is retried."""
    cluster: str = ""
    """Tables are replicated, and read over the shards of the cluster of this name."""

    @property
    def everywhere(self) -> str:
        """What makes a statement run on every server: a clause behind the name, or nothing."""
        return f" ON CLUSTER '{self.cluster}'" if self.cluster else ""


SERVER = Capabilities(several_processes=True, keeps_session_settings=False, over_network=True)
EMBEDDED = Capabilities(several_processes=False, keeps_session_settings=True, over_network=False)


@dataclass(frozen=True)
class TablesOptions:
    """Bounds of the adapter, all in seconds, rows or bytes."""

    open_timeout_s: float = 300.0
    """How long to wait for another process to close the embedded folder."""
    connect_timeout_s: float = 10.0
    request_timeout_s: float = 300.0
    """Longest silence of a server within one request."""
    retry_count: int = 3
    """How often a statement that can be repeated is sent again when the server fails for now."""
    retry_wait_s: float = 0.5
    """Before the first repetition; doubles each time, up to ten seconds, with jitter."""
    query_timeout_s: float = 60.0
    """Longest run of one `run_query`."""
    max_result_rows: int = 100_000
    """Most rows that one `run_query` may return; more is an error, never a cut."""
    block_rows: int = 25_000
    """Staged rows are sent in blocks of about this many rows or `block_bytes` bytes."""
    block_bytes: int = 256 * 1024 * 1024
    retention_days: int | None = None
    """Events, quarantine and batches older than this are dropped; None keeps them for ever."""
    cluster: str = ""
    """Name of the server's cluster (`remote_servers`); empty: a server by itself."""
    staging_max_age_s: float = 6 * 3600.0
    """On a server, staging tables not written to for so long belong to a dead run."""
    lock_timeout_s: float = 120.0
    """How long to wait for another run's commit; on a server a lock this old is broken."""


@dataclass(frozen=True)
class TablesAddress:
    """Where the tables are, from a DSN."""

    folder: Path | None
    """Folder of the embedded engine, or None for a server."""
    host: str = ""
    port: int = 0
    username: str = ""
    password: str = field(default="", repr=False)
    secure: bool = False
    verify: bool = True
    ca_cert: str | None = None
    client_cert: str | None = None
    client_cert_key: str | None = None

    @property
    def capabilities(self) -> Capabilities:
        """What the engine behind this address can do."""
        return SERVER if self.folder is None else EMBEDDED

    def describe(self) -> str:
        """Return the address as it may be shown: without the password."""
        if self.folder is not None:
            return f"chDB at {self.folder}"
        return f"ClickHouse at http{'s' if self.secure else ''}://{self.host}:{self.port}"


def parse_dsn(dsn: str) -> tuple[TablesAddress, str | None]:
    """Return the address and the database that `dsn` names, if it names one.

    `chdb:///path/to/folder`, or `http(s)://user:password@host:port/database`; `clickhouse://` and
    `clickhouses://` mean the same. Known options after `?`: `ca_cert=path` of the authority that
    signed the server's certificate, `client_cert=path` and `client_cert_key=path` to show one of
    our own, and `verify=false`, which checks nothing. Raises PermanentPortError, which never shows
    the password.
    """
    try:
        parts = urlsplit(dsn)
        port = parts.port
    except ValueError as error:
        raise PermanentPortError("the tables' DSN cannot be read: check host and port") from error
    if parts.scheme == "chdb":
        if parts.netloc or not parts.path.strip("/"):
            raise PermanentPortError("embedded tables need an absolute folder: chdb:///a/folder")
        return TablesAddress(folder=Path(unquote(parts.path)).absolute()), None
    if parts.scheme not in ("http", "https", "clickhouse", "clickhouses") or not parts.hostname:
        raise PermanentPortError(
            f"the tables' DSN begins with {parts.scheme!r}: use chdb:///folder or "
            "https://user:password@host:8443/database"
        )
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    if unknown := sorted(set(options) - _OPTIONS):
        raise PermanentPortError(f"the tables' DSN has unknown options: {unknown}")
    secure = parts.scheme in ("https", "clickhouses")
    address = TablesAddress(
        folder=None,
        host=parts.hostname,
        port=port or (8443 if secure else 8123),
        username=unquote(parts.username or "default"),
        password=unquote(parts.password or ""),
        secure=secure,
        verify=options.get("verify", "true").lower() not in ("false", "0", "no"),
        ca_cert=options.get("ca_cert"),
        client_cert=options.get("client_cert"),
        client_cert_key=options.get("client_cert_key"),
    )
    return address, parts.path.strip("/") or None


def open_client(address: TablesAddress, options: TablesOptions) -> Any:
    """Return a new clickhouse-connect client; for an embedded address, lease the engine first."""
    with port_errors(f"opening {address.describe()}"):
        if address.folder is not None:
            return clickhouse_connect.get_client(interface="chdb", path=str(address.folder))
        return clickhouse_connect.get_client(
            host=address.host,
            port=address.port,
            username=address.username,
            password=address.password,
            secure=address.secure,
            verify=address.verify,
            ca_cert=address.ca_cert,
            client_cert=address.client_cert,
            client_cert_key=address.client_cert_key,
            tls_mode=_choose_tls_mode(address),
            connect_timeout=options.connect_timeout_s,
            send_receive_timeout=options.request_timeout_s,
            # One client serves several threads; a session would refuse their second request.
            autogenerate_session_id=False,
            compress="lz4",
        )


def _choose_tls_mode(address: TablesAddress) -> str | None:
    """A certificate of our own is shown besides the password; alone it stands for the user."""
    if address.client_cert is None:
        return None
    return "strict" if address.password else "mutual"


class EngineLease:
    """The right to have chDB open on one folder; counted, shared by the threads of a process."""

    _condition = threading.Condition()
    _folder: Path | None = None
    _count = 0
    _process = 0
    _lock: FileLock | None = None

    @classmethod
    def take(cls, folder: Path, timeout_s: float) -> None:
        """Wait until this process may open `folder`, and count one more user of it.

        Raises TransientPortError when `timeout_s` pass first, PermanentPortError in a process
        that was forked while the engine was open.
        """
        deadline = time.monotonic() + timeout_s
        with cls._condition:
            cls._refuse_fork()
            while cls._count and cls._folder != folder:
                remaining = deadline - time.monotonic()
                if remaining <= 0 or not cls._condition.wait(remaining):
                    raise TransientPortError(
                        f"this process still has chDB open at {cls._folder}, and chDB opens one "
                        f"folder at a time: close those tables before opening {folder}"
                    )
            if not cls._count:
                cls._lock = _wait_for_folder(folder, deadline, timeout_s)
                cls._folder, cls._process = folder, os.getpid()
            cls._count += 1

    @classmethod
    def give_back(cls) -> None:
        """Count one user less; the last one frees the folder for other processes."""
        with cls._condition:
            cls._count -= 1
            if cls._count == 0 and cls._lock is not None and cls._folder is not None:
                _holder_file(cls._folder).unlink(missing_ok=True)
                cls._lock.release()
                cls._lock, cls._folder = None, None
            cls._condition.notify_all()

    @classmethod
    def _refuse_fork(cls) -> None:
        if cls._count and cls._process != os.getpid():
            raise PermanentPortError(
                "this process was forked while chDB was open, which chDB does not survive: start "
                "it with multiprocessing's spawn method, or use Dagster's in-process executor"
            )


def _holder_file(folder: Path) -> Path:
    return folder.with_name(folder.name + ".holder")


def _wait_for_folder(folder: Path, deadline: float, timeout_s: float) -> FileLock:
    """Take the folder's lock file, saying what is waited for."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.with_name(folder.name + ".lock"), thread_local=False)
    patience = _FIRST_NOTICE_SECONDS
    while True:
        remaining = max(deadline - time.monotonic(), 0.0)
        try:
            lock.acquire(timeout=min(patience, remaining), poll_interval=0.05)
            break
        except Timeout as error:
            holder = _read_holder(folder)
            if deadline - time.monotonic() <= 0:
                raise TransientPortError(
                    f"{holder} has chDB open at {folder}, and chDB opens a folder from one process "
                    f"at a time; waited {timeout_s:g} s. Let it finish or stop it, or point the "
                    "tables at a ClickHouse server"
                ) from error
            logger.info("waiting for %s to close chDB at %s", holder, folder)
            patience = _NEXT_NOTICES_SECONDS
    _holder_file(folder).write_text(json.dumps({"pid": os.getpid(), "since": int(time.time())}))
    return lock


def _read_holder(folder: Path) -> str:
    try:
        holder = json.loads(_holder_file(folder).read_text())
        return f"process {int(holder['pid'])}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
