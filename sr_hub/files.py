"""Files that are there whole or not at all, and what there is."""

import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path

from sr_hub.errors import SRHubError


def write_text(path: Path, text: str) -> None:
    """Write `text` in UTF-8 as `write_whole` writes."""
    write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file beside `path`, then put it in the place of `path`.

    The folder of `path` is made if it is not there.

    Raises:
        SRHubError: if the folder or the file cannot be written; what was there stays.
    """
    # Not made of the name, which may be as long as a name can be.
    temporary = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise SRHubError(f"cannot write {path}: {error.strerror or error}") from None


def is_folder(path: str | Path) -> bool:
    """Whether there is such a folder; a path that the system refuses, as too long, is none."""
    try:
        return Path(path).is_dir()
    except OSError:
        return False


def check_writable(path: Path) -> None:
    """Refuse, before long work, a file that could not be written after it; nothing is made.

    Raises:
        SRHubError: if it is a folder, or there is no folder to write it into.
    """
    if path.is_dir():
        raise SRHubError(f"cannot write {path}: it is a folder, give a file's name")
    whole = next(parent for parent in path.resolve().parents if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=whole):
            pass
    except OSError as error:
        raise SRHubError(f"cannot write {path}: {whole}: {error.strerror}") from None
