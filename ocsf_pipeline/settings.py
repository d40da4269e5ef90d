"""Every setting: its environment variable, default and meaning, as data.

Belongs here: the settings' model, read from a mapping that is handed in. Does not belong here:
reading the environment (`opening` does that, and only it), adapters.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from ocsf_pipeline.logs.compression import CompressionLimits
from ocsf_pipeline.logs.read import ReadLimits
from ocsf_pipeline.schema.model import DEFAULT_VERSION

PREFIX = "OCSF_PIPELINE_"
TRIEVE_PREFIX = "TRIEVE_"


class SettingsError(ValueError):
    """A setting cannot be used; the message names the variable and what it must look like."""


class Settings(BaseModel):
    """All settings of one process; `data_dir` is variable OCSF_PIPELINE_DATA_DIR, and so on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data_dir: Path = Field(
        Path("data"), description="Folder of everything that is kept when nothing else is set."
    )
    objects_url: str = Field(
        "",
        description="Where raw logs are dropped: a folder, s3://, gs://, az:// "
        "(docs/object-storage.md). Default: `objects` in the data folder.",
    )
    objects_prefix: str = Field(
        "logs", description="Folder below it that holds `dt=YYYY-MM-DD/hour=HH/`."
    )
    artefacts_url: str = Field(
        "",
        description="Where normalised batches, the index and the ranker are kept. "
        "Default: `artefacts` in the data folder.",
    )
    tables_dsn: str = Field(
        "",
        description="ClickHouse: `clickhouses://user:password@host:8443/ocsf`, or embedded "
        "`chdb:///folder`. Default: `chdb://` on `tables` in the data folder.",
    )
    tables_cluster: str = Field(
        "",
        description="Name of the ClickHouse cluster (`remote_servers`) that the server in the DSN "
        "belongs to: tables are then replicated, and read over all shards (docs/clickhouse.md).",
    )
    tables_retention_days: Annotated[int, Field(ge=0)] = Field(
        0,
        description="Events, quarantine and accounts of hours older than so many days are dropped "
        "by ClickHouse itself (TTL). 0 keeps everything.",
    )
    tables_connect_timeout_seconds: Annotated[float, Field(gt=0)] = Field(
        10.0, description="Longest wait for a ClickHouse server to take a connection."
    )
    tables_request_timeout_seconds: Annotated[float, Field(gt=0)] = Field(
        300.0, description="Longest silence of a ClickHouse server within one request."
    )
    tables_retries: Annotated[int, Field(ge=0, le=20)] = Field(
        3,
        description="How often a statement that can be repeated is sent again when the server "
        "fails for now. What remains is left to Dagster's retries.",
    )
    tables_query_timeout_seconds: Annotated[float, Field(gt=0)] = Field(
        60.0, description="Longest run of one query of `ocsf-pipeline query`."
    )
    tables_max_result_rows: Annotated[int, Field(ge=1)] = Field(
        100_000, description="Most rows that such a query may return; more is an error."
    )
    schema_version: str = Field(DEFAULT_VERSION, description="OCSF release to map to.")
    datetime_profile: bool = Field(
        False,
        description="Give times also as RFC 3339 texts (`time_dt` and so on): OCSF's profile "
        "`datetime`.",
    )
    schema_url: str = Field(
        "",
        description="Schema server to download from, e.g. `https://schema.ocsf.io`. "
        "Empty: the release that is installed with the package.",
    )
    packs_dir: str = Field("", description="Folder of your own source packs (docs/packs.md).")
    packs_left_out: str = Field(
        "",
        description="Source packs not to use, separated by commas, e.g. `suricata,windows_*`: to "
        "measure what a pack is worth. Needs a data folder of its own.",
    )
    embedding_model: str = Field(
        "",
        description="sentence-transformers model, by folder or name. Empty: all-MiniLM-L6-v2, "
        "which is installed with the package.",
    )
    accept_threshold: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0,
        description="Decisions below this confidence go to review. 0: the threshold that the "
        "ranker chose for 98 % precision when it was trained.",
    )
    reranker: Literal["off", "cross_encoder", "chat"] = Field(
        "off",
        description="Second opinion on templates below the threshold: `cross_encoder`, `chat` or "
        "`off` (docs/rerankers.md).",
    )
    reranker_model: str = Field(
        "",
        description="Its model: a sentence-transformers CrossEncoder by folder or name, or the "
        "chat endpoint's name of a model.",
    )
    reranker_url: str = Field(
        "",
        description="OpenAI-compatible endpoint of `chat`, e.g. `http://localhost:11434/v1`. Logs "
        "go there, with secrets and personal data taken out.",
    )
    reranker_key: SecretStr = Field(
        SecretStr(""), description="Key of the endpoint, sent as a bearer token."
    )
    reranker_trust: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.9,
        description="Share of its choices that are right; weighs it with the ranker. Measure it "
        "with `ocsf-pipeline evaluate`.",
    )
    reranker_max_seconds: Annotated[float, Field(ge=1, le=3_600)] = Field(
        120.0, description="How long one run asks a chat endpoint at most."
    )
    reranker_max_tokens: Annotated[int, Field(ge=1_000)] = Field(
        200_000, description="How many tokens one run spends there at most, answers included."
    )
    security_lake_url: str = Field(
        "",
        description="Amazon Security Lake, for the asset `security_lake_export`: the folder of "
        "custom sources, e.g. `s3://aws-security-data-lake-…/ext`. Empty: no export.",
    )
    security_lake_source: str = Field(
        "ocsf", description="Custom sources there are named by this and the class."
    )
    security_lake_region: str = Field("", description="The lake's region, e.g. `eu-central-1`.")
    security_lake_account: str = Field("", description="The account of the events, 12 digits.")
    reclassify: Literal["auto", "ask"] = Field(
        "auto",
        description="When knowledge changes: `auto` writes the hours that change again, `ask` only "
        "plans it (a dry run) until you materialise `reclassification_plan` yourself.",
    )
    learn_after_minutes: Annotated[int, Field(ge=0)] = Field(
        10,
        description="Knowledge base and ranker learn from overrides so long after the last one. "
        "0: only when you materialise them.",
    )
    max_line_bytes: Annotated[int, Field(ge=1_024, le=64 << 20)] = Field(
        1 << 20, description="Longer lines are quarantined."
    )
    max_document_bytes: Annotated[int, Field(ge=1 << 20)] = Field(
        64 << 20, description="Larger JSON or XML documents are quarantined; NDJSON has no limit."
    )
    max_decompressed_bytes: Annotated[int, Field(ge=1 << 20)] = Field(
        16 << 30, description="An object that decompresses to more is cut off and quarantined."
    )
    workers: Annotated[int, Field(ge=1, le=64)] = Field(
        2, description="Threads that work on one hour."
    )
    notify_urls: SecretStr = Field(
        SecretStr(""),
        description="Who is told of failed runs, unusual volumes and silent sources: apprise URLs "
        "(Slack, Teams, e-mail …), separated by spaces. Empty: nobody (docs/runbook.md).",
    )
    keep_runs_days: Annotated[int, Field(ge=0)] = Field(
        90,
        description="Dagster's runs that ended more days ago are deleted with their events, except "
        "the newest success of each partition. 0 keeps all.",
    )
    drop_window_hours: Annotated[int, Field(ge=1, le=24 * 366)] = Field(
        72,
        description="An object deleted within so many hours takes its events with it; later, "
        "deletion is taken for the bucket's retention, and its events stay.",
    )
    drop_settle_seconds: Annotated[float, Field(ge=0, le=3_600)] = Field(
        30.0, description="An hour is processed when nothing has arrived in it for so long …"
    )
    drop_max_wait_seconds: Annotated[float, Field(ge=0, le=86_400)] = Field(
        900.0,
        description="… or when something has waited for so long. Each time writes the hour anew: "
        "less is fresher and costs more.",
    )
    ingest_tokens: SecretStr = Field(
        SecretStr(""),
        description="Who may push logs: `name:token`, separated by commas (docs/ingest.md).",
    )
    ingest_tokens_file: str = Field(
        "",
        description="File of such tokens, one a line; read again when it changes, without restart.",
    )
    ingest_max_body_bytes: Annotated[int, Field(ge=1 << 10, le=1 << 30)] = Field(
        16 << 20, description="A larger request, as sent, is refused with 413."
    )
    ingest_max_text_bytes: Annotated[int, Field(ge=1 << 10, le=1 << 30)] = Field(
        64 << 20, description="A request that decompresses to more is refused with 413."
    )
    ingest_max_requests: Annotated[int, Field(ge=1)] = Field(
        512, description="Requests served at a time; more are answered 429 (HEC: 503)."
    )
    ingest_max_pending_bytes: Annotated[int, Field(ge=1 << 20)] = Field(
        256 << 20,
        description="Text held that is not stored yet; beyond it requests are answered 429 "
        "(HEC: 503).",
    )
    ingest_linger_seconds: Annotated[float, Field(ge=0, le=60)] = Field(
        0.5,
        description="Least time between two objects of a busy endpoint: requests are gathered "
        "meanwhile. Less answers sooner and makes more objects.",
    )
    ingest_object_bytes: Annotated[int, Field(ge=1 << 16, le=1 << 30)] = Field(
        16 << 20, description="Gathered text of this size is stored at once."
    )
    ingest_retry_window_seconds: Annotated[float, Field(ge=0, le=86_400)] = Field(
        900.0,
        description="A batch that a sender repeats within this time, its answer having been lost, "
        "is not stored again. 0: never looked for.",
    )
    ingest_tls_certificate: str = Field(
        "", description="Certificate chain (PEM); with it the endpoint speaks HTTPS."
    )
    ingest_tls_key: str = Field("", description="Its private key (PEM).")
    trieve_base_url: str = Field(
        "",
        description="Trieve server that holds the knowledge base, e.g. `http://trieve:8090` "
        "(docs/trieve.md). Empty: the embedded index.",
    )
    trieve_api_key: SecretStr = Field(
        SecretStr(""), description="Its key; Owner (2) creates the dataset, Admin (1) fills it."
    )
    trieve_organization_id: str = Field("", description="UUID of the key's organisation.")
    trieve_dataset_id: str = Field(
        "ocsf-pipeline",
        description="Its dataset: a tracking id, created where it lacks, or the UUID of one that "
        "exists.",
    )
    trieve_search_mode: Literal["semantic", "hybrid", "fulltext", "bm25"] = Field(
        "semantic",
        description="How Trieve searches: `semantic`, `hybrid`, `fulltext` or `bm25`. Another mode "
        "needs another ranker: run `learn`.",
    )
    trieve_when_down: Literal["wait", "embedded"] = Field(
        "wait",
        description="What hours do while Trieve does not answer: `wait` and try again, or use the "
        "`embedded` index, which is then kept up to date with a ranker of its own.",
    )
    trieve_timeout_seconds: Annotated[float, Field(gt=0)] = Field(
        30.0, description="Longest silence of Trieve within one request."
    )
    trieve_concurrency: Annotated[int, Field(ge=1, le=64)] = Field(
        8, description="Requests to Trieve at once."
    )
    trieve_stall_seconds: Annotated[float, Field(gt=0)] = Field(
        300.0,
        description="When Trieve has stored nothing new for so long, what lacks is sent once more; "
        "when that does not help either, `knowledge_base` fails and names what lacks.",
    )

    @property
    def resolved_objects_url(self) -> str:
        """Where raw logs lie."""
        return self.objects_url or str(self.data_dir / "objects")

    @property
    def resolved_artefacts_url(self) -> str:
        """Where artefacts lie."""
        return self.artefacts_url or str(self.data_dir / "artefacts")

    @property
    def resolved_tables_dsn(self) -> str:
        """Which tables are written."""
        return self.tables_dsn or f"chdb://{(self.data_dir / 'tables').resolve()}"

    def find_oldest_hour(self, now: datetime) -> datetime | None:
        """Return the oldest hour that the retention keeps; None when it keeps everything."""
        days = self.tables_retention_days
        return now - timedelta(days=days) if days else None

    @property
    def packs_to_leave_out(self) -> tuple[str, ...]:
        """Names of the packs that are not to be used."""
        return tuple(name.strip() for name in self.packs_left_out.split(",") if name.strip())

    @property
    def read_limits(self) -> ReadLimits:
        """Bounds on reading one object."""
        return ReadLimits(
            max_line_bytes=self.max_line_bytes,
            max_document_bytes=self.max_document_bytes,
            compression=CompressionLimits(max_decompressed_bytes=self.max_decompressed_bytes),
        )


