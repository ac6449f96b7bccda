"""Memory that pictures have freed and the C library keeps, given back to the system.

glibc keeps freed blocks of up to 32 MB for the next request. Pictures of many sizes ask for blocks
of many sizes, into which the old ones do not fit: without this, a process grows by megabytes with
each picture, to several times what it needs.
"""

import ctypes
import mmap
import threading
from functools import cache
from pathlib import Path

MOST_KEPT = 2**29
"""Bytes that may be kept: what was given back takes time when it is asked for again."""

STATUS = Path("/proc/self/statm")
"""Where Linux says how many pages a process has, and how many of them in memory."""

_guard = threading.Lock()
_needed = 0  # bytes that the process held when least was kept


def give_back() -> None:
    """Let go of what is kept, if the process holds `MOST_KEPT` bytes more than after the last time.

    Elsewhere than on Linux with glibc nothing happens.
    """
    global _needed
    library = _glibc()
    if library is None:
        return
    with _guard:
        if _held() > _needed + MOST_KEPT:
            library.malloc_trim(0)
            _needed = _held()
        else:
            _needed = min(_needed, _held())


@cache
def _glibc() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL("libc.so.6")
        library.malloc_trim.restype, library.malloc_trim.argtypes = ctypes.c_int, (ctypes.c_size_t,)
    except (AttributeError, OSError):
        return None
    return library if STATUS.exists() else None


def _held() -> int:
    """Bytes of memory that the process holds."""
    return int(STATUS.read_text().split()[1]) * mmap.PAGESIZE
