"""A new path must be new: no file or folder is written over."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bothends.errors import BundleError
from bothends_export.new_path import must_be_new


@pytest.mark.parametrize("made", [Path.mkdir, Path.touch, lambda path: path.symlink_to("nowhere")])
def test_whatever_stands_there_is_refused(tmp_path: Path, made: Callable[[Path], None]) -> None:
    """A folder, a file and a link to nothing are refused alike, in the caller's own error."""
    out = tmp_path / "out"
    must_be_new(out, BundleError)
    made(out)
    with pytest.raises(BundleError, match="out exists already; remove it or choose another name"):
        must_be_new(out, BundleError, kind="name")
