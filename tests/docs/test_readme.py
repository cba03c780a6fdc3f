"""README and the index: figures are those of record, what commands print is what is shown, no page is missing."""

import json
import os
import re
import shlex
import subprocess

from bothends.server.server import Server
from tests.support.paths import ROOT
from tests.support.serving import BOTHENDS
from tests.support.shown import shown

README = ROOT / "README.md"
TEXT = README.read_text(encoding="utf-8")
INDEX = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")


def test_its_figures_are_those_of_record() -> None:
    """Scores and speeds stand in benchmarks/encoder.json, as `benchmarks/quality.py` wrote them."""
    record = json.loads((ROOT / "benchmarks" / "encoder.json").read_text(encoding="utf-8"))
    ours, _, _, mini, mini_int8 = record["models"]
    names = ("bothends", "all-MiniLM-L6-v2", "all-MiniLM-L6-v2, int8")
    assert (ours["name"], mini["name"], mini_int8["name"]) == names
    for model in (ours, mini, mini_int8):
        assert f"{model['sentences_per_s']:,}" in TEXT
    best = [[f"{max(scores.values()):.1f}" for scores in model["scores"].values()] for model in (ours, mini, mini_int8)]
    (stsb, sick), theirs, in_int8 = best
    assert f"scores {stsb} on STS-B dev and {sick} on SICK dev" in TEXT
    assert f"MiniLM {theirs[0]} and {theirs[1]}, or {in_int8[0]} and {in_int8[1]} in int8" in TEXT


def test_int8_is_as_much_faster_as_it_says() -> None:
    """The engine's best schedule on one core, as `make bench` wrote it; the card has the scores."""
    measured = json.loads((ROOT / "benchmarks" / "performance.json").read_text(encoding="utf-8"))
    best = {
        each["engine"]: max(found["sentences_per_s"] for found in each["schedules"] if found["threads"] == 1)
        for each in measured["ceilings"]
    }
    assert "`--precision int8` reads three times as many, at the same scores" in TEXT
    assert round(best["native int8"] / best["native float32"]) == 3
    card = (ROOT / "service" / "bothends" / "models" / "english" / "README.md").read_text(encoding="utf-8")
    rows = {cells[1].strip(): cells[2:4] for line in card.splitlines() if len(cells := line.split("|")) > 4}
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
    command = [BOTHENDS, *shlex.split(embed.command)[1:]]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    assert embed.is_outline_of(printed), printed


def test_the_index_has_every_page() -> None:
    """Pages of docs/ are in the index, each once; decisions as a folder."""
    pages = [path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")]
    wanted = sorted(page for page in pages if not page.startswith("decisions/") and page != "README.md")
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


def test_readme_leads_to_the_four_paths() -> None:
    paths = re.findall(r"^\*\*\[([^]]+)\]\(docs/README\.md#([\w-]+)\)\*\*", TEXT, re.MULTILINE)
    assert [name.lower().replace(" ", "-") for name, _ in paths] == [anchor for _, anchor in paths]
    assert [name for name, _ in paths] == re.findall(r"^## (.+)$", INDEX, re.MULTILINE)
