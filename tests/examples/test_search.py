"""examples/search.py: what it finds, and what it refuses to compare."""

import re
from pathlib import Path

import pytest

from bothends.model.bundle import Bundle
from tests.support.serving import Running, answered, finish, start

from .conftest import Run, output, refusal
from .notes import LINES, NOTES

pytestmark = pytest.mark.slow  # starts a server of two models


def hits(printed: str) -> list[tuple[float, int, str]]:
    """Return what query prints: similarity, line number, line."""
    found = [re.fullmatch(r" *(-?\d\.\d\d)  [\w.]+:(\d+) +(.*)", line) for line in printed.splitlines()]
    return [(float(hit[1]), int(hit[2]), hit[3]) for hit in found if hit]


def test_an_index_takes_in_only_what_changed(run: Run, served: Running, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("\n".join(LINES))
    assert output(run("search.py", "index", notes)) == "notes.db: 248 lines added, 0 removed, 0 kept\n"
    before = answered(served)
    assert output(run("search.py", "index", notes)) == "notes.db: 0 lines added, 0 removed, 248 kept\n"
    assert answered(served) == before
    notes.write_text("\n".join(["A whale sang below the ice.", *LINES[1:]]))
    assert output(run("search.py", "index", notes)) == "notes.db: 1 lines added, 1 removed, 247 kept\n"
    assert answered(served) == before + 1
    assert hits(output(run("search.py", "query", "A whale sang below the ice.", "--top", "1"))) == [
        (1.0, 1, "A whale sang below the ice.")
    ]
    left = hits(output(run("search.py", "query", LINES[0], "--top", "248")))
    assert len(left) == 248  # the vector that went isn't among the nearest either
    assert LINES[0] not in [line for *_, line in left]


def test_vectors_of_another_version_are_refused(run: Run, toy_bundle: Bundle, english: Bundle) -> None:
    """A query and an index refuse them; the index leaves the lines as they were."""
    output(run("search.py", "index", NOTES))
    other = start("--bundle", str(toy_bundle.path))
    try:
        line = (
            f"Error: notes.db holds vectors of model version {english.config.version}, and the server has "
            f"{toy_bundle.config.version}: they can't be compared. Delete notes.db and index again"
        )
        assert refusal(run("search.py", "query", "bread", "--server", other.target)) == line
        assert refusal(run("search.py", "index", NOTES, "--server", other.target)) == line
    finally:
        finish(other)
    assert output(run("search.py", "index", NOTES)).endswith("0 lines added, 0 removed, 248 kept\n")


def test_a_bad_line_is_named_and_nothing_is_stored(run: Run, tmp_path: Path) -> None:
    notes = tmp_path / "mine.txt"
    notes.write_text("A good line.\n")
    output(run("search.py", "index", notes))
    notes.write_text("Another one.\n\n\x01\n")
    assert refusal(run("search.py", "index", notes)).startswith(f"Error: line 3 of {notes} holds nothing")
    assert [line for *_, line in hits(output(run("search.py", "query", "line")))] == ["A good line."]
