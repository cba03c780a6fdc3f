"""README and the index: figures are those of record, what commands print is what is shown, no page is missing."""

import json
import os
import re
import shlex
from typing import Any

from bothends.engines.native_parts import Speeds
from bothends.model.bundle import Bundle, default_path
from bothends.server.server import Server
from tests.support.paths import ROOT
from tests.support.ran import ran
from tests.support.serving import BOTHENDS
from tests.support.shown import shown

README = ROOT / "README.md"
TEXT = README.read_text(encoding="utf-8")
CARD = (ROOT / "service" / "bothends" / "models" / "english" / "README.md").read_text(encoding="utf-8")
INDEX = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")


def record(name: str) -> dict[str, Any]:
    """What the benchmark wrote."""
    found: dict[str, Any] = json.loads((ROOT / "benchmarks" / f"{name}.json").read_text(encoding="utf-8"))
    return found


def test_its_speeds_are_those_of_record() -> None:
    """Sentences a second stand in benchmarks/encoder.json, as `benchmarks/quality.py` wrote them."""
    rates = {model["name"]: model["sentences_per_s"] for model in record("encoder")["models"]}
    ours, mini, int8 = (rates[name] for name in ("bothends", "all-MiniLM-L6-v2", "all-MiniLM-L6-v2, int8"))
    assert f"it reads {ours:,} sentences a second, and all-MiniLM-L6-v2 reads {mini} ({int8} in int8)" in TEXT
    assert "some twenty times as many sentences a second" in TEXT
    assert 18 <= ours / mini < 25
    assert "they are twelve times as fast again" in TEXT
    assert round(rates["averaged token vectors"] / ours) == 12


def test_its_scores_are_those_of_record() -> None:
    """Scores on test sets stand in benchmarks/quality.json; none of a dev split is shown beside them."""
    scores = {
        model["name"]: model["scores"]
        for found in (record("quality")["published"], reversed(record("quality")["measured"]["models"]))
        for model in found  # of our sizes the largest is the last
    }
    rows = {cells[1].strip(" *"): cells[2:4] for line in TEXT.splitlines() if len(cells := line.split("|")) > 5}
    for row, name in (
        ("static vectors: potion-base-32M of model2vec", "potion-base-32M"),
        ("bothends", "bothends"),
        ("transformer: all-MiniLM-L6-v2", "all-MiniLM-L6-v2"),
    ):
        mean = sum(scores[name][f"STS{year}"] for year in (12, 13, 14, 15)) / 4
        assert [cell.strip() for cell in rows[row]] == [f"{scores[name]['STS-B test']:.1f}", f"{mean:.1f}"]
    assert "STS-B's test set: 82.0, and MiniLM's 82.0." in TEXT
    assert f"mdbr-leaf-mt publishes {scores['mdbr-leaf-mt']['STS-B test']:.1f} on STS-B" in TEXT
    assert " dev" not in TEXT.replace("a dev", "")


def test_the_gap_on_other_kinds_of_text_is_told_as_it_is() -> None:
    """Both means are those of the model's card, in the last column of its first table."""
    rows = [cells for line in CARD.splitlines() if len(cells := line.split("|")) == 8]
    ours, theirs = (
        next(f"{float(cells[6]):.1f}" for cells in rows if cells[1].strip() == name)
        for name in ("this model, 512 numbers", "all-MiniLM-L6-v2")
    )
    assert f"correlates with all-mpnet-base-v2's by {theirs}, and that of bothends by {ours}" in TEXT.replace("\n", " ")


def test_the_card_is_of_the_packaged_model() -> None:
    """A new bundle is measured before it is packaged."""
    config = Bundle.open(default_path()).config
    assert f"\n{config.name} {config.version}, " in CARD


def test_without_the_native_parts_it_is_as_slow_as_it_says() -> None:
    """The service carries the benchmark's figures."""
    speeds = Speeds.of_record()
    assert "answers about a sixth of the sentences" in TEXT
    assert 5 < speeds.native / speeds.onnxruntime < 7


def test_int8_is_as_much_faster_as_it_says() -> None:
    """The engine's best schedule on one core, as `make bench` wrote it; the card has the scores."""
    measured = json.loads((ROOT / "benchmarks" / "performance.json").read_text(encoding="utf-8"))
    best = {
        each["engine"]: max(found["sentences_per_s"] for found in each["schedules"] if found["threads"] == 1)
        for each in measured["ceilings"]
    }
    assert "**Three times as fast again** with `--precision int8`, at the same [scores]" in " ".join(TEXT.split())
    assert round(best["native int8"] / best["native float32"]) == 3
    rows = {cells[1].strip(): cells[2:4] for line in CARD.splitlines() if len(cells := line.split("|")) > 4}
    scores = {name: [f"{float(cell):.1f}" for cell in rows[name]] for name in ("float32", "int8")}
    assert scores["int8"] == scores["float32"]


def test_commands_print_what_is_shown(server: Server) -> None:
    """The banner has these lines; `embed` prints these cosines."""
    serve, embed = shown(README)
    assert serve.command == "make serve\n"
    assert [line.split()[0] for line in serve.output.splitlines()] == [
        line.split()[0] for line in server.banner().splitlines()
    ]
    environment = os.environ | {"BOTHENDS_SERVER": f"127.0.0.1:{server.port}"}
    command = shlex.split(embed.command)[1:]
    printed = ran(BOTHENDS, *command, check=True, env=environment).stdout
    assert embed.is_outline_of(printed), printed


def test_the_index_has_every_page() -> None:
    """Pages of docs/ are in the index, each once; decisions as a folder, and the site's own not at all."""
    pages = [path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")]
    wanted = sorted(page for page in pages if not page.startswith(("decisions/", "site/")) and page != "README.md")
    listed = re.findall(r"^\|[^|]*\|", INDEX, re.MULTILINE)
    found = sorted(target for cell in listed for target in re.findall(r"\]\(([\w/-]+\.md)\)", cell))
    assert found == wanted


def test_the_index_of_decisions_has_each_and_says_how_it_stands() -> None:
    """A row a decision: its number, its title, and whether it is accepted or replaced, as its own page says."""
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| (\d+) \| \[(.+?)\]\(([\w-]+\.md)\) \| (accepted|replaced)", index, re.MULTILINE)
    standing = re.compile(r"# (\d+)\. (.+)\n\n\*\*Status:\*\* (accepted|replaced)")
    found = [(page.name, standing.match(page.read_text(encoding="utf-8"))) for page in sorted(folder.glob("0*.md"))]
    assert listed == [(*page[1].group(1, 2), page[0], page[1].group(3)) for page in found if page[1] is not None]
    assert all(head is not None for _, head in found), found
