"""Failures of requests to the Hub: which may pass, how often to try again, what to say of them."""

import json
import logging
import time
from collections.abc import Callable
from typing import TypeVar

from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from huggingface_hub.utils import httpx

WAITS = (0.5, 1.5)
"""Seconds before the second and the third attempt, where another attempt may help."""

FAILURES = (HfHubHTTPError, httpx.RequestError, OSError, ValueError, RuntimeError)
"""What the client raises when a request fails, in whatever of its layers."""

_TRANSIENT_STATUS = (408, 429, 500, 502, 503, 504)

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


def persist(attempt: Callable[[], Result]) -> Result:
    """What `attempt` returns, tried up to three times where the failure may pass."""
    for seconds in WAITS:
        try:
            return attempt()
        except FAILURES as error:
            # Nobody listens, or the client has itself tried long enough: waiting changes nothing.
            hopeless = isinstance(error, (httpx.ConnectError, LocalEntryNotFoundError))
            if hopeless or not is_transient(error):
                raise
            logger.info("trying again in %s s: %s", seconds, summary(error))
            time.sleep(seconds)
    return attempt()


def is_transient(error: Exception) -> bool:
    """Whether the same request may succeed later: no network, a busy server, a cut transfer."""
    if isinstance(error, HfHubHTTPError):
        return error.response is not None and error.response.status_code in _TRANSIENT_STATUS
    garbled = (json.JSONDecodeError, UnicodeDecodeError)
    if isinstance(error, (httpx.TransportError, LocalEntryNotFoundError, *garbled)):
        return True
    # The client's own check of the size is an OSError without a number; a full disk has one.
    return isinstance(error, OSError) and error.errno is None


def summary(error: Exception) -> str:
    """The message of an error of the client, in one line of at most 200 characters."""
    wraps = isinstance(error, (LocalEntryNotFoundError, RuntimeError))
    cause = error.__cause__ if wraps else None
    text = " ".join(str(cause or error).split()) or type(error).__name__
    return text if len(text) <= 200 else text[:197] + "..."
