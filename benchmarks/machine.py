"""The machine that a figure was measured on, in words that name neither it nor its owner."""

import os
import platform
import re
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bothends.engines.native import is_built

_PACKAGES = ("bothends", "onnxruntime", "grpcio", "tokenizers")


def describe() -> dict[str, str]:
    """Return date, processor, cores, kernel, Python and versions that matter, also of the native engine where it is
    built.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        **{package: version(package) for package in _PACKAGES},
        **_peer(),
        **(_native() if is_built() else {}),
    }


def _peer() -> dict[str, str]:
    """Return the version of the server that ours is measured beside, where that is installed."""
    try:
        return {"mosec": version("mosec")}
    except PackageNotFoundError:
        return {}


def _native() -> dict[str, str]:
    """Return the native engine's version and the level that it takes here."""
    from bothends_native.engine import levels

    return {"bothends-native": f"{version('bothends-native')} ({levels()[0]})"}


def _processor() -> str:
    found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    return found[1].strip() if found else platform.machine()
