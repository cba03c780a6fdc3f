"""The versions of bothends and of the libraries that it serves by, as labels of `bothends_build_info`."""

import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version


def _installed(*names: str) -> str:
    """Version of the first of these distributions that is there, or nothing; none is loaded for this."""
    for name in names:
        with suppress(PackageNotFoundError):
            return version(name)
    return ""


BUILD: dict[str, str] = {
    "version": version("bothends"),
    "python": platform.python_version(),
    "onnxruntime": _installed("onnxruntime-gpu", "onnxruntime"),
    "kernel": _installed("bothends-native"),
}
"""Labels of `bothends_build_info`; empty where something isn't installed."""
