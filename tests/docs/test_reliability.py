"""The page of attacks agrees with its figures, and each file of attacks says which promise it attacks."""

import ast
import re
from pathlib import Path

import pytest

from tests.chaos.report import JSON, PAGE, Attack, Report, costs_beside, in_words, keep, rendered
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


def test_figures_are_kept_until_the_same_attack_runs_again(tmp_path: Path) -> None:
    """Figures of one machine stay; another one's don't mix with them."""
    file, machine = tmp_path / "report.json", {"processor": "a fast one", "cores": "2"}
    soak, storm = (Attack(f"test_{name}.py", "it holds", "short", {"lost": 0}) for name in ("soak", "storm"))
    Report.read(file, machine).with_attacks({"soak": soak}).write(file)
    Report.read(file, machine).with_attacks({"storm": storm}).write(file)
    assert list(Report.read(file, machine).attacks) == ["soak", "storm"]
    assert Report.read(file, machine | {"cores": "64"}).attacks == {}


def test_figures_of_costs_are_kept_beside_the_others(tmp_path: Path) -> None:
    """Figures of another machine stay in one file where only attacks of the other one ran."""
    file, other = tmp_path / "report.json", {"processor": "another", "cores": "64"}
    soak = Attack("test_soak.py", "it holds", "long", {"lost": 0})
    Report.read(file, other).with_attacks({"soak": soak}).write(file)
    keep({"floods": Attack("test_floods.py", "it holds", "short", {"lost": 0, "back_s": 1.5})}, file)
    assert list(Report.read(file).attacks) == ["soak"]
    assert Report.read(file).machine == other
    assert list(Report.read(costs_beside(file)).attacks) == ["floods"]


def test_a_figure_says_its_unit() -> None:
    assert in_words({"calls": 12000, "growth_percent": 0.5, "p99_ratio": 1.25, "tls": "on"}) == (
        "calls 12,000; growth 0.5 %; p99 1.25 ×; tls on"
    )


def test_an_attack_that_says_what_it_cost_stands_in_the_table_of_costs() -> None:
    """Figures have columns of their own, what isn't measured is a dash, and what has no column stands in the last."""
    said: dict[str, float | str] = {"lost": 0, "sent_bytes": 277, "before": "nobody answered", "grew_mb": 2.5}
    measured = said | {"kept_mb": 1, "others_p50_alone_ms": 0.5, "others_p50_ms": 0.75, "back_s": 1.5, "held": 800}
    report = Report(
        {"processor": "a fast one", "cores": "2"}, {"floods": Attack("test_floods.py", "", "short", measured)}
    )
    row = report.costs().splitlines()[-1]
    assert row.startswith(
        "| [floods](../tests/chaos/test_floods.py) | 277 bytes | nobody answered | 2.5 MB and 1 MB "
        "| 0.5 ms → 0.75 ms | – | 0 | 1.5 s | held 800 | short"
    )
    assert "floods" not in report.promises()


def test_the_page_says_which_attacks_continuous_integration_runs() -> None:
    """Files that measure nothing, and those that `.ci/run` picks by words among the others."""
    picked = re.findall(r"-m 'chaos and timing' -k '?([\w -]+)['\"]", (ROOT / ".ci" / "run").read_text("utf-8"))
    chosen = [each.partition(" and ")[0] for words in picked for each in words.split(" or ")]
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
