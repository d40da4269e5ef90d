"""Messages through apprise, to a server on this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from ocsf_pipeline.adapters.messenger import AppriseNotifier
from ocsf_pipeline.opening import open_notifier
from ocsf_pipeline.ports import Notifier, PermanentPortError, TransientPortError
from ocsf_pipeline.settings import read_settings


class Inbox(HTTPServer):
    received: list[dict[str, object]]
    status = 200


class Handler(BaseHTTPRequestHandler):
    server: Inbox

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.server.received.append(json.loads(self.rfile.read(length)))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        return


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    server = Inbox(("127.0.0.1", 0), Handler)
    server.received = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def url_of(inbox: Inbox) -> str:
    return f"json://127.0.0.1:{inbox.server_address[1]}/hush"


def test_a_message_arrives_as_plain_text(inbox: Inbox) -> None:
    settings = read_settings({"OCSF_PIPELINE_NOTIFY_URLS": f"{url_of(inbox)} {url_of(inbox)}"})
    notifier = open_notifier(settings)
    assert isinstance(notifier, Notifier)
    notifier.send_message("a title", "two\nlines & <b>")
    assert [(m["title"], m["message"]) for m in inbox.received] == [
        ("a title", "two\nlines & <b>")
    ] * 2


def test_a_refusal_is_transient_and_tells_no_secret(inbox: Inbox) -> None:
    inbox.status = 500
    with pytest.raises(TransientPortError, match="URL 1") as caught:
        AppriseNotifier([url_of(inbox)]).send_message("a", "b")
    assert "hush" not in str(caught.value)


def test_a_url_of_no_known_kind_is_named_by_its_place() -> None:
    with pytest.raises(PermanentPortError, match="URL 2") as caught:
        AppriseNotifier(["json://127.0.0.1/x", "nonsense://hush"])
    assert "hush" not in str(caught.value)


def test_nobody_is_told_by_default() -> None:
    assert open_notifier(read_settings({})) is None
