"""Logs that are counted: objects of past hours, and numbered events pushed to the endpoint.

Belongs here: sending, and sending again until it is answered. Does not belong here: what became of
them (`views`).
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from ocsf_pipeline.logs.layout import format_hour_folder
from ocsf_pipeline.samples.objects import build_sample_objects
from ocsf_pipeline_tests.rehearsal.plan import ADDRESSES, Plan

PAST_HOURS = (7, 6, 5, 4, 3, 2)
"""Hours ago for which objects are put into the store, as Vector would."""
_OBJECTS_PER_HOUR = 12
_BATCH = 100
_PAUSE_SECONDS = 2.0
_FORMS = (
    "<38>Nov 20 10:00:{s:02d} web-1 sshd[{n}]: Failed password for invalid user rehearsal-{n:06d} "
    "from 203.0.113.{b} port 4022 ssh2",
    '{{"eventName":"ConsoleLogin","eventSource":"signin.amazonaws.com","eventTime":'
    '"2026-11-20T10:00:{s:02d}Z","sourceIPAddress":"203.0.113.{b}","eventID":"rehearsal-{n:06d}",'
    '"userIdentity":{{"type":"IAMUser","userName":"ada"}}}}',
    "203.0.113.{b} - - [20/Nov/2026:10:00:{s:02d} +0000] "
    '"GET /rehearsal-{n:06d} HTTP/1.1" 200 512 "-" "curl/8.5"',
)


def land_past_hours(plan: Plan, s3: Any) -> int:
    """Put the sample logs into two past hours; return how many objects."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    bucket = plan.environment("code")["OCSF_PIPELINE_OBJECTS_URL"].removeprefix("s3://")
    samples = build_sample_objects()
    for number, hours in enumerate(PAST_HOURS):
        folder = format_hour_folder("logs", now - timedelta(hours=hours))
        for item in samples[number :: len(PAST_HOURS)][:_OBJECTS_PER_HOUR]:
            s3.put_object(Bucket=bucket, Key=f"{folder}/{item.name}", Body=item.body)
    return len(PAST_HOURS) * _OBJECTS_PER_HOUR


class Sender(threading.Thread):
    """Pushes numbered events until told to stop; repeats a batch until the answer is 200."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(daemon=True)
        token = (
            (plan.folder / "secrets" / "ingest" / "tokens").read_text().strip().partition(":")[2]
        )
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "text/plain"}
        self._url = f"http://{ADDRESSES['ingest']}:8088/logs"
        self._ending = threading.Event()
        self.sent = 0
        """Events answered with 200."""
        self.repeats = 0
        """Requests that had to be sent again."""

    def run(self) -> None:
        """Send until `finish`; the batch under way is delivered first."""
        while not self._ending.wait(_PAUSE_SECONDS):
            numbers = range(self.sent, self.sent + _BATCH)
            lines = [_FORMS[n % len(_FORMS)].format(n=n, s=n % 60, b=n % 200 + 1) for n in numbers]
            self._deliver("\n".join(lines).encode())
            self.sent += _BATCH

    def finish(self) -> int:
        """Stop sending; return how many events were accepted."""
        self._ending.set()
        self.join(120)
        return self.sent

    def _deliver(self, body: bytes) -> None:
        while True:
            try:
                answer = httpx.post(self._url, content=body, headers=self._headers, timeout=20)
                if answer.status_code == httpx.codes.OK:
                    return
                if answer.status_code in {400, 401, 403, 413}:
                    raise AssertionError(f"the endpoint refuses: {answer.text}")
            except httpx.HTTPError:
                pass
            self.repeats += 1
            self._ending.wait(0.5)
