"""Sending a statement again when the server, or the way to it, failed for now.

Belongs here: how often and how long. Does not belong here: which statements may be repeated (their
callers say), what an error means (`clickhouse_errors`). Inserts of rows are never repeated here: it
is not known how much of one arrived; the whole hour is run again instead.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from ocsf_pipeline.adapters.clickhouse_errors import SlowStatementError
from ocsf_pipeline.ports import TransientPortError

logger = logging.getLogger(__name__)

Result = TypeVar("Result")
_LONGEST_WAIT_S = 10.0


def repeat_transient(action: Callable[[], Result], count: int, wait_s: float) -> Result:
    """Return what `action` returns; call it up to `count` times more after TransientPortErrors."""
    attempts = Retrying(
        stop=stop_after_attempt(count + 1),
        wait=wait_exponential(wait_s, max=_LONGEST_WAIT_S) + wait_random(0, wait_s),
        retry=retry_if_exception(_is_worth_repeating),
        before_sleep=_tell,
        reraise=True,
    )
    return attempts(action)


def _is_worth_repeating(error: BaseException) -> bool:
    return isinstance(error, TransientPortError) and not isinstance(error, SlowStatementError)


def _tell(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    logger.warning("attempt %d failed, trying again: %s", state.attempt_number, error)
