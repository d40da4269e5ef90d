"""URLs of object stores: what they name, which options they carry, and what they must not carry.

Belongs here: reading the URL. Does not belong here: opening the store (`object_store`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from ocsf_pipeline.ports import PermanentPortError

# Options of the connection; obstore takes them apart from those of the store.
_CLIENT_SWITCHES = frozenset({"allow_http", "allow_invalid_certificates"})
_CLIENT_OPTIONS = _CLIENT_SWITCHES | {"connect_timeout", "proxy_url", "timeout"}
_SECRETS = ("secret", "password", "token", "account_key", "sas_key", "access_key", "credential")
_KINDS = "a folder, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix"


@dataclass(frozen=True)
class StorePlace:
    """Where a store is and how to reach it."""

    name: str
    """The URL without its options, or the folder: safe to print."""
    folder: Path | None = None
    """Set for a local folder."""
    options: Mapping[str, str] = field(default_factory=dict)
    client_options: Mapping[str, object] = field(default_factory=dict)


def parse_store_url(url: str, options: Mapping[str, str] | None = None) -> StorePlace:
    """Return what `url` names; `options` win over those behind its `?`.

    Raises PermanentPortError for a URL that names no store, or that carries a secret: settings are
    printed, kept in shells' histories and shown to whoever lists processes.
    """
    if "://" not in url or url.startswith("file://"):
        folder = Path(url.removeprefix("file://")).expanduser().resolve()
        return StorePlace(str(folder), folder)
    parts = urlsplit(url)
    if parts.username or parts.password:
        raise PermanentPortError(f"{parts.scheme}://…: {_no_secrets('a user or password')}")
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name in query:
        if any(word in name.lower() for word in _SECRETS):
            raise PermanentPortError(f"{parts.scheme}://{parts.netloc}: {_no_secrets(name)}")
    if not parts.netloc:
        raise PermanentPortError(f"{parts.scheme}:// names no bucket; use {_KINDS}")
    given = {name.lower(): value for name, value in {**query, **(options or {})}.items()}
    client: dict[str, object] = {name: given.pop(name) for name in _CLIENT_OPTIONS & given.keys()}
    for name in _CLIENT_SWITCHES & client.keys():
        client[name] = str(client[name]).lower() in {"1", "true", "yes"}
    return StorePlace(f"{parts.scheme}://{parts.netloc}{parts.path}", None, given, client)


def _no_secrets(what: str) -> str:
    return (
        f"{what} does not belong in the URL, which is printed and logged; set the variables of the "
        "cloud's own tools instead (AWS_SECRET_ACCESS_KEY, AZURE_STORAGE_ACCOUNT_KEY, "
        "GOOGLE_APPLICATION_CREDENTIALS …)"
    )
