"""Has the C library give freed memory back to the operating system."""

import ctypes
from contextlib import suppress

_LARGE_BYTES = 1 << 20
"""Size from which memory goes back to the system once it is freed. glibc's own grows to 32 MB with what is freed, and
answers to long lists, of some megabytes each, then leave gigabytes of holes."""
_KEPT_BYTES = 16 << 20
"""Free memory at a heap's end that is kept, so that it needn't be asked for again and again."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def give_back_what_is_freed() -> None:
    """Have the C library give large pieces back, where it is one that can be told (mallopt(3))."""
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        library.mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
