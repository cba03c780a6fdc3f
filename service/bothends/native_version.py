"""Checks that bothends-native has the same version as bothends, since their interface isn't stable."""

from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, version


@cache
def misfit() -> str | None:
    """Return which bothends-native is installed, and where, if it has another version; None if it fits or isn't
    installed.
    """
    try:
        ours, native = version("bothends"), distribution("bothends-native")
    except PackageNotFoundError:
        return None
    if native.version == ours:
        return None
    return f"bothends-native {native.version} in {native.locate_file('')} isn't of the version of bothends, {ours}"
