"""The guide docs/guides/nn-lstm.md holds."""

from pathlib import Path

import pytest

from .reading import follow

pytestmark = pytest.mark.slow  # every command of the page starts a process


def test_the_page_holds(tmp_path: Path) -> None:
    """Programs and commands run; the last one compares what is served with PyTorch."""
    follow("nn-lstm.md", tmp_path)
    card = (tmp_path / "bundle" / "README.md").read_text(encoding="utf-8")
    assert card.startswith("# dragons 1\n")
