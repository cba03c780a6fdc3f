"""Limits how much freed memory the C library keeps. Call it before large allocations and before threads start."""

import ctypes
import os
from contextlib import suppress

_LARGE_BYTES = 1 << 20
"""Size from which freed memory is returned to the system. glibc's own limit grows to 32 MB as memory is freed: then
loading a model would leave holes of megabytes, and answers to long lists gigabytes of them."""
_KEPT_BYTES = 16 << 20
"""Free memory at a heap's end that is kept, so that it needn't be asked for again and again."""
_ARENAS = 1
"""Number of heaps of the process. glibc's default is up to eight a core, each of which keeps memory that its threads
have freed; a server's threads allocate too rarely to wait for each other."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8


def keep_little_memory() -> None:
    """Set the limits by mallopt(3), where the C library has that. Environment variables take precedence.

    Call it before threads start, since a thread keeps the heap with which it started.
    """
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        library.mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        if not _are_arenas_chosen():
            library.mallopt(_M_ARENA_MAX, _ARENAS)


def _are_arenas_chosen() -> bool:
    """Return whether the environment says how many arenas there may be."""
    return "MALLOC_ARENA_MAX" in os.environ or "glibc.malloc.arena_max" in os.environ.get("GLIBC_TUNABLES", "")
