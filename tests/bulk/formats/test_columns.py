"""Column of the sentences: a guess is shown, and one that is missing is told of."""

import json
from pathlib import Path

import pytest

from tests.bulk.conftest import Embed


@pytest.mark.parametrize(
    ("content", "name", "column"),
    [
        ("text\ndragons\n", "a.csv", "text"),
        ("n,Sentence,m\n1,dragons,2\n", "a.csv", "Sentence"),
        ('{"n": 1, "body": "dragons"}\n', "a.jsonl", "body"),
    ],
)
def test_a_guess_is_shown(embed: Embed, tmp_path: Path, content: str, name: str, column: str) -> None:
    (tmp_path / name).write_text(content)
    assert embed("--input", tmp_path / name).stderr == f"column: {column}\n"


def test_a_first_row_without_the_column_is_told(embed: Embed, tmp_path: Path) -> None:
    """Most likely the name is wrong; but it may come later."""
    (tmp_path / "a.jsonl").write_text('{"id": 1}\n{"text": "dragons"}\n')
    said = embed("--input", tmp_path / "a.jsonl", "--column", "text").stderr.splitlines()
    assert said[0] == "Warning: the first row has no 'text'; it has 'id'"
    assert json.loads(said[1]) == {"row": 0, "reason": "has no column 'text'"}
