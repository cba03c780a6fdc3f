"""`bothends search`: what it finds, by which model, kept in an index or not, and what it refuses."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bothends.cli.main import main
from bothends.model.bundle import Bundle
from tests.examples.notes import NOTES, TOPICS
from tests.support.ran import ran
from tests.support.serving import BOTHENDS
from tests.support.without import without

QUESTIONS = {
    "my loaf goes stale too quickly": TOPICS[0][0],
    "pets that are scared": TOPICS[7][0],
    "saving for retirement": TOPICS[4][30],
    "is there a way to see four moons": TOPICS[2][4],
    "learning to play an instrument": "My daughter wants to learn the cello.",
}
WHOLE = NOTES.read_text(encoding="utf-8").splitlines()


def search(*arguments: object, code: int = 0, text: str | None = None) -> Result:
    answer = CliRunner().invoke(main, ["search", *map(str, arguments)], input=text, env={"BOTHENDS_SERVER": ""})
    assert answer.exit_code == code, answer.output
    return answer


def hits(printed: str) -> list[list[dict[str, Any]]]:
    """Return the hits of each query."""
    return [json.loads(line)["hits"] for line in printed.splitlines()]


def test_a_search_finds_what_was_meant() -> None:
    """The line that a person would name stands first, or second to the same in other words."""
    found = hits(search(NOTES, *QUESTIONS, "--top", 3, "--json").stdout)
    for best, each in zip(QUESTIONS.values(), found, strict=True):
        assert len(each) == 3
        assert best in [hit["text"] for hit in each[:2]]
        assert [hit["score"] for hit in each] == sorted((hit["score"] for hit in each), reverse=True)
        assert all(WHOLE[hit["row"]] == hit["text"] for hit in each)


def test_words_find_what_vectors_miss(tmp_path: Path) -> None:
    """A number is in few sentences' meaning, and in one sentence's words."""
    lines = [f"Invoice {number} is due at the end of the month." for number in range(4700, 4760)]
    (tmp_path / "invoices.txt").write_text("\n".join(lines), encoding="utf-8")
    (found,) = hits(search(tmp_path / "invoices.txt", "what about 4711?", "--hybrid", "--top", 1, "--json").stdout)
    assert found[0]["row"] == 11


def test_a_long_text_is_found_by_a_piece_of_it(tmp_path: Path) -> None:
    """What stands in its middle counts as much as the whole; a line says what was done."""
    (bread, finance), index = (TOPICS[0], TOPICS[4]), tmp_path / "index"
    texts = [" ".join([*bread[:12], "Our dog is afraid of thunder.", *finance[:12]]), *bread[12:20], *finance[12:20]]
    (tmp_path / "texts.txt").write_text("\n".join(texts), encoding="utf-8")
    asked = [tmp_path / "texts.txt", "pets that are scared", "--top", 17, "--json", "--index", index]
    pieces = round(len(texts[0].split()) / 30)
    answer, whole, hybrid = search(*asked), search(*asked, "--pieces", 0), search(*asked, "--hybrid")
    (found,), (by_whole,) = hits(answer.stdout), hits(whole.stdout)
    assert found[0]["row"] == 0
    (long,) = (hit for hit in by_whole if hit["row"] == 0)
    assert found[0]["score"] > long["score"] + 0.05
    assert [hit for hit in by_whole if hit["row"]] == [
        hit for hit in found if hit["row"]
    ]  # which are no longer than one
    told = f"17 rows, 1 of them also in {pieces} pieces of about 30 words; ranked by meaning"
    assert answer.stderr.splitlines() == [told]
    assert hybrid.stderr.splitlines() == [f"{index}: the vectors are there", f"{told} and words"]
    assert whole.stderr.splitlines() == [f"{index}: the vectors are there", "17 rows; ranked by meaning"]


def test_queries_come_from_a_pipe() -> None:
    (piped,) = hits(search(NOTES, "-", "--json", text="saving for retirement\n\n").stdout)
    assert [piped] == hits(search(NOTES, "saving for retirement", "--json").stdout)
    assert search(NOTES, "--json", text="").stdout == ""


def test_columns_are_shown_beside_what_is_found(tmp_path: Path) -> None:
    """A row that can't be embedded is told, and never found."""
    (tmp_path / "r.csv").write_text("id,text\n7,there will be dragons\n8,\n9,\x01\n", encoding="utf-8")
    answer = search(tmp_path / "r.csv", "dragon", "--column", "text", "--keep", "id", "--json")
    assert hits(answer.stdout)[0][0] | {"score": None} == {
        "row": 0, "score": None, "text": "there will be dragons", "id": "7"
    }  # fmt: skip
    assert len(hits(answer.stdout)[0]) == 1
    assert answer.stderr == "1 of 3 rows can't be embedded\n1 row; ranked by meaning\n"
    shown = search(tmp_path / "r.csv", "dragon", "--column", "text", "--keep", "id").stdout
    assert "row 0  7  there will be dragons" in shown


