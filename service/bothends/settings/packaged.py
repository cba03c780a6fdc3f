"""Knows the packaged model by its name."""

from pathlib import Path

PACKAGED = "english"
"""Name of the packaged model."""


def chosen(bundle: Path | None) -> Path | None:
    """Return the folder that the user names as the model's; None for the packaged model.

    The packaged model may be given by its name, unless a folder has that name.
    """
    return None if bundle is not None and str(bundle) == PACKAGED and not bundle.exists() else bundle