def name_variable(field: str) -> str:
    """Return the environment variable of a setting; Trieve's have the names that its users know."""
    name = field.upper()
    return name if name.startswith(TRIEVE_PREFIX) else PREFIX + name


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read the settings from a mapping of environment variables; empty values count as absent.

    Raises SettingsError naming the variable that cannot be used, or one that does not exist.
    """
    known = {name_variable(field): field for field in Settings.model_fields}
    # Other programs may read names of Trieve that we do not know.
    ours = {k: value for k, value in environ.items() if k.startswith(PREFIX) or k in known}
    unknown = sorted(set(ours) - set(known))
    if unknown:
        raise SettingsError(f"{unknown[0]} is no setting; known are: {', '.join(sorted(known))}")
    given = {known[name]: value for name, value in ours.items() if value.strip()}
    try:
        settings = Settings.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        variable = name_variable(str(first["loc"][0]))
        raise SettingsError(f"{variable}: {first['msg']} (it is {first['input']!r})") from error
    _check_trieve(settings)
    return settings


def _check_trieve(settings: Settings) -> None:
    """Refuse half a configuration: it would silently use the embedded index, or no key."""
    url, key = settings.trieve_base_url, settings.trieve_api_key.get_secret_value()
    if not url:
        if key:
            raise SettingsError(
                "TRIEVE_API_KEY is set and TRIEVE_BASE_URL is not; name your server (there is no "
                "default: Trieve's cloud closed in 2025), or unset the key to use the embedded "
                "index"
            )
        return
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise SettingsError(
            "TRIEVE_BASE_URL must look like http://trieve.internal:8090, without user or password"
        )
    if parts.hostname == "trieve.ai" or parts.hostname.endswith(".trieve.ai"):
        raise SettingsError(
            f"TRIEVE_BASE_URL names {parts.hostname}, but Trieve's cloud closed on 2025-11-01; "
            "run the server yourself (docs/trieve.md)"
        )
    for field, given in (
        ("trieve_api_key", key),
        ("trieve_organization_id", settings.trieve_organization_id),
    ):
        if not given:
            raise SettingsError(
                f"TRIEVE_BASE_URL is set and {name_variable(field)} is not; docs/trieve.md says "
                "how to get it"
            )


def describe_settings() -> list[tuple[str, str, str]]:
    """Return (variable, default, meaning) of every setting, for the README and `.env.example`."""
    return [
        (name_variable(name), str(field.default or ""), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
