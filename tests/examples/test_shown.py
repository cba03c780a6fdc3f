"""docs/examples.md: what it shows is what a reader sees."""

import os
import sys
from pathlib import Path

import pytest

from tests.support.ran import ran
from tests.support.serving import Running
from tests.support.shown import shown

from .notes import EXAMPLES

DOCUMENT = EXAMPLES.parent / "docs" / "examples.md"


@pytest.mark.ci
@pytest.mark.slow
def test_the_examples_print_what_is_shown(served: Running, tmp_path: Path) -> None:
    """Examples run one after the other, since a query needs its index."""
    (tmp_path / "examples").symlink_to(EXAMPLES)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"BOTHENDS_SERVER": served.target, "OMP_NUM_THREADS": "1", "PATH": path}
    lines = shown(DOCUMENT)
    programs = {line.command.split()[1] for line in lines if line.command.startswith("python ")}
    assert programs == {f"examples/{path.name}" for path in EXAMPLES.glob("*.py")}
    assert len(lines) > len(programs) + 2  # the commands
    for line in lines:
        ended = ran("bash", "-c", line.command, cwd=tmp_path, env=environment, check=True)
        assert line.is_outline_of(ended.stdout), ended.stdout
