"""Why a request is refused, before any protocol puts it into its own words.

Belongs here: the reasons, as exceptions with the HTTP status that fits. Does not belong here: HEC's
codes (`hec`), headers and bodies of answers (`app`).
"""

from __future__ import annotations


class RequestError(Exception):
    """The sender must change something; sending the same again cannot help."""

    status = 400

    def __init__(self, message: str, *, reason: str = "invalid") -> None:
        """`reason` is one word for the metrics."""
        super().__init__(message)
        self.reason = reason


class BodyTooLargeError(RequestError):
    """The body, as sent or decompressed, is beyond the limit."""

    status = 413

    def __init__(self, message: str) -> None:
        super().__init__(message, reason="too_large")


class UnsupportedError(RequestError):
    """A compression or content type that is not spoken here."""

    status = 415

    def __init__(self, message: str) -> None:
        super().__init__(message, reason="unsupported")


class InvalidEventError(RequestError):
    """One event of the request cannot be used; `number` counts from 0."""

    def __init__(self, message: str, number: int, *, reason: str = "invalid") -> None:
        super().__init__(message, reason=reason)
        self.number = number


class BusyError(Exception):
    """The same request may succeed later: the endpoint is full, closing, or cannot store."""

    def __init__(self, message: str, status: int, retry_after_seconds: int, reason: str) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_seconds = retry_after_seconds
        self.reason = reason
