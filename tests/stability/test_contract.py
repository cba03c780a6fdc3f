"""Callers who were compiled with an earlier release's contract are understood, and compile with this one."""

from pathlib import Path

import pytest

from .released import buf, contracts

BY_BYTES = '{"version": "v2", "breaking": {"use": ["WIRE"]}}'
"""Rules of what is understood as bytes; proto/buf.yaml's own hold generated code too."""
*EARLIER, LAST = contracts()


def test_code_that_was_generated_for_the_last_release_is_the_same() -> None:
    """Nothing is removed, renamed or renumbered, and no type is changed."""
    found = buf("breaking", "--against", LAST)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("image", EARLIER, ids=lambda path: path.stem)
def test_callers_of_earlier_releases_are_understood(image: Path) -> None:
    """Before 1.0 a field was renamed; its number and type stayed."""
    found = buf("breaking", "--against", image, "--config", BY_BYTES)
    assert found.returncode == 0, found.stdout + found.stderr
