"""The guide docs/guides/infersent.md holds, on small files of the names that it uses."""

from pathlib import Path

import pytest

from tests.importing import original_infersent as original

from .reading import follow

pytestmark = pytest.mark.slow  # every command of the page starts a process


def test_the_page_holds(tmp_path: Path) -> None:
    original.write(tmp_path, version=2)
    words = ["A", "man", "plays", "an", "instrument", ".", "woman", "don", "'t", "<p>", "</p>"]
    original.write_vectors(tmp_path / "crawl-300d-2M.vec", words)
    follow("infersent.md", tmp_path)
