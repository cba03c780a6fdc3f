"""The page of attacks agrees with its figures, and each file of attacks says which promise it attacks."""

import ast
import re
from pathlib import Path

import pytest

from tests.chaos.report import JSON, PAGE, Attack, Report, in_words, rendered
from tests.support.paths import ROOT

ATTACKS = sorted(path for path in (ROOT / "tests" / "chaos").glob("test_*.py"))


def test_the_page_shows_what_its_json_holds() -> None:
    """A change is followed by `python -m tests.chaos.report`."""
    page = PAGE.read_text(encoding="utf-8")
    assert rendered(page, Report.read(JSON)) == page


@pytest.mark.parametrize("file", ATTACKS, ids=lambda path: path.stem)
def test_an_attack_is_marked_named_and_says_what_it_attacks(file: Path) -> None:
    """Attacks are marked, else `make test` would run them; and the page names each file."""
    text = file.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text))
    assert re.search(r"^pytestmark = .*pytest\.mark\.chaos\b", text, re.MULTILINE)
    assert file.name in PAGE.read_text(encoding="utf-8")


def test_figures_are_kept_until_the_same_attack_runs_again(tmp_path: Path) -> None:
    """Figures of one machine stay; another one's don't mix with them."""
    file, machine = tmp_path / "report.json", {"processor": "a fast one", "cores": "2"}
    soak, storm = (Attack(f"test_{name}.py", "it holds", "short", {"lost": 0}) for name in ("soak", "storm"))
    Report.read(file, machine).with_attacks({"soak": soak}).write(file)
    Report.read(file, machine).with_attacks({"storm": storm}).write(file)
    assert list(Report.read(file, machine).attacks) == ["soak", "storm"]
    assert Report.read(file, machine | {"cores": "64"}).attacks == {}


def test_a_figure_says_its_unit() -> None:
    assert in_words({"calls": 12000, "growth_percent": 0.5, "p99_ratio": 1.25, "tls": "on"}) == (
        "calls 12,000; growth 0.5 %; p99 1.25 ×; tls on"
    )


@pytest.mark.parametrize("document", ["SECURITY.md", "docs/reliability.md"])
def test_a_test_that_is_named_is_there(document: str) -> None:
    """Tests of promises and of threats are there: the file, and the function where one is named."""
    named = re.findall(r"`(?:(tests/[\w/]*)?(test_\w+\.py)(?:::(test_\w+))?)`", (ROOT / document).read_text("utf-8"))
    assert len(named) > 8
    for folder, file, function in named:
        places = [ROOT / folder / file] if folder else [ROOT / "tests" / "chaos" / file]
        text = places[0].read_text("utf-8")
        assert not function or f"\ndef {function}(" in text, f"{file} has no {function}"
