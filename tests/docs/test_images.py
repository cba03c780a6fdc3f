"""Pictures of the documents: each is as new as what it shows, and is shown somewhere."""

import re
from types import ModuleType

import pytest

from tests.support.paths import ROOT
from tests.support.scripts import module

IMAGES = ROOT / "docs" / "images"


@pytest.fixture(scope="module")
def pictures() -> ModuleType:
    """docs/images/pictures.py, which is of no package."""
    return module(IMAGES / "pictures.py")


def test_no_picture_is_older_than_what_it_shows(pictures: ModuleType) -> None:
    """By what stands in it, not by times, which a clone doesn't keep. Beside each stale one stands what makes it."""
    assert pictures.stale() == {}


def test_every_picture_is_shown_somewhere() -> None:
    """What no document shows is nobody's."""
    documents = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").glob("*.md")]
    documents += (ROOT / "native").glob("*.md")
    shown = {name for file in documents for name in re.findall(r"images/([\w-]+\.\w+)\)", file.read_text("utf-8"))}
    assert {file.name for file in IMAGES.iterdir() if file.suffix in (".png", ".svg")} == shown
