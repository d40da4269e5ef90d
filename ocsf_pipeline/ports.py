"""The ports: what the pipeline needs from outside systems, as Protocols and plain records.

Belongs here: Protocols, the frozen records that cross them, and the errors that every adapter
raises. Does not belong here: any implementation, any client library, any default value that
depends on the machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt
import polars as pl

from ocsf_pipeline.knowledge.packs import SourcePack
from ocsf_pipeline.knowledge.plan import IndexPlan, IndexState


class PortError(Exception):
    """An outside system failed; the message says what to check next."""


class TransientPortError(PortError):
    """Worth another try: a timeout, a throttle, a lock held by another process."""


class PermanentPortError(PortError):
    """Another try cannot help: a wrong key, a missing bucket, a document of the wrong kind."""


class ObjectChangedError(TransientPortError):
    """An object is no longer what a listing said: replaced, or gone. Look at it again."""


@dataclass(frozen=True)
class SchemaDocument:
    """One OCSF schema export as received, not yet parsed."""

    version: str
    body: bytes
    origin: str
    """Where the bytes came from: a URL, or `package:ocsf-json-schema`."""
    sha256: str
    is_stale: bool = False
    """True when the source could not be reached and the last good copy is used."""
    note: str = ""
    """Why the copy is stale, or how it was validated; shown in the asset's metadata."""


@runtime_checkable
class SchemaSource(Protocol):
    """Where OCSF schema exports come from."""

    def fetch_schema(self, version: str) -> SchemaDocument:
        """Return the export of `version`, e.g. `1.8.0`.

        Raises PermanentPortError for an unknown version or an unusable document without a last
        good copy, TransientPortError when the source cannot be reached and no copy exists.
        """
        ...


@dataclass(frozen=True)
class ObjectRef:
    """One stored object at one version."""

    key: str
    """Key relative to the store's root, `/`-separated."""
    version: str
    """Changes whenever the content may have changed: e_tag where the store has one."""
    size_bytes: int
    last_modified: datetime
    """UTC."""


@runtime_checkable
class ObjectStore(Protocol):
    """A flat store of objects under a root: a folder, S3, GCS, Azure."""

    def list_objects(self, prefix: str) -> Iterator[ObjectRef]:
        """Yield every object whose key starts with the folder `prefix` ('' for all), by key."""
        ...

    def list_folders(self, prefix: str) -> list[str]:
        """Return the names of the folders directly under the folder `prefix`, sorted."""
        ...

    def head_object(self, key: str) -> ObjectRef | None:
        """Return the object's current reference, or None when there is none."""
        ...

    def read_object(self, key: str) -> bytes:
        """Return the whole content; for small artefacts. Raises PermanentPortError when missing."""
        ...

    def try_read_object(self, key: str) -> bytes | None:
        """Return the whole content, or None when there is no such object, in one request."""
        ...

    def stream_object(self, ref: ObjectRef) -> Iterator[bytes]:
        """Yield the content of exactly `ref.version` in pieces of bounded size.

        Raises ObjectChangedError when the object was replaced or deleted since `ref` was listed.
        What was yielded before must then be thrown away.
        """
        ...

    def write_object(self, key: str, body: bytes) -> ObjectRef:
        """Store `body` under `key` atomically: readers see the old object or the new one.

        `last_modified` of the answer may be this machine's time instead of the store's.
        """
        ...

    def delete_object(self, key: str) -> None:
        """Remove `key`; silent when it does not exist."""
        ...

    def read_beginning(self, key: str, size_bytes: int) -> bytes:
        """Return the first bytes of an object, fewer where it is shorter, and fetch no more.

        Raises PermanentPortError when missing.
        """
        ...


@runtime_checkable
class PackSource(Protocol):
    """Where source packs come from."""

    def read_packs(self) -> Mapping[str, SourcePack]:
        """Return the packs by product. Raises PackError when one cannot be used."""
        ...


