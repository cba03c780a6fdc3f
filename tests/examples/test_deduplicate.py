"""examples/deduplicate.py finds what is said again, and nothing else."""

import importlib.util
from types import ModuleType

import numpy as np
import pytest

from .conftest import Run, output
from .notes import EXAMPLES, LINES, NOTES, planted


def test_planted_repetitions_are_found_and_nothing_else(run: Run) -> None:
    found: dict[str, set[str]] = {}
    for group in output(run("deduplicate.py", NOTES, "--groups")).strip().split("\n\n"):
        leader, *others = [line.split(": ", 1)[1] for line in group.splitlines()]
        found[leader] = set(others)
    assert found == planted()


def test_what_stays_is_printed_in_order(run: Run) -> None:
    """Input comes from a pipe; the count goes to standard error."""
    finished = run("deduplicate.py", "-", text="\n".join(LINES))
    gone = {line for group in planted().values() for line in group}
    assert output(finished).splitlines() == [line for line in LINES if line not in gone]
    assert finished.stderr == "248 lines: 224 stay, 24 repeat one of them\n"
    assert output(run("deduplicate.py", "-", text="")) == ""
    assert output(run("deduplicate.py", "-", "--threshold", "1", text="One line.\nOne line.\nNo other.\n")) == (
        "One line.\nNo other.\n"
    )


@pytest.mark.parametrize("block", [1, 7, 64, 1000])
def test_blocks_change_nothing(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines repeat the most similar earlier line that stays, however many are compared at once."""
    module = imported("deduplicate")
    monkeypatch.setattr(module, "BLOCK", block)
    rows = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    expected: list[int] = []
    for row in range(len(rows)):
        stay = [other for other in range(row) if expected[other] == other]
        nearest = max(stay, key=lambda other: rows[other] @ rows[row], default=row)
        expected.append(nearest if rows[nearest] @ rows[row] >= 0.95 else row)
    leaders, similarities = module.find_leaders(rows, 0.95)
    assert leaders.tolist() == expected
    assert 20 < sum(leaders == np.arange(200)) < 180
    went = leaders != np.arange(200)
    np.testing.assert_allclose(similarities[went], (rows * rows[leaders]).sum(axis=1)[went], rtol=1e-5)


def imported(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
