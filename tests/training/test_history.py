"""A run's scores by steps, as a table."""

import json
import subprocess
import sys
from pathlib import Path

from bothends_training.history import table
from tests.support import toy

from .runs import run


def test_a_run_is_a_table(tmp_path: Path) -> None:
    """A row for each evaluation, under what was scored; the command prints it for each checkpoint."""
    toy.write(tmp_path)
    history = run(toy.recipe(), tmp_path, tmp_path / "out")
    command: list[str | Path] = [sys.executable, "-m", "bothends_training.history", tmp_path / "out", tmp_path / "out"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    head, _, *rows = table(history, ()).splitlines()
    assert head == "| step | loss | dev |"
    assert [row.split(" | ")[0] for row in rows] == [f"| {entry['step']}" for entry in history]
    assert rows[-1] == f"| 20 | {history[-1]['loss']:.3f} | {history[-1]['dev']:.2f} |"
    assert printed.count("\n".join(rows)) == 2
    name = json.loads((tmp_path / "out" / "config.json").read_text())["name"]
    assert printed.startswith(f"{name}: 20 steps in 0.0 h\n")


def test_another_folder_is_refused(tmp_path: Path) -> None:
    """In one line that names it."""
    command: list[str | Path] = [sys.executable, "-m", "bothends_training.history", tmp_path]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr.startswith(f"Error: {tmp_path} is no checkpoint that `bothends train` left: ")
    assert said.stderr.count("\n") == 1


def test_held_out_sources_are_one_mean() -> None:
    """What one evaluation lacks stays empty, and numbers of any size are read at a glance."""
    found = table([{"step": 0, "a": 1.0, "cacm": 4, "b": 2.5}, {"step": 12_000, "loss": 0.4, "a": 2.0}], ("a", "b"))
    assert found.splitlines()[0] == "| step | held out | cacm | loss |"
    assert found.splitlines()[2:] == ["| 0 | 1.75 | 4.00 |  |", "| 12,000 | 2.00 |  | 0.400 |"]
