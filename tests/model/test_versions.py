"""Choice of the bundle of a folder that is served, and of what counts as a change."""

import shutil
from pathlib import Path

import pytest

from bothends.errors import BundleError
from bothends.model.bundle import Bundle
from bothends.model.versions import fingerprint, newest


@pytest.fixture
def root(toy_bundle: Bundle, tmp_path: Path) -> Path:
    for name in ("2026.11.9", "2026.11.10", "2026.2.30", ".2027.1", "2027.1.partial"):
        shutil.copytree(toy_bundle.path, tmp_path / name)
    (tmp_path / "2028.1").mkdir()
    (tmp_path / "3000").write_text("")
    return tmp_path


def test_numbers_in_names_count_as_numbers(root: Path) -> None:
    """Entries that are hidden, half-written, empty or no folder are no versions."""
    assert newest(root).name == "2026.11.10"


def test_a_bundle_is_its_own_newest(root: Path) -> None:
    assert newest(root / "2026.2.30").name == "2026.2.30"


def test_a_version_may_begin_with_a_v(toy_bundle: Bundle, tmp_path: Path) -> None:
    """Other names are no versions, whatever they hold."""
    for name in ("final", "v2", "v10", "7", "vnext"):
        shutil.copytree(toy_bundle.path, tmp_path / name)
    assert newest(tmp_path).name == "v10"


def test_of_models_that_are_no_versions_none_is_picked(toy_bundle: Bundle, tmp_path: Path) -> None:
    """A folder of a project holds a checkpoint, a bundle and older ones; which is meant, nobody said."""
    for name in ("checkpoint", "bundle-old"):
        shutil.copytree(toy_bundle.path, tmp_path / name)
    with pytest.raises(BundleError, match=r"holds no version.*it holds bundle-old, checkpoint: say which"):
        newest(tmp_path)
    before = fingerprint(tmp_path)
    shutil.copytree(toy_bundle.path, tmp_path / "1")
    assert newest(tmp_path).name == "1"
    assert fingerprint(tmp_path) != before


@pytest.mark.parametrize("there", [True, False])
def test_where_there_is_no_bundle_the_folder_itself_is_named(tmp_path: Path, there: bool) -> None:
    """Opening the folder itself then says what is missing."""
    root = tmp_path if there else tmp_path / "nowhere"
    assert newest(root) == root
    fingerprint(root)


def test_a_fingerprint_changes_with_what_is_served_only(root: Path, toy_bundle: Bundle) -> None:
    """A newer folder, a file written to, a link that leads elsewhere; not an older folder."""
    before = fingerprint(root)
    assert fingerprint(root) == before
    shutil.copytree(toy_bundle.path, root / "2026.1")
    assert fingerprint(root) == before
    with (root / "2026.11.10" / "model.onnx").open("ab") as file:
        file.write(b"more")
    assert (written := fingerprint(root)) != before
    shutil.copytree(toy_bundle.path, root / "2026.11.11")
    assert fingerprint(root) != written
    link = root / "current"
    link.symlink_to(root / "2026.11.9")
    before = fingerprint(link)
    link.unlink()
    link.symlink_to(root / "2026.11.11")
    assert fingerprint(link) != before
