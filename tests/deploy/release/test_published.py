"""What the distributions for an index ask for, beside what a clone does."""

import tomllib
from pathlib import Path

from tests.support.paths import ROOT
from tests.support.released import published, run, version_in_file

EXTRAS: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


def test_a_clone_asks_for_nothing_that_is_only_on_an_index() -> None:
    """It has the model, and builds or finds what is native."""
    assert [text for texts in EXTRAS.values() for text in texts if text.startswith("bothends-")] == []


def test_what_is_published_asks_for_the_model_and_for_the_native_parts_of_its_version() -> None:
    """`native` is another name of `cpu`; by a marker nobody needs a compiler (test_native_parts.py looks at where)."""
    extras = published()
    assert "bothends-english" in extras["server"]
    assert str(extras["cpu"]["bothends-native"].specifier) == f"=={version_in_file()}"
    assert EXTRAS["native"] == ["bothends[cpu]"]
    assert {name for extra, asked in extras.items() for name in asked if name.startswith("bothends-")} == {
        "bothends-english",
        "bothends-native",
    }


def test_an_extra_that_lost_its_mark_is_an_error(tmp_path: Path) -> None:
    """Else a wheel would be published that brings no model, or no native parts."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text(text.replace('# published: "bothends-native', '# "bothends-native'))
    done = run("published.py", tmp_path / "pyproject.toml")
    assert (done.returncode, done.stderr) == (1, "[cpu] doesn't ask for bothends-native\n")
