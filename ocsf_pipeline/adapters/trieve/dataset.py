"""One dataset: finding or creating it, listing its chunks, storing and removing some.

Belongs here: the requests, and what their answers really say. Does not belong here: deciding what
to change (`index`), waiting (`ingestion`).

The server has two halves: texts in Postgres, vectors in Qdrant. Listings return Postgres' rows, but
filter by Qdrant's; after a failed ingestion the two differ.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from ocsf_pipeline.adapters.trieve.chunks import (
    MARKER_ID,
    OURS,
    StoredChunk,
    filter_build,
    read_stored,
)
from ocsf_pipeline.adapters.trieve.errors import TrieveDatasetMissingError, TrieveNotReadyError
from ocsf_pipeline.adapters.trieve.place import TrievePlace
from ocsf_pipeline.adapters.trieve.transport import TrieveTransport
from ocsf_pipeline.ports import PermanentPortError

BATCH_SIZE = 120
"""The server refuses more."""
_PAGE_SIZE = 200
_DATASET = "/api/dataset/{dataset_id}"
_DATASET_BY_NAME = "/api/dataset/tracking_id/{tracking_id}"
_CHUNK_BY_NAME = "/api/chunk/tracking_id/{tracking_id}"

Json = dict[str, Any]
Given = TypeVar("Given")
Result = TypeVar("Result")


class TrieveDataset:
    """The dataset of a place; looked up once, unless it does not exist yet."""

    def __init__(self, transport: TrieveTransport, place: TrievePlace) -> None:
        self._transport = transport
        self._place = place
        self._found: Json | None = None
        self._lock = threading.Lock()

    def find(self, *, anew: bool = False) -> Json | None:
        """Return the server's description of the dataset; None when it does not exist.

        `anew` asks again, though it was found before: it may have been removed.
        """
        with self._lock:
            if self._found is None or anew:
                self._found = self._look_up()
            return self._found

    def require(self) -> str:
        """Return the dataset's UUID. Raises TrieveDatasetMissingError when it does not exist."""
        found = self.find()
        if found is None:
            raise TrieveDatasetMissingError(
                f"there is no dataset {self._place.dataset!r} on {self._place.base_url}; "
                "materialise `knowledge_base` first, or correct TRIEVE_DATASET_ID"
            )
        return str(found["id"])

    def create(self) -> bool:
        """Create the dataset where it lacks; return whether it did. Safe to repeat.

        Raises TrieveDatasetMissingError for a UUID, which only the server can choose.
        """
        if self.find(anew=True) is not None:
            return False
        if self._place.is_named_by_uuid:
            self.require()
        name = self._place.dataset
        # Unlike creating a single one, this is silent about a dataset that another run made.
        self._transport.call(
            "POST",
            "/api/dataset/batch_create_datasets",
            {"datasets": [{"dataset_name": name, "tracking_id": name}], "upsert": False},
        )
        self.require()
        return True

    def read_marker(self) -> Json | None:
        """Return the metadata of the marker; None when there is none, or no dataset."""
        if self.find() is None:
            return None
        found = self._find_chunk(MARKER_ID)
        metadata = found.get("metadata") if found else None
        return metadata if isinstance(metadata, dict) else None

    def list_chunks(self) -> list[StoredChunk]:
        """Return every chunk of ours; one whose vectors are not those of its text has no hash."""
        listed = [*self._scroll(OURS)]
        by_build: defaultdict[str, set[str]] = defaultdict(set)
        for chunk in listed:
            by_build[chunk.build_id].add(chunk.tracking_id)
        confirmed: set[tuple[str, str]] = set()
        for build_id, found in zip(by_build, self.run_many(self.list_build, by_build), strict=True):
            confirmed.update((build_id, tracking_id) for tracking_id in found)
        return [
            chunk
            if (chunk.build_id, chunk.tracking_id) in confirmed
            else StoredChunk(chunk.server_id, chunk.tracking_id, chunk.chunk_id, "", "")
            for chunk in listed
        ]

    def has_chunks(self) -> bool:
        """Whether there is any chunk of ours, whole or not."""
        return next(self._scroll(OURS), None) is not None

    def list_build(self, build_id: str) -> set[str]:
        """Return the tracking ids of the chunks whose vectors belong to a batch."""
        return {chunk.tracking_id for chunk in self._scroll(filter_build(build_id))}

    def post_chunks(self, payloads: Sequence[Json]) -> None:
        """Queue at most BATCH_SIZE chunks; nothing is stored yet when this returns."""
        if not 0 < len(payloads) <= BATCH_SIZE:
            raise ValueError(f"a batch has 1 to {BATCH_SIZE} chunks, not {len(payloads)}")
        self._transport.call("POST", "/api/chunk", list(payloads), dataset_id=self.require())

    def delete_chunks(self, tracking_ids: Collection[str]) -> None:
        """Remove chunks, one request each: it is done when the answer comes, and only these go.

        The server's deletion by filter is queued, says nothing of failures, and takes an empty
        filter for the whole dataset.
        """
        self.run_many(self._delete_chunk, tracking_ids)

    def search(self, body: Json) -> list[Json]:
        """Return the hits of one search, best first."""
        answer = self._transport.call(
            "POST",
            "/api/chunk/search",
            body,
            dataset_id=self.require(),
            search_mode=str(body["search_type"]),
        )
        hits: list[Json] = answer["chunks"]
        return hits

    def run_many(self, work: Callable[[Given], Result], items: Iterable[Given]) -> list[Result]:
        """Return `work` of every item, in order, with bounded concurrency.

        The first error is raised; what did not start by then does not start.
        """
        pool = ThreadPoolExecutor(self._place.concurrency, thread_name_prefix="trieve")
        try:
            return list(pool.map(work, items))
        finally:
            pool.shutdown(cancel_futures=True)

    # --- requests ---

    def _look_up(self) -> Json | None:
        if self._place.is_named_by_uuid:
            found = self._transport.find(_DATASET, {"dataset_id": self._place.dataset})
        else:
            found = self._transport.find(_DATASET_BY_NAME, {"tracking_id": self._place.dataset})
        return found if isinstance(found, dict) else None

    def _find_chunk(self, tracking_id: str) -> Json | None:
        found = self._transport.find(
            _CHUNK_BY_NAME, {"tracking_id": tracking_id}, dataset_id=self.require()
        )
        return found if isinstance(found, dict) else None

    def _delete_chunk(self, tracking_id: str) -> None:
        if not tracking_id:
            raise ValueError("refusing to delete a chunk without a tracking id")
        self._transport.find(
            _CHUNK_BY_NAME,
            {"tracking_id": tracking_id},
            method="DELETE",
            dataset_id=self.require(),
        )

    def _scroll(self, filters: Json) -> Iterator[StoredChunk]:
        """Yield the chunks that `filters` finds, each once.

        A page begins with the last chunk of the one before, and may be short for no reason: the
        end is a page that brings nothing new.
        """
        dataset_id = self.require()
        seen: set[str] = set()
        offset: str | None = None
        while True:
            body: Json = {"page_size": _PAGE_SIZE, "filters": filters}
            if offset is not None:
                body["offset_chunk_id"] = offset
            answer = self._scroll_page(body, dataset_id)
            new = [item for item in answer["chunks"] if str(item["id"]) not in seen]
            if not new:
                return
            for item in new:
                seen.add(str(item["id"]))
                stored = read_stored(item)
                if stored is not None:
                    yield stored
            offset = str(answer["chunks"][-1]["id"])

    def _scroll_page(self, body: Json, dataset_id: str) -> Json:
        try:
            answer: Json = self._transport.call(
                "POST", "/api/chunks/scroll", body, dataset_id=dataset_id
            )
        except PermanentPortError as error:
            if "offset_chunk_id" not in body:
                raise
            # The chunk that the page should begin with was removed meanwhile.
            raise TrieveNotReadyError(
                f"the dataset changed while it was listed ({error})"
            ) from error
        return answer
