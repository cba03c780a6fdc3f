"""Memory of this process, in bytes, as Linux reports it; 0 elsewhere."""

import os
from pathlib import Path

_ADDRESS_SPACE, _RESIDENT = 0, 1
"""Numbers of the fields of /proc/self/statm (proc_pid_statm(5)), which counts pages."""


def address_space() -> int:
    """Return the size of the process's address space in bytes, used or not."""
    return _bytes(_ADDRESS_SPACE)


def resident() -> int:
    """Return the process's resident memory in bytes."""
    return _bytes(_RESIDENT)


def _bytes(field: int) -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[field])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
