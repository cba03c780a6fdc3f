"""Failures of the examples: each says in a line what it can't do, and what to do."""

from pathlib import Path

import pytest

from .conftest import Run, output, refusal
from .notes import EXAMPLES, NOTES

NOBODY = "127.0.0.1:1"


@pytest.mark.parametrize(
    ("example", "arguments"),
    [("search.py", ["index", NOTES]), ("cluster.py", [NOTES])],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_no_server_is_one_line(run: Run, example: str, arguments: list[Path]) -> None:
    line = refusal(run(example, *arguments, "--server", NOBODY))
    assert line.startswith(f"Error: no bothends server answers at {NOBODY}: ")


def test_a_missing_file_and_a_bad_line_are_named(run: Run) -> None:
    example = "cluster.py"
    missing = run(example, "nothing.txt")
    assert missing.returncode == 2
    assert missing.stderr.endswith("Error: Invalid value for 'FILE': 'nothing.txt': No such file or directory\n")
    bad = run(example, "-", text="\n".join([*"abcdefgh", "\x01"]))
    assert refusal(bad).startswith("Error: line 9 of <stdin> holds nothing")


@pytest.mark.slow
def test_what_search_and_cluster_cannot_use_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("One line.\n")
    (tmp_path / "latin.txt").write_bytes("café\n".encode("latin-1"))
    assert (
        refusal(run("search.py", "index", "nothing.txt")) == "Error: can't read nothing.txt: No such file or directory"
    )
    assert "can't read latin.txt: 'utf-8' codec can't decode byte 0xe9" in refusal(
        run("search.py", "index", "latin.txt")
    )
    assert refusal(run("search.py", "query", "bread")) == (
        "Error: there is no notes.db; make it with: search.py index FILE --db notes.db"
    )
    assert refusal(run("search.py", "query", "bread", "--db", "words.txt")) == (
        "Error: words.txt can't be used as an index: file is not a database"
    )
    assert refusal(run("cluster.py", "words.txt")) == "Error: words.txt has 1 different lines, too few for 8 clusters"
    unwritable = run("cluster.py", NOTES, "--plot", "nowhere/clusters.png")
    assert unwritable.stderr == "Error: can't write nowhere/clusters.png: No such file or directory\n"


@pytest.mark.parametrize("example", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_each_says_what_it_does(run: Run, example: str) -> None:
    assert output(run(example, "--help")).startswith(f"Usage: {example} [OPTIONS] ")
