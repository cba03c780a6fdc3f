"""Bars as a terminal gets them; a file gets none."""

import os
import pty
from pathlib import Path

from bothends.model.bundle import Bundle

from .conftest import lines, start, write_lines


def shown(*flags: object, **options: object) -> str:
    """Return what a terminal on standard error got."""
    ours, theirs = pty.openpty()
    with start(*flags, stderr=theirs, **options) as process:
        os.close(theirs)
        said = b""
        while True:
            try:
                said += os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
    os.close(ours)
    assert process.returncode == 0
    return said.decode()


def test_it_shows_rows_rate_and_the_share_done(toy_bundle: Bundle, tmp_path: Path) -> None:
    """A file's length is known, so a share is shown; a pipe's isn't, so rows are counted."""
    source = write_lines(tmp_path / "in.txt", lines(20_000))
    flags = ["--bundle", toy_bundle.path, "--output", tmp_path / "out.npy", "--overwrite"]
    said = shown("--input", source, *flags)
    assert "100%" in said
    assert "20,000 rows" in said
    assert "rows/s" in said
    with source.open() as given:
        said = shown("-", *flags, stdin=given)
    assert "%" not in said
    assert "20,000 rows" in said