@runtime_checkable
class Embedder(Protocol):
    """Turns texts into vectors whose dot product is their likeness."""

    @property
    def name(self) -> str:
        """Identifies the model and its settings; vectors of different names do not compare."""
        ...

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return one vector of length 1 per text: float32, shape [len(texts), dimensions]."""
        ...


@runtime_checkable
class ClassIndex(Protocol):
    """A searchable index over class chunks: the embedded index, or a Trieve dataset."""

    @property
    def name(self) -> str:
        """Identifies how it searches; a ranker is good for results of one name only."""
        ...

    def read_version(self) -> str | None:
        """Return the version of the corpus that is searched, cheaply.

        None when the index is empty, and while it is half changed.
        """
        ...

    def read_state(self) -> IndexState:
        """Return which chunks the index holds now, by id and content hash; looks at each."""
        ...

    def apply_plan(self, plan: IndexPlan) -> IndexState:
        """Make the index hold what `plan` says; return the new state. Safe to repeat."""
        ...

    def search_chunks(self, queries: Sequence[str], limit: int) -> pl.DataFrame:
        """Return the nearest chunks of each query, best first.

        Columns: query_no (UInt32, position in `queries`), rank (UInt32, from 0), chunk_id
        (String), class_uid (Int64), kind (String), activity_id (Int64 or null), product (String or
        null), dense_score (Float32, cosine), lexical_score (Float32, BM25 or SPLADE),
        rerank_score (Float32, 0 to 1), score (Float32, what gave the rank). A score that the
        search does not give is null. At most `limit` rows per query.
        """
        ...


@dataclass(frozen=True)
class Candidate:
    """One class that a template may belong to."""

    class_uid: int
    class_name: str
    score: float
    """Between 0 and 1; the candidates of one decision sum to at most 1."""


@dataclass(frozen=True)
class RerankQuestion:
    """One template that the ranker was unsure of."""

    query: str
    """What the log says, as it was searched for."""
    sample: str
    """One whole log of the template, raw: written by an attacker, and full of personal data."""
    candidates: tuple[Candidate, ...]
    """The ranker's, best first."""
    descriptions: tuple[str, ...]
    """What each candidate is, in the schema's words."""


@dataclass(frozen=True)
class Reranking:
    """A re-ranker's answer to one question."""

    scores: tuple[float, ...] = ()
    """How likely each candidate is, in the question's order: each 0 to 1, summing to at most 1.
    The rest is the chance of "none of these". Empty: there is no answer, the ranker's stands."""
    note: str = ""
    """Why the answer is what it is, or why there is none; kept as evidence."""
    is_final: bool = True
    """False: it could not be asked now (an outage, a limit); another time may bring an answer."""


@runtime_checkable
class Reranker(Protocol):
    """Rates the candidates of templates that the ranker was unsure of."""

    @property
    def name(self) -> str:
        """Identifies the model and everything else that changes its answers."""
        ...

    @property
    def trust(self) -> float:
        """Share of its first choices that are right, between 0 and 1; weighs it with the ranker."""
        ...

    def rerank_candidates(self, questions: Sequence[RerankQuestion]) -> list[Reranking]:
        """Return one Reranking per question, in order.

        Never raises for the question's text. An outage is an answer without scores.
        """
        ...


@runtime_checkable
class Notifier(Protocol):
    """Tells people, by whatever messenger."""

    def send_message(self, title: str, text: str) -> None:
        """Send plain text to all. Raises TransientPortError when somebody was not reached."""
        ...


class HourWriter(Protocol):
    """Stages the rows of one hour; nothing is visible until `commit`."""

    def write_rows(self, table: str, rows: pl.DataFrame) -> None:
        """Stage rows of `events`, `quarantine` or `batches`. May be called many times."""
        ...

    def commit(self) -> Mapping[str, int]:
        """Replace the hour in every table by what was staged; return row counts by table."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Drop what was staged and not committed."""
        ...


@runtime_checkable
class EventTables(Protocol):
    """The ClickHouse tables and views that analysts query; see `tables/ddl`."""

    def __enter__(self) -> Self:
        """Keep the tables open until the block ends; without it each call opens them anew."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def migrate_tables(self) -> list[str]:
        """Apply the DDL files not yet applied, in order; return their names. Safe to repeat."""
        ...

    def create_views(self, statements: Sequence[str]) -> None:
        """Create or replace the views; `statements` are those of `tables.views`."""
        ...

    def replace_hour(self, hour: datetime, run_id: str) -> HourWriter:
        """Open a writer that replaces the hour (UTC, on the hour) as a whole.

        `run_id` names the staging area, so that two runs of one hour never mix.
        """
        ...

    def upsert_templates(self, rows: pl.DataFrame) -> None:
        """Insert or replace rows of `templates` by template_id, shaped as TEMPLATE_ROWS."""
        ...

    def append_overrides(self, rows: pl.DataFrame) -> None:
        """Append analysts' overrides, shaped as OVERRIDE_SCHEMA; none is ever changed."""
        ...

    def run_query(self, sql: str, parameters: Mapping[str, object] | None = None) -> pl.DataFrame:
        """Run one read-only statement; parameters are bound on the server as `{name:Type}`."""
        ...
