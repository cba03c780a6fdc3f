"""The guide docs/guides/laser.md holds, on small files of the names that it uses."""

from pathlib import Path

import pytest

from tests.importing import original_laser as original

from .reading import follow

pytestmark = pytest.mark.slow  # every command of the page starts a process


def test_the_page_holds(tmp_path: Path) -> None:
    original.write(tmp_path / "laser2.pt", original.write_model(tmp_path / "laser2.spm"))
    original.write(tmp_path / "bilstm.93langs.2018-12-26.pt", original.write_codes(tmp_path / "93langs.fcodes"))
    follow("laser.md", tmp_path)
