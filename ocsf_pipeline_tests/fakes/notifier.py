"""A messenger that keeps what it was given, and can be told to fail."""

from __future__ import annotations

from ocsf_pipeline.ports import TransientPortError


class FakeNotifier:
    def __init__(self) -> None:
        self.messages: list[tuple[str, str]] = []
        self.is_down = False

    def send_message(self, title: str, text: str) -> None:
        if self.is_down:
            raise TransientPortError("nobody takes messages")
        self.messages.append((title, text))
