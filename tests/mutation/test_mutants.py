"""Faults are put where they are said to be, operators make what their examples say, and a run tells who noticed."""

from pathlib import Path

import pytest

from tests.mutation import report
from tests.mutation.mutants import Mutant, faults, made
from tests.mutation.rooms import ROOMS, Room
from tests.mutation.tree import Tree
from tests.support.paths import ROOT

CODE = """
def smaller(one, other):
    return one if one < other else other
"""
TEST = """
from toy import smaller

def test_smaller():
    assert smaller(1, 2) == 1
"""


def test_each_fault_that_was_written_down_fits_the_code() -> None:
    """Code that faults.toml names was changed without it: mend the entry, or delete it with what it broke."""
    files = {file for room in ROOMS.values() for file in room.files()}
    misfits = [
        f"{fault['file']}: {fault['what']}"
        for fault in faults()
        if fault["file"] not in files or (ROOT / fault["file"]).read_text("utf-8").count(fault["old"]) != 1
    ]
    assert misfits == []


def test_each_room_has_code_and_tests() -> None:
    assert [name for name, room in ROOMS.items() if not (room.files() and room.tests_for("", ROOT))] == []


def test_tests_of_a_files_name_come_first() -> None:
    """A module's own tests notice most often, and the others aren't run then."""
    tests = ROOMS["batching"].tests_for("service/bothends/batching/runner.py", ROOT)
    assert tests[0] == "tests/batching/test_runner.py"


def test_a_mutant_is_known_by_its_change() -> None:
    """A change's place doesn't matter, so a sample stays the same where the code does."""
    one = Mutant("a.py", "", "x = 1\ny = 2\n", "x = 1\ny = 3\n")
    moved = Mutant("a.py", "", "w = 0\nx = 1\ny = 2\n", "w = 0\nx = 1\ny = 3\n")
    assert (one.line, moved.line, one.key == moved.key) == (2, 3, True)
    assert one.key != Mutant("a.py", "", "x = 1\ny = 2\n", "x = 1\ny = 4\n").key


def test_who_notices_a_fault_is_told_and_who_survives_is_shown(tmp_path: Path) -> None:
    """The code is put back after each."""
    tree = Tree(tmp_path, Room(("toy.py",), ("tests",)))
    (tree.root / "tests").mkdir(parents=True)
    (tree.root / "toy.py").write_text(CODE, encoding="utf-8")
    (tree.root / "tests" / "test_toy.py").write_text(TEST, encoding="utf-8")
    tree.measure()
    wrong = Mutant("toy.py", "wrong", CODE, CODE.replace("one < other", "one > other"))
    equivalent = Mutant("toy.py", "equivalent", CODE, CODE.replace("one < other", "one <= other"))
    results = [(mutant, tree.outcome(mutant)) for mutant in (wrong, equivalent)]
    assert [outcome.state for _, outcome in results] == ["killed", "survived"]
    assert results[0][1].test == "tests/test_toy.py::test_smaller"
    assert report.survivors(results).startswith("toy.py:3: equivalent\n--- a/toy.py")
    assert report.score("toy", results, 9).startswith("toy: 1 of 2 noticed (50%)")
    assert (tree.root / "toy.py").read_text(encoding="utf-8") == CODE


def test_operators_make_what_their_examples_say(tmp_path: Path) -> None:
    """Operators of our own do, and lines in which nothing runs are left alone."""
    pytest.importorskip("cosmic_ray", reason="`make mutate` installs it")
    from cosmic_ray.mutating import mutate_code

    from tests.mutation.operators import OmitArgument, RemoveStatement

    for operator in (OmitArgument, RemoveStatement):
        for example in operator.examples():
            assert mutate_code(example.pre_mutation_code, operator(), 0) == example.post_mutation_code
    (tmp_path / "a.py").write_text("@dataclass(frozen=True)\nclass A:\n    b: int = f(c=1)\n", encoding="utf-8")
    assert {mutant.line for mutant in made(["a.py"], tmp_path)} == {3}


def test_what_an_operator_cannot_change_is_passed_over(tmp_path: Path) -> None:
    """cosmic-ray knows no dotted name among several exceptions."""
    pytest.importorskip("cosmic_ray", reason="`make mutate` installs it")
    code = "try:\n    f()\nexcept (OSError, lzma.LZMAError):\n    g()\n"
    (tmp_path / "a.py").write_text(code, encoding="utf-8")
    found = [mutant.after for mutant in made(["a.py"], tmp_path) if mutant.what == "ExceptionReplacer"]
    assert found == [code.replace("OSError", "CosmicRayTestingException")]
