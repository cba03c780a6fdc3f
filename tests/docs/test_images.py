"""Pictures of the documents: each is as new as what it shows, and is shown somewhere."""

import re
import shutil
from pathlib import Path
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


def test_every_picture_is_known_and_every_one_that_is_known_is_there(pictures: ModuleType) -> None:
    assert {file.name for file in IMAGES.glob("*.png")} == set(pictures.SHOWN)


def test_every_picture_is_shown_somewhere() -> None:
    """What no document shows is nobody's."""
    documents = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").glob("*.md")]
    documents += (ROOT / "native").glob("*.md")
    shown = {name for file in documents for name in re.findall(r"images/([\w-]+\.\w+)\)", file.read_text("utf-8"))}
    assert {file.name for file in IMAGES.iterdir() if file.suffix in (".png", ".svg")} == shown


def test_what_a_picture_shows_is_a_file(pictures: ModuleType) -> None:
    """A pattern that nothing fits would never make a picture stale."""
    for name, (*patterns, _) in pictures.SHOWN.items():
        for pattern in patterns:
            assert list(ROOT.glob(pattern.partition("#")[0])), (name, pattern)


def test_a_picture_is_stale_once_what_it_shows_changes(
    pictures: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of JSON the part that counts; a new mark takes the place of the old one, and the picture stays whole."""
    images, data = tmp_path / "docs" / "images", tmp_path / "data.json"
    images.mkdir(parents=True)
    shutil.copy(IMAGES / "servers.png", images / "of.png")
    size = (images / "of.png").stat().st_size
    data.write_text('{"a": 1, "b": 2}')
    for name, value in (("ROOT", tmp_path), ("IMAGES", images)):
        monkeypatch.setattr(pictures, name, value)
    monkeypatch.setattr(pictures, "SHOWN", {"of.png": ("data.json#-b", "nothing")})
    assert pictures.stale() == {"of.png": "nothing"}
    pictures.mark(images / "of.png")
    assert pictures.stale() == {}
    data.write_text('{"b": 3,  "a": 1}')
    assert pictures.stale() == {}
    data.write_text('{"a": 2, "b": 2}')
    assert pictures.stale() == {"of.png": "nothing"}
    pictures.mark(images / "of.png")
    assert pictures.stale() == {}
    assert (images / "of.png").stat().st_size == size
