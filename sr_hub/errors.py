"""The one error type whose message is written for the user.

Raise it where the input is at fault. The message names the thing and the fix in one line; the
command line prints it and exits with code 2, the app shows it as a notice.
"""

from typing import Literal

HubReason = Literal[
    "absent", "foreign", "gated", "large", "no_id", "offline", "revision", "unreachable"
]
"""Why the Hub gives no model under a name: there is no such repository or it is private, it is not
one of this package, it asks for consent, it is too large, the name is none, downloads are off, it
has no such revision, the Hub does not answer or is busy."""


class SRHubError(Exception):
    """A mistake in what was given: a file, an argument, a checkpoint."""


def one_line(error: Exception) -> str:
    """What an error says, or its type if it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__


def first_line(error: Exception) -> str:
    """What an error says first, or its type if it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


class HubError(SRHubError):
    """The Hub gives no model under a name.

    Args:
        message: for the user.
        reason: why; with `values` it is enough to say the same in other words.
        values: what such words name besides the repository: of a "large" one its size and the
            limit, in MB.
    """

    def __init__(self, message: str, reason: HubReason, *values: str) -> None:
        super().__init__(message)
        self.reason, self.values = reason, values


class NoMemoryError(SRHubError):
    """The machine's memory does not suffice for a picture."""
