"""Lines of the documents of fronts that others' clients speak to, run as they stand but for the port."""

import json
import re
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.foreign_clients import run
from tests.support.paths import ROOT
from tests.support.serving import Running

pytestmark = pytest.mark.slow  # starts other people's clients

FRONTS = ("openai", "tei", "ollama")
OVER_HTTP = (*FRONTS, "kserve")


def documented(pattern: str, fronts: Sequence[str] = FRONTS) -> list[tuple[str, str]]:
    """List the documents' blocks of a kind, beside the names of their fronts."""
    found = []
    for front in fronts:
        text = (ROOT / "docs" / "fronts" / f"{front}.md").read_text(encoding="utf-8")
        blocks = re.findall(pattern, text, re.MULTILINE | re.DOTALL)
        assert blocks
        found += [(front, block) for block in blocks]
    return found


@pytest.mark.parametrize(("front", "example"), documented(r"^```python clients\n(.*?)^```"))
def test_python_lines_run(shared: Running, tmp_path: Path, front: str, example: str) -> None:
    (tmp_path / "example.py").write_text(example.replace("http://127.0.0.1:8080", shared.http))
    assert "512" in run(tmp_path / "example.py")


@pytest.mark.parametrize(("front", "line"), documented(r"^curl [^\n]+", OVER_HTTP))
def test_curl_lines_run(shared: Running, front: str, line: str) -> None:
    command = shlex.split(line.replace("http://127.0.0.1:8080", shared.http))
    done = subprocess.run([*command, "--fail", "--silent"], capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout)
