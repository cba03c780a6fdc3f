"""Classes of docs/from-sentence-transformers.md run under the frameworks that they are for."""

import re
import sysconfig
from pathlib import Path

import pytest

from tests.server.fronts.openai.test_clients import run
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow  # starts other people's frameworks

DOCUMENT = ROOT / "docs" / "from-sentence-transformers.md"
EXAMPLES = re.findall(r"^```python in-process\n(.*?)^```", DOCUMENT.read_text("utf-8"), re.MULTILINE | re.DOTALL)
OURS = f"import sys\nsys.path[:0] = {[str(ROOT / 'service'), sysconfig.get_path('purelib')]}\n"
"""Code that finds our packages, and what they need, before those of the frameworks' environment."""


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 2


@pytest.mark.parametrize("example", EXAMPLES, ids=("langchain", "haystack"))
def test_it_embeds(tmp_path: Path, example: str) -> None:
    (tmp_path / "example.py").write_text(OURS + example, encoding="utf-8")
    assert run(tmp_path / "example.py") == "512\n"
