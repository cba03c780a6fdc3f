"""`bothends deduplicate` finds what is said again, and nothing else."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bothends.cli.main import main
from tests.examples.notes import LINES, NOTES, planted


def deduplicate(*arguments: object, code: int = 0) -> Result:
    answer = CliRunner().invoke(main, ["deduplicate", *map(str, arguments)], env={"BOTHENDS_SERVER": ""})
    assert answer.exit_code == code, answer.output
    return answer


def test_planted_repetitions_are_found_and_nothing_else() -> None:
    """For people as a list, for programs as JSON lines."""
    answer = deduplicate(NOTES)
    listed: dict[str, set[str]] = {}
    for group in answer.stdout.strip().split("\n\n"):
        leader, *others = [line.split(": ", 1)[1] for line in group.splitlines()]
        listed[leader] = set(others)
    assert listed == planted()
    assert answer.stderr == "248 sentences: 224 stay, 24 repeat one of them\n"
    groups = [json.loads(line) for line in deduplicate(NOTES, "--json").stdout.splitlines()]
    assert {group["text"]: {each["text"] for each in group["repeats"]} for group in groups} == planted()
    assert all(
        0.8 <= each["score"] <= 1 and each["row"] > group["row"] for group in groups for each in group["repeats"]
    )


def test_what_stays_is_printed_in_order(tmp_path: Path) -> None:
    gone = {line for group in planted().values() for line in group}
    assert deduplicate(NOTES, "--unique").stdout.splitlines() == [line for line in LINES if line not in gone]
    (tmp_path / "twice.txt").write_text("One line.\nOne line.\nNo other.\n", encoding="utf-8")
    assert deduplicate(tmp_path / "twice.txt", "--unique", "--threshold", 1).stdout == "One line.\nNo other.\n"
    rows = deduplicate(tmp_path / "twice.txt", "--unique", "--threshold", 1, "--json").stdout
    assert [json.loads(line)["row"] for line in rows.splitlines()] == [0, 2]


def test_it_shares_an_index_with_search(tmp_path: Path) -> None:
    """Whose pieces of long texts repeat nothing here."""
    long, index = tmp_path / "long.txt", tmp_path / "index"
    long.write_text("\n".join([" ".join(LINES[:20]), *LINES[:20]]), encoding="utf-8")
    alone = deduplicate(long)
    answer = CliRunner().invoke(main, ["search", str(long), "pets", "--index", str(index)])
    assert "1 of them also in" in answer.stderr
    shared = deduplicate(long, "--index", index)
    assert shared.stdout == alone.stdout
    assert shared.stderr == f"{index}: the vectors are there\n{alone.stderr}"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([os.devnull, "--input-format", "txt"], 1, f"Error: {os.devnull} has no rows; nothing was embedded"),
        (["nothing.txt"], 1, "nothing.txt can't be read: No such file or directory"),
        ([NOTES, "--threshold", 0], 2, "--threshold"),
    ],
    ids=str,
)
def test_a_mistake_is_one_clear_line(arguments: list[object], code: int, said: str) -> None:
    assert said in deduplicate(*arguments, code=code).stderr.splitlines()[-1]