def test_an_index_is_made_once_and_kept_up_to_date(tmp_path: Path, toy_bundle: Bundle) -> None:
    """It is read again while file and model are those that made it, and is one file's only."""
    notes, index = tmp_path / "notes.txt", tmp_path / "notes.index"
    notes.write_text("\n".join(WHOLE), encoding="utf-8")
    asked = ["saving for retirement", "--index", index, "--json"]
    first = search(notes, *asked)
    made = (index / "vectors.npy").stat().st_mtime_ns
    again = search(notes, *asked)
    told = "248 rows; ranked by meaning\n"
    assert (first.stderr, again.stderr) == (told, f"{index}: the vectors are there\n{told}")
    assert again.stdout == first.stdout
    assert (index / "vectors.npy").stat().st_mtime_ns == made
    notes.write_text("Put money aside for your pension.", encoding="utf-8")
    changed = search(notes, *asked)
    assert changed.stderr.startswith(f"{index}: another sha256 than when it was made; the file is embedded anew\n")
    assert [hit["text"] for hit in hits(changed.stdout)[0]] == ["Put money aside for your pension."]
    other = search(notes, *asked, "--bundle", toy_bundle.path)
    assert "another model than when it was made" in other.stderr
    assert "is the index of" in search(NOTES, *asked, code=1).stderr
    assert "holds other files; name a new folder" in search(notes, "a", "--index", tmp_path, code=1).stderr


@pytest.mark.slow
def test_a_graph_of_neighbours_is_kept_beside_the_vectors(tmp_path: Path) -> None:
    """It finds what a look at every row finds, is made once, and goes when the file changes."""
    pytest.importorskip("faiss", reason="faiss is missing: pip install faiss-cpu")
    notes, index = tmp_path / "notes.txt", tmp_path / "notes.index"
    notes.write_text("\n".join(WHOLE), encoding="utf-8")
    asked = [*QUESTIONS, "--index", index, "--json", "--top", 5]
    exact, first = (hits(search(notes, *asked, *flags).stdout) for flags in ([], ["--approximate"]))
    assert [[hit["row"] for hit in each] for each in first] == [[hit["row"] for hit in each] for each in exact]
    again = search(notes, *asked, "--approximate")
    assert hits(again.stdout) == first
    assert again.stderr.splitlines()[1:] == ["248 rows; ranked by meaning, approximately"]
    notes.write_text("\n".join(WHOLE[:40]), encoding="utf-8")
    assert "making the graph of 40 rows" in search(notes, *asked, "--approximate").stderr


@pytest.mark.slow
def test_what_a_graph_does_not_lead_to_is_not_shown(tmp_path: Path) -> None:
    """Among rows that are all alike it comes to some alone: those are listed, and nothing in the others' place."""
    pytest.importorskip("faiss", reason="faiss is missing: pip install faiss-cpu")
    alike = tmp_path / "alike.txt"
    alike.write_text("a dog barks\nthe house is old\n" * 100, encoding="utf-8")
    (found,) = hits(search(alike, "dogs", "--approximate", "--top", 200, "--json").stdout)
    assert 0 < len(found) < 200
    assert {hit["row"] for hit in found} <= set(range(200))


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([NOTES, " "], 2, "the query ' ' is empty"),
        (["missing.foo", "a"], 1, "missing.foo can't be read: No such file or directory"),
        ([NOTES.parent, "a"], 1, f"{NOTES.parent} is a folder; name the file in it"),
        ([os.devnull, "a", "--input-format", "txt"], 1, f"{os.devnull} has no rows; nothing was embedded"),
        ([NOTES, "a", "-"], 2, "- stands for all queries: give it alone"),
        ([NOTES, "a", "--dimensions", 100], 1, "100 dimensions can't be had; this model offers"),
        ([NOTES, "a", "--column", "text"], 2, "a text file has no columns"),
        ([NOTES, "a", "--hybrid", "--approximate"], 2, "give one of them"),
        ([NOTES, "a", "--pieces", 30, "--approximate"], 2, "give one of them"),
        ([NOTES, "a", "--index", "/nowhere/at/all"], 1, "/nowhere/at/all can't be written"),
    ],
    ids=str,
)
def test_a_mistake_is_one_clear_line(arguments: list[object], code: int, said: str) -> None:
    last = search(*arguments, code=code).stderr.splitlines()[-1]
    assert last.startswith("Error: ")
    assert said in last


def test_a_file_without_text_ends_with_one(tmp_path: Path) -> None:
    """With an index, the reasons stay beside it."""
    (tmp_path / "blank.txt").write_text("\n \n", encoding="utf-8")
    told = f"Error: no row of {tmp_path}/blank.txt holds text that can be embedded; is this a text file?"
    assert search(tmp_path / "blank.txt", "a", code=1).stderr == f"{told}\n"
    indexed = search(tmp_path / "blank.txt", "a", "--index", tmp_path / "index", code=1)
    assert indexed.stderr == f"{told} {tmp_path}/index/vectors.npy.bad.jsonl says why of each.\n"
    assert (tmp_path / "index" / "vectors.npy.bad.jsonl").is_file()


@pytest.mark.parametrize(
    ("query", "flag"),
    [("", None), *(pytest.param("a", flag, marks=pytest.mark.slow) for flag in ("--approximate", "--hybrid"))],
)
def test_what_cant_be_searched_is_told_before_the_file_is_embedded(
    tmp_path: Path, query: str, flag: str | None
) -> None:
    """Files are long: a query without a word, and a package that isn't installed."""
    asked = [str(NOTES), query, "--index", str(tmp_path / "index"), *([flag] if flag else [])]
    code = without("faiss", "bm25s")
    ended = ran(sys.executable, "-c", code, "search", *asked, env={**os.environ, "BOTHENDS_SERVER": ""})
    assert ended.returncode == (1 if flag else 2)
    assert ended.stderr.startswith(
        f"Error: bothends search {flag or ''}".rstrip() if flag == "--approximate" else "Error: "
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_reader_that_has_enough_ends_it() -> None:
    """As `head` does."""
    command = '"$0" search "$1" pets dogs cats --json | head -n 1'
    ended = ran("bash", "-c", command, BOTHENDS, NOTES, check=True)
    assert len(ended.stdout.splitlines()) == 1
    assert "Traceback" not in ended.stderr
