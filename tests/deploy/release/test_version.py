"""The version stands in one place, and all that names it says the same."""

import tomllib

import pytest

from tests.support.paths import ROOT
from tests.support.released import RELEASE, run, version_in_file
from tests.support.scripts import module

version = module(RELEASE / "version.py")


def test_both_distributions_have_the_version_of_one_file() -> None:
    """bothends reads it where bothends-native has it, which is built where the rest isn't."""
    native = tomllib.loads((ROOT / "native" / "pyproject.toml").read_text(encoding="utf-8"))
    bothends = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert native["project"]["version"] == version_in_file()
    assert bothends["project"]["dynamic"] == ["version"]
    assert bothends["tool"]["hatch"]["version"]["path"] == "native/pyproject.toml"


def test_nothing_names_another_version() -> None:
    """The chart and pages are of this version; the changelog names it once it is released."""
    assert [line for line in told(f"v{version_in_file()}") if not line.startswith("CHANGELOG.md ")] == []


@pytest.mark.parametrize("tag", ["v0.0.1", "0.0.1", "v", ""])
def test_a_tag_of_another_version_is_refused(tag: str) -> None:
    """The first job of a release fails then, before anything is published."""
    assert told(tag)[0] == f"the tag is {tag}, and the version {version_in_file()}"


def told(tag: str) -> list[str]:
    """What the check says of a tag, line by line. It ends with 1 where it says anything."""
    done = run("version.py", tag)
    assert done.returncode == bool(done.stderr)
    return done.stderr.splitlines()
