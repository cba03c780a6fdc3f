"""native/wheel.sh: a wheel that fits is installed in place of a build, and none of another state of native/."""

import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from tests.support.paths import ROOT


class Clone:
    """A folder with a native/ of few files, and pip set up for an index of a folder and for installing into another."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.native, self.index, self._target = path / "native", path / "simple" / "bothends-native", path / "site"
        for folder in ("bothends_native", "engine", "shared", "transport", "wordpiece"):
            (self.native / folder).mkdir(parents=True)
        self.index.mkdir(parents=True)
        self.source = self.native / "engine" / "chain.cpp"
        self.source.touch()
        for name in ("CMakeLists.txt", "exports.map", "libraries.sh"):
            (self.native / name).touch()
        (self.native / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\n')
        self._script = self.native / "wheel.sh"
        self._script.write_bytes((ROOT / "native" / "wheel.sh").read_bytes())

    def install(self) -> tuple[int, str]:
        """Run it; return how it ended and what it said."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
        environment |= {"PIP_CONFIG_FILE": os.devnull, "PIP_TARGET": str(self._target)}
        environment |= {"PIP_INDEX_URL": self.index.parent.as_uri()}
        command = ["sh", str(self._script), sys.executable]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=self.path)
        assert (done.returncode == 0) == (self._target / "bothends_native.py").exists()
        return done.returncode, done.stdout

    def git(self, *arguments: str) -> None:
        """Run git there, as somebody."""
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        alone = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}  # some sign each commit
        subprocess.run(["git", *who, *arguments], cwd=self.path, check=True, capture_output=True, env=alone)  # noqa: S607


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


def make_wheel(folder: Path, version: str) -> None:
    """Write a wheel of one module."""
    folder.mkdir(parents=True, exist_ok=True)
    about = f"bothends_native-{version}.dist-info"
    with zipfile.ZipFile(folder / f"bothends_native-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("bothends_native.py", "")
        wheel.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: bothends-native\nVersion: {version}\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")


def publish(clone: Clone, version: str) -> None:
    """Put a wheel on the index."""
    make_wheel(clone.index, version)
    links = [f'<a href="{wheel.name}">{wheel.name}</a>' for wheel in clone.index.glob("*.whl")]
    (clone.index / "index.html").write_text("<!DOCTYPE html><html><body>" + "".join(links) + "</body></html>")


def test_what_was_made_here_is_taken_until_something_changes(clone: Clone) -> None:
    """A wheel that is older than a source isn't what a compiler would make of it."""
    make_wheel(clone.path / "dist" / "wheels", "1.2.3")
    assert clone.install() == (0, "Installed bothends-native 1.2.3 from dist/wheels\n")
    later = time.time() + 60
    os.utime(clone.source, (later, later))
    (clone.path / "site" / "bothends_native.py").unlink()
    assert clone.install() == (1, "")


def test_a_wheel_of_another_version_is_left(clone: Clone) -> None:
    """Both sides of a call into C++ change together."""
    make_wheel(clone.path / "dist" / "wheels", "1.2.2")
    publish(clone, "1.2.4")
    assert clone.install() == (1, "")


def test_an_index_is_asked_by_a_release_only(clone: Clone) -> None:
    """In a clone nothing may have changed since the version's tag."""
    publish(clone, "1.2.3")
    clone.git("init", "--quiet")
    clone.git("add", "native")
    clone.git("commit", "--quiet", "--message", "it")
    assert clone.install() == (1, "")
    clone.git("tag", "v1.2.3")
    assert clone.install() == (0, "Installed bothends-native 1.2.3 by pip\n")
    (clone.path / "site" / "bothends_native.py").unlink()
    clone.source.write_text("// faster")
    assert clone.install() == (1, "")


def test_of_archives_a_release_s_alone_asks_an_index(clone: Clone) -> None:
    """What one downloads of a later commit has the same version, and other sources than the wheel."""
    publish(clone, "1.2.3")
    for name in (".gitattributes", ".git_archival.txt"):
        (clone.path / name).write_bytes((ROOT / name).read_bytes())
    clone.git("init", "--quiet")
    clone.git("add", ".git*", "native")
    clone.git("commit", "--quiet", "--message", "it")
    clone.git("tag", "v1.2.3")
    clone.git("archive", "--output", "release.tar", "HEAD", ".git_archival.txt")
    clone.git("commit", "--quiet", "--message", "later", "--allow-empty")
    clone.git("archive", "--output", "later.tar", "HEAD", ".git_archival.txt")
    shutil.rmtree(clone.path / ".git")
    for archive, expected in (
        ("later.tar", (1, "")),
        ("release.tar", (0, "Installed bothends-native 1.2.3 by pip\n")),
    ):
        subprocess.run(["tar", "-xf", archive], cwd=clone.path, check=True)  # noqa: S607
        assert clone.install() == expected
