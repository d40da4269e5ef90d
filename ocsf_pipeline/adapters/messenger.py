"""Notifier over apprise: Slack, Teams, e-mail and a hundred others, each by a URL.

Belongs here: handing a message to apprise and turning its failures into the port's. Does not belong
here: what is told, and when (`steps.health`).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ocsf_pipeline.ports import PermanentPortError, TransientPortError

_MAX_TITLE_CHARS = 200
_MAX_TEXT_CHARS = 8_000


class AppriseNotifier:
    """Sends each message to every URL."""

    def __init__(self, urls: Sequence[str]) -> None:
        """Check the URLs. Raises PermanentPortError for one that names no messenger.

        Its place is told instead of its text, which holds a secret.
        """
        import apprise  # slow to import, and needed by few

        self._messengers = []
        for place, url in enumerate(urls, start=1):
            messenger = apprise.Apprise.instantiate(url, suppress_exceptions=True)
            if messenger is None:
                raise PermanentPortError(
                    f"OCSF_PIPELINE_NOTIFY_URLS: URL {place} is of no kind that apprise knows; see "
                    "https://appriseit.com/services/"
                )
            self._messengers.append(messenger)

    def send_message(self, title: str, text: str) -> None:
        """Send to all. Raises TransientPortError when one could not be reached."""
        from apprise import NotifyFormat, NotifyType

        # Its log quotes what a server answers, addresses with tokens included.
        logging.getLogger("apprise").setLevel(logging.CRITICAL)
        failed = [
            place
            for place, messenger in enumerate(self._messengers, start=1)
            if not messenger.notify(
                title=title[:_MAX_TITLE_CHARS],
                body=text[:_MAX_TEXT_CHARS],
                notify_type=NotifyType.WARNING,
                body_format=NotifyFormat.TEXT,
            )
        ]
        if failed:
            raise TransientPortError(
                f"the messenger of URL {failed[0]} in OCSF_PIPELINE_NOTIFY_URLS did not take the "
                "message; check the URL, its token and the network"
            )
