"""One process for the folder of a run: two would mix their logs and weights."""

from pathlib import Path
from typing import IO

from sr_hub.errors import SRHubError

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None

LOCK_FILE = ".lock"

_held: dict[Path, IO[str]] = {}


def hold(out: Path) -> None:
    """Keep other processes from training in `out`, until `let_go` or the end of this process.

    A process that is killed lets go too. Where the system or its disk has no locks, nothing is
    kept; what this process holds already it may hold again.

    Raises:
        SRHubError: if another process trains in `out`.
        OSError: if the folder cannot be made or written.
    """
    key = out.resolve()
    if fcntl is None or key in _held:
        return
    out.mkdir(parents=True, exist_ok=True)
    file = (out / LOCK_FILE).open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise SRHubError(
            f"{out} is being trained by another process: wait for its end, or name another --out"
        ) from None
    except OSError:
        file.close()
        return
    _held[key] = file


def let_go() -> None:
    """Let other processes train where this one did."""
    while _held:
        _held.popitem()[1].close()
