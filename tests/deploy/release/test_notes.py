"""Notes of a release, and the checksums beside its files."""

import subprocess
from pathlib import Path

from tests.support.ran import ran
from tests.support.released import RELEASE, run


def test_notes_are_the_changelogs_section_with_links_that_lead_somewhere() -> None:
    """The first version's stay as they are; nothing of a later heading is in them."""
    notes = run("notes.py", "v0.1.0", "https://example.org/o/bothends").stdout
    assert notes.startswith("The first version.")
    assert "\n## [" not in notes
    assert "([docs/encoder.md](https://example.org/o/bothends/blob/v0.1.0/docs/encoder.md))" in notes
    assert "(docs/encoder.md)" in run("notes.py", "v0.1.0").stdout


def test_a_version_that_the_changelog_lacks_has_no_notes() -> None:
    """The release fails then. A dot is a dot."""
    for tag in ("v0.0.9", "v0x1.0", "v"):
        done = run("notes.py", tag)
        assert (done.returncode, done.stderr) == (1, f"CHANGELOG.md says nothing of {tag}\n")


def checksums(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the script on a folder."""
    return ran(RELEASE / "checksums.sh", folder)


def test_checksums_are_of_each_distribution_and_hold(tmp_path: Path) -> None:
    """`sha256sum --check` is what users run."""
    names = ["a-1-py3-none-any.whl", "a-1.tar.gz", "b-1.tar.gz"]
    for name in names:
        (tmp_path / name).write_text(name)
    assert checksums(tmp_path).returncode == 0
    check = ["sha256sum", "--check", "--quiet", "SHA256SUMS"]
    subprocess.run(check, cwd=tmp_path, check=True)
    lines = (tmp_path / "SHA256SUMS").read_text().splitlines()
    assert [line.split()[1] for line in lines] == names


def test_without_distributions_there_are_no_checksums(tmp_path: Path) -> None:
    """A folder that lacks wheels or sdists isn't a release's."""
    (tmp_path / "a-1.tar.gz").touch()
    assert checksums(tmp_path).returncode == 1
    assert not (tmp_path / "SHA256SUMS").exists()
