"""What Trieve's failures mean and what to check, one class per kind.

Belongs here: turning a status and a message into an error of `ports`. Does not belong here: trying
again (`transport`). No text here ever holds the key.
"""

from __future__ import annotations

from ocsf_pipeline.ports import PermanentPortError, PortError, TransientPortError

_MESSAGE_CHARS = 300
NO_ANSWER = 0
"""Stands for the status when the server gave none."""


class TrieveUnreachableError(TransientPortError):
    """No answer, or the answer of a proxy in front of a server that is down."""


class TrieveModelDownError(TransientPortError):
    """The server runs, but a model server behind it does not."""


class TrieveRerankerDownError(TrieveModelDownError):
    """The same for the re-ranker, which only hybrid searches need."""


class TrieveIngestionStalledError(TransientPortError):
    """Chunks were accepted and are not stored; the message names them."""


class TrieveNotReadyError(TransientPortError):
    """The dataset is being changed, or a change of it was cut off."""


class TrieveKeyRefusedError(PermanentPortError):
    """The key is missing, unknown, or restricted to other datasets."""


class TrieveOrganizationRefusedError(PermanentPortError):
    """The key is good, but for another organisation, or its role is too low."""


class TrieveDatasetMissingError(PermanentPortError):
    """The dataset does not exist, or nothing was loaded into it yet."""


class TrieveBatchTooLargeError(PermanentPortError):
    """The server takes smaller batches than ours, or its plan is used up."""


class TrieveBm25DisabledError(PermanentPortError):
    """The server process was started without BM25."""


class TrieveRejectedError(PermanentPortError):
    """The server understood and refuses; trying again cannot help."""


def describe_failure(what: str, status: int, message: str, search_mode: str | None) -> PortError:
    """Return the error for an answer other than success.

    `what` names the request for people, `message` is the server's own text, `search_mode` is given
    for searches: there a 400 mostly means that a model server is down.
    """
    said = f"{what} (HTTP {status}: {' '.join(message.split())[:_MESSAGE_CHARS]})"
    if status == NO_ANSWER:
        return TrieveUnreachableError(
            f"Trieve gives no answer to {what}: {message[:_MESSAGE_CHARS]}; check that it runs and "
            "that TRIEVE_BASE_URL reaches it from here"
        )
    if status == 400 and search_mode is not None:
        return _describe_failed_search(said, message, search_mode)
    if status in _PERMANENT:
        kind, advice = _PERMANENT[status]
        return kind(f"Trieve refuses {said}; {advice}")
    if status in (408, 429) or status >= 500:
        advice = (
            "it gives every request 15 s; set DISABLE_TIMEOUT_MIDDLEWARE=true on the server if "
            "its models are slow"
            if status == 408
            else "look at the server's log, and at the proxy's where there is one"
        )
        return TrieveUnreachableError(f"Trieve fails at {said}; {advice}")
    if 300 <= status < 400:
        return TrieveRejectedError(
            f"Trieve redirects {said}; give TRIEVE_BASE_URL as it is after redirects"
        )
    return TrieveRejectedError(f"Trieve refuses {said}")


_PERMANENT: dict[int, tuple[type[PermanentPortError], str]] = {
    401: (
        TrieveKeyRefusedError,
        "check TRIEVE_API_KEY, and that the key is not restricted to other datasets",
    ),
    403: (
        TrieveOrganizationRefusedError,
        "check that TRIEVE_ORGANIZATION_ID is the key's organisation, and the key's role: "
        "Admin (1) reads the dataset and writes chunks, Owner (2) creates datasets",
    ),
    404: (
        TrieveDatasetMissingError,
        "check TRIEVE_DATASET_ID, and materialise `knowledge_base`, which creates the dataset",
    ),
    413: (
        TrieveBatchTooLargeError,
        "the server's BATCH_CHUNK_LIMIT or a proxy's body limit is lower than usual; raise it",
    ),
    426: (TrieveBatchTooLargeError, "a plan's limit is reached; set UNLIMITED=true on the server"),
}


def _describe_failed_search(said: str, message: str, search_mode: str) -> PortError:
    if "BM25" in message:
        return TrieveBm25DisabledError(
            f"Trieve refuses {said}; start its server process and its ingestion worker with "
            "BM25_ACTIVE=true, or choose another TRIEVE_SEARCH_MODE"
        )
    if "_ORIGIN" in message:
        return TrieveRejectedError(
            f"Trieve refuses {said}; set that variable on the server, or choose another "
            "TRIEVE_SEARCH_MODE"
        )
    if message.startswith(("Json Deserialization", "Query cannot be empty")):
        return TrieveRejectedError(f"Trieve refuses {said}; please report this as a defect")
    if search_mode == "hybrid":
        return TrieveRerankerDownError(
            f"Trieve fails at {said}; check its re-ranker (RERANKER_SERVER_ORIGIN) and its "
            "embedding servers; `semantic` searches need no re-ranker"
        )
    return TrieveModelDownError(f"Trieve fails at {said}; check its embedding servers")
