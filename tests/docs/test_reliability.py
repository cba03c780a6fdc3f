"""The page of attacks agrees with its figures, and each file of attacks says which promise it attacks."""

import ast
import re
from pathlib import Path

import pytest

from tests.chaos.report import JSON, PAGE, Report, costs_beside, rendered
from tests.support.paths import ROOT

ATTACKS = sorted(path for path in (ROOT / "tests" / "chaos").glob("test_*.py"))


def test_the_page_shows_what_its_json_holds() -> None:
    """A change is followed by `python -m tests.chaos.report`."""
    page = PAGE.read_text(encoding="utf-8")
    assert rendered(page, Report.read(JSON), Report.read(costs_beside(JSON))) == page


@pytest.mark.parametrize("file", ATTACKS, ids=lambda path: path.stem)
def test_an_attack_is_marked_named_and_says_what_it_attacks(file: Path) -> None:
    """Attacks are marked, else `make test` would run them; and the page names each file."""
    text = file.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text))
    assert re.search(r"^pytestmark = .*pytest\.mark\.chaos\b", text, re.MULTILINE)
    assert file.name in PAGE.read_text(encoding="utf-8")


def test_the_page_says_which_attacks_continuous_integration_runs() -> None:
    """Files that measure nothing, and those that `.ci/run` picks by words among the others."""
    picked = re.findall(r"-m 'chaos and timing' -k ('[^']+'|\w+)", (ROOT / ".ci" / "run").read_text("utf-8"))
    chosen = [each.partition(" and ")[0] for words in picked for each in words.strip("'").split(" or ")]
    (sentence,) = re.findall(r"^Continuous integration .*?\balone\.", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    run = {
        file.name
        for file in ATTACKS
        if "pytest.mark.timing" not in file.read_text("utf-8") or any(word in file.stem for word in chosen)
    }
    assert set(re.findall(r"test_\w+\.py", sentence)) == run


@pytest.mark.parametrize("document", ["SECURITY.md", "docs/reliability.md"])
def test_a_test_that_is_named_is_there(document: str) -> None:
    """Tests of promises and of threats are there: the file, and the function where one is named."""
    named = re.findall(r"`(?:(tests/[\w/]*)?(test_\w+\.py)(?:::(test_\w+))?)`", (ROOT / document).read_text("utf-8"))
    assert len(named) > 8
    for folder, file, function in named:
        places = [ROOT / folder / file] if folder else [ROOT / "tests" / "chaos" / file]
        text = places[0].read_text("utf-8")
        assert not function or f"\ndef {function}(" in text, f"{file} has no {function}"
