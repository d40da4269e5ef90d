"""What the endpoint counts, in Prometheus's terms.

Belongs here: names, labels and help of the metrics. Does not belong here: when they change.
Labels come from fixed lists and from the names of tokens, never from requests.
"""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_NAMESPACE = "ocsf_ingest"
_GAUGES = {
    "pending_bytes": "Text held and not durable yet.",
    "requests_in_flight": "Requests being served.",
    "ready": "1 when requests are taken and can be stored.",
    "tokens": "Tokens in force.",
    "tokens_failed": "1 when the file of tokens cannot be used and the last ones stay.",
}


class Metrics:
    """The metrics of one endpoint, in a registry of their own."""

    def __init__(self) -> None:
        # Else there is a second series for each: when it began to count.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._requests = self._counter("requests", "Requests answered.", "route", "status")
        self._seconds = self._histogram("request_seconds", "Time to a 200.", "route")
        self._events = self._counter("events", "Events made durable.", "route", "sender")
        self._bytes = self._counter("received_bytes", "Bodies as sent.", "route", "sender")
        self._repeated = self._counter("repeated_batches", "Retries of batches already stored.")
        self._refused = self._counter("refused", "Requests refused.", "reason")
        self._objects = self._counter("objects", "Objects written.")
        self._batches = self._counter("batches", "Batches in objects written.")
        self._object_bytes = self._counter("object_bytes", "Size of objects written, compressed.")
        self._write_seconds = self._histogram("write_seconds", "Time to write one object.")
        self._failed_writes = self._counter("failed_writes", "Writes that the store refused.")
        self._gauges = {
            name: Gauge(name, text, namespace=_NAMESPACE, registry=self.registry)
            for name, text in _GAUGES.items()
        }

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, namespace=_NAMESPACE, registry=self.registry)

    def _histogram(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(
            name, text, labels, namespace=_NAMESPACE, registry=self.registry, buckets=_SECONDS
        )

    def watch(self, name: str, read: Callable[[], float]) -> None:
        """Read a gauge when it is asked for."""
        self._gauges[name].set_function(read)

    def count_request(self, route: str, status: int) -> None:
        """Count one answer."""
        self._requests.labels(route, str(status)).inc()

    def count_accepted(
        self, route: str, sender: str, events: int, size_bytes: int, seconds: float
    ) -> None:
        """Count one batch that is durable now."""
        self._events.labels(route, sender).inc(events)
        self._bytes.labels(route, sender).inc(size_bytes)
        self._seconds.labels(route).observe(seconds)

    def count_repeated(self) -> None:
        """Count a retry that was known again."""
        self._repeated.inc()

    def count_refused(self, reason: str) -> None:
        """Count a request that was not taken."""
        self._refused.labels(reason).inc()

    def count_object(self, batches: int, size_bytes: int, seconds: float) -> None:
        """Count an object that is durable now."""
        self._objects.inc()
        self._batches.inc(batches)
        self._object_bytes.inc(size_bytes)
        self._write_seconds.observe(seconds)

    def count_failed_write(self) -> None:
        """Count a write that the store refused."""
        self._failed_writes.inc()

    def render(self) -> bytes:
        """Return all metrics as text."""
        return generate_latest(self.registry)
