"""Tells whether bothends-native is of the version of bothends: what they say to each other is no promise of either."""

from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, version


@cache
def misfit() -> str | None:
    """Say which bothends-native is installed, and where, if it is of another version; None where it fits, or is not."""
    try:
        ours, native = version("bothends"), distribution("bothends-native")
    except PackageNotFoundError:
        return None
    if native.version == ours:
        return None
    return f"bothends-native {native.version} in {native.locate_file('')} isn't of the version of bothends, {ours}"
