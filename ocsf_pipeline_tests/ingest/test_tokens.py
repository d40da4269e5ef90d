"""Lists of tokens: what is accepted, what is told, what stays when a list breaks."""

from __future__ import annotations

import hashlib

import pytest

from ocsf_pipeline.ingest.tokens import (
    MissingTokenError,
    TokenError,
    TokenWatch,
    WrongTokenError,
    parse_tokens,
)

_TOKEN = "0123456789abcdef-token"


def test_tokens_are_named_commented_and_may_be_hashed() -> None:
    hashed = hashlib.sha256(b"another-token-of-vector").hexdigest()
    tokens = parse_tokens(f"# senders\n\nfluent:{_TOKEN} # since May\nvector: sha256:{hashed}\n")
    assert tokens.find_sender(f"Bearer {_TOKEN}") == "fluent"
    assert tokens.find_sender("Splunk another-token-of-vector") == "vector"
    with pytest.raises(WrongTokenError):
        tokens.find_sender(f"Bearer {hashed}")
    with pytest.raises(MissingTokenError):
        tokens.find_sender("Bearer")


def test_two_tokens_of_one_name_are_both_valid() -> None:
    tokens = parse_tokens(f"v:{_TOKEN},v:{_TOKEN}-next")
    assert tokens.find_sender(f"Bearer {_TOKEN}") == tokens.find_sender(f"Bearer {_TOKEN}-next")


@pytest.mark.parametrize(
    "line", ["no-colon-in-this-line", f"two words:{_TOKEN}", "short:secret", f":{_TOKEN}", "v:"]
)
def test_a_bad_line_is_told_by_its_number_without_the_token(line: str) -> None:
    with pytest.raises(TokenError, match="entry 2") as caught:
        parse_tokens(f"good:{_TOKEN}\n{line}\n")
    assert "secret" not in str(caught.value)
    assert _TOKEN not in str(caught.value)


def test_no_token_lets_everyone_in() -> None:
    assert parse_tokens("").find_sender("") == "anyone"


class Source:
    """A file of tokens that can vanish."""

    def __init__(self, text: str) -> None:
        self.text: str | None = text

    def __call__(self) -> tuple[object, str]:
        if self.text is None:
            raise FileNotFoundError("gone")
        return self.text, self.text


def test_a_list_that_breaks_leaves_the_last_good_one() -> None:
    source = Source(f"v:{_TOKEN}")
    watch = TokenWatch("fixed:a-fixed-token-is-always-valid", source)
    assert not watch.refresh()
    for broken in ("nonsense", "", "# nobody", None):
        source.text = broken
        assert not watch.refresh()
        assert watch.failure
        assert watch.tokens.find_sender(f"Bearer {_TOKEN}") == "v"
    source.text = f"w:{_TOKEN}"
    assert watch.refresh()
    assert watch.failure == ""
    assert watch.tokens.find_sender(f"Bearer {_TOKEN}") == "w"
    assert watch.tokens.find_sender("Bearer a-fixed-token-is-always-valid") == "fixed"
