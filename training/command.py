"""What the commands of training share: an input at fault is one line, not a traceback."""

import functools
import sys
from collections.abc import Callable

from sr_hub.errors import SRHubError

Main = Callable[[list[str] | None], int]
"""The arguments of a command line, those of the process if None, to the exit code."""


def command(main: Main) -> Main:
    """`main`, whose SRHubError or OSError (a full disk) is one line on stderr and exit code 2."""

    @functools.wraps(main)
    def guarded(arguments: list[str] | None = None) -> int:
        try:
            return main(arguments)
        except (SRHubError, OSError) as error:
            return refuse(error)

    return guarded


def refuse(error: SRHubError | OSError, code: int = 2) -> int:
    """Say what was wrong in one line on stderr; the exit code."""
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        text = f"{where}{error.strerror}"
    sys.stderr.write(f"error: {text}\n")
    return code
