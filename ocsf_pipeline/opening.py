"""Settings -> what stands behind each port: the adapters that they choose, opened.

The only file that names the environment. Belongs here: choosing and building adapters. Does not
belong here: what adapters do, Dagster (`resources`), which takes a second to import that commands
need not wait for. Nothing is read at import.
"""

import importlib.resources
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from ocsf_pipeline.adapters.chat_client import ChatClient
from ocsf_pipeline.adapters.chat_reranker import ChatLimits, ChatReranker
from ocsf_pipeline.adapters.clickhouse import ClickHouseTables
from ocsf_pipeline.adapters.clickhouse_connection import TablesOptions
from ocsf_pipeline.adapters.cross_encoder import CrossEncoderReranker
from ocsf_pipeline.adapters.embedded_index import EmbeddedClassIndex
from ocsf_pipeline.adapters.embedding_cache import CachedEmbedder
from ocsf_pipeline.adapters.messenger import AppriseNotifier
from ocsf_pipeline.adapters.minilm import SentenceEmbedder
from ocsf_pipeline.adapters.object_store import open_object_store
from ocsf_pipeline.adapters.pack_files import PackFolders
from ocsf_pipeline.adapters.schema_download import DownloadSchemaSource
from ocsf_pipeline.adapters.schema_package import EmbeddedSchemaSource
from ocsf_pipeline.adapters.trieve import TrieveClassIndex, TrievePlace
from ocsf_pipeline.ports import (
    ClassIndex,
    Embedder,
    EventTables,
    Notifier,
    PackSource,
    Reranker,
    SchemaSource,
)
from ocsf_pipeline.settings import Settings, SettingsError, name_variable, read_settings
from ocsf_pipeline.steps.indexes import choose_index
from ocsf_pipeline.steps.security_lake import Lake
from ocsf_pipeline.stores import open_artefacts as open_artefacts
from ocsf_pipeline.stores import open_objects as open_objects


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of this process's environment, or of `environ`."""
    return read_settings(os.environ if environ is None else environ)


def open_schema_source(settings: Settings) -> SchemaSource:
    """Return the schema server where one is set, else the installed releases."""
    if settings.schema_url:
        return DownloadSchemaSource(open_artefacts(settings), base_url=settings.schema_url)
    return EmbeddedSchemaSource()


def open_packs(settings: Settings) -> PackSource:
    """Return the installed packs and those of the user's folder."""
    folder = Path(settings.packs_dir) if settings.packs_dir else None
    return PackFolders(folder, settings.packs_to_leave_out)


@cache
def _load_embedder(model: str, threads: int) -> Embedder:
    embedder = SentenceEmbedder(model or None, max_tokens=48, threads=threads)
    return CachedEmbedder(embedder, importlib.resources.files("ocsf_pipeline") / "vectors.npz")


def open_embedder(settings: Settings) -> Embedder:
    """Return the embedder; one per process, since its model takes seconds to load."""
    return _load_embedder(settings.embedding_model, settings.workers)


def open_class_indexes(settings: Settings) -> tuple[ClassIndex, ...]:
    """Return the indexes to keep up to date: the one that is searched, then its stand-by."""
    embedded = EmbeddedClassIndex(open_artefacts(settings), open_embedder(settings))
    if not settings.trieve_base_url:
        return (embedded,)
    trieve = TrieveClassIndex(
        TrievePlace(
            base_url=settings.trieve_base_url.rstrip("/").removesuffix("/api"),
            api_key=settings.trieve_api_key.get_secret_value(),
            organization_id=settings.trieve_organization_id,
            dataset=settings.trieve_dataset_id,
            search_mode=settings.trieve_search_mode,
            read_timeout_s=settings.trieve_timeout_seconds,
            concurrency=settings.trieve_concurrency,
            stall_s=settings.trieve_stall_seconds,
        )
    )
    return (trieve, embedded) if settings.trieve_when_down == "embedded" else (trieve,)


def open_class_index(settings: Settings) -> ClassIndex:
    """Return the index to search: Trieve where it is set, the stand-by while Trieve is down."""
    return choose_index(open_class_indexes(settings))


def open_reranker(settings: Settings) -> Reranker | None:
    """Return the re-ranker that the settings name; None when it is off, as it is by default.

    Raises SettingsError when a setting that it needs is empty.
    """
    if settings.reranker == "off":
        return None
    needed = ("reranker_model",) if settings.reranker == "cross_encoder" else (
        "reranker_url", "reranker_model",
    )  # fmt: skip
    for field in needed:
        if not getattr(settings, field):
            raise SettingsError(
                f"{name_variable('reranker')}={settings.reranker} needs {name_variable(field)}; "
                "see docs/rerankers.md"
            )
    if settings.reranker == "cross_encoder":
        return CrossEncoderReranker(
            settings.reranker_model, trust=settings.reranker_trust, threads=settings.workers
        )
    key = settings.reranker_key.get_secret_value()
    return ChatReranker(
        ChatClient(settings.reranker_url, settings.reranker_model, key),
        settings.reranker_model,
        open_artefacts(settings),
        trust=settings.reranker_trust,
        limits=ChatLimits(settings.reranker_max_seconds, settings.reranker_max_tokens),
    )


def open_tables(settings: Settings) -> EventTables:
    """Return the ClickHouse tables; nothing is opened before they are used."""
    options = TablesOptions(
        connect_timeout_s=settings.tables_connect_timeout_seconds,
        request_timeout_s=settings.tables_request_timeout_seconds,
        retry_count=settings.tables_retries,
        query_timeout_s=settings.tables_query_timeout_seconds,
        max_result_rows=settings.tables_max_result_rows,
        retention_days=settings.tables_retention_days or None,
        cluster=settings.tables_cluster,
    )
    return ClickHouseTables(settings.resolved_tables_dsn, options=options)


def open_notifier(settings: Settings) -> Notifier | None:
    """Return the messengers that the settings name; None when they name none."""
    urls = settings.notify_urls.get_secret_value().split()
    return AppriseNotifier(urls) if urls else None


def open_security_lake(settings: Settings) -> Lake | None:
    """Return where hours are exported to; None where no lake is set."""
    if not settings.security_lake_url:
        return None
    return Lake(
        open_object_store(settings.security_lake_url),
        settings.security_lake_source,
        settings.security_lake_region,
        settings.security_lake_account,
    )
