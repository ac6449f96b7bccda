"""The one error type whose message is written for the user.

Raise it where the input is at fault. The message names the thing and the fix in one line; the
command line prints it and exits with code 2, the app shows it as a notice.
"""


class SRHubError(Exception):
    """A mistake in what was given: a file, an argument, a checkpoint."""


def one_line(error: Exception) -> str:
    """What an error says, or its type if it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__


def first_line(error: Exception) -> str:
    """What an error says first, or its type if it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


class NoMemoryError(SRHubError):
    """The machine's memory does not suffice for a picture."""
