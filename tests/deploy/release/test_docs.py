"""docs.sh, by which the site of each version is kept beside the others; mike is a stand-in."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.released import RELEASE


def deployed(folder: Path, *words: str, published: str) -> tuple[int, list[str]]:
    """Run the script in a repository of its own, where these versions are published; return what mike was asked."""
    script = folder / "deploy" / "release" / "docs.sh"
    script.parent.mkdir(parents=True)
    script.write_bytes((RELEASE / "docs.sh").read_bytes())
    (folder / "mike").write_text("""#!/bin/sh\n[ "$1" != list ] || printf "$PUBLISHED"\necho "$@" >>"$ASKED"\n""")
    (folder / "mike").chmod(0o755)
    subprocess.run(["git", "init", "--quiet", folder], check=True)  # noqa: S607
    variables = os.environ | {"PUBLISHED": published, "ASKED": str(folder / "asked")}
    done = subprocess.run(["sh", script, folder, *words], capture_output=True, check=False, env=variables)  # noqa: S607
    asked = folder / "asked"
    return done.returncode, asked.read_text().splitlines() if asked.exists() else []


@pytest.mark.parametrize("published", ["", "0.9 [latest]\\n", "dev\\n0.10 [latest]\\n0.9\\n"])
def test_the_newest_version_is_the_latest(tmp_path: Path, published: str) -> None:
    code, asked = deployed(tmp_path, "v0.10.1", published=published)
    assert code == 0
    assert "--quiet deploy --update-aliases 0.10 latest" in asked
    assert "--quiet set-default latest" in asked


def test_an_older_version_that_is_mended_stays_the_older(tmp_path: Path) -> None:
    """Who comes to the site sees the newest, and not what was released last."""
    code, asked = deployed(tmp_path, "v0.9.7", published="dev\\n0.10 [latest]\\n0.9\\n")
    assert code == 0
    assert "--quiet deploy 0.9" in asked
    assert not [line for line in asked if "latest" in line]


def test_what_is_no_tag_of_a_release_publishes_nothing(tmp_path: Path) -> None:
    assert deployed(tmp_path, "v0.9", published="") == (2, [])
