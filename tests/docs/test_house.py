"""Rules of the house: every module in a room, every room on the map, every docstring readable alone."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT

SERVICE = ROOT / "service" / "bothends"
WORDS = {"chunks", "embeddings", "errors", "options", "text", "validation"}
OUTSIDE = {"__init__", "__main__", "encoder", "ray", "sklearn", *WORDS}
"""Modules of no room: the words that every room speaks, and three public doors."""
MAP = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
NO_NOUN_NO_VERB = re.compile(
    r"("
    r"what|of|let|that|who|whose|whom|how|where|whether|when|while|as|for|in|on|at|by|"
    r"with|without|within|to|from|into|unless|else|once|until|before|after|so|because|since|"
    r"only|just|even|also|too|then|than|there|here|this|these|those|it|its|he|his|him|"
    r"she|her|they|their|them|we|our|us|you|your|i|my|and|or|but|nor|not|neither|either|"
    r"nobody|somebody|anybody|everybody|nothing|something|anything|everything|is|are|was|were|"
    r"been|has|had|did|can|could|may|might|must|should|would|will|shall|beside|besides|"
    r"about|above|below|under|over|between|among|behind|beyond|against|along|across|through|"
    r"out|up|off|away|never|often|soon|later"
    r")\b(?!')",
    re.IGNORECASE,
)
"""First words of docstrings that can't be read alone."""
SOURCES = ("service", "export", "training", "benchmarks", "deploy", "examples", "tests")


def tracked(folder: str) -> list[Path]:
    """Python files of `folder` that are written by hand."""
    command = ["git", "ls-files", "-co", "--exclude-standard", f"{folder}/*.py"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return [ROOT / name for name in listed if "_pb2" not in name and (ROOT / name).exists()]


def docstrings(file: Path) -> Iterator[tuple[int, str]]:
    """Line and text of each docstring in `file`, those of constants and fields included."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            before: ast.AST = node
            for statement in node.body:
                match statement:
                    case ast.Expr(ast.Constant(str(text))) if isinstance(before, ast.Assign | ast.AnnAssign) or (
                        before is node
                    ):
                        yield statement.lineno, text
                before = statement


def test_no_module_stands_outside_a_room() -> None:
    """A new one goes into the room that says what it is for."""
    assert {path.stem for path in tracked("service") if path.parent == SERVICE} <= OUTSIDE


def test_every_room_says_what_it_turns_into_what() -> None:
    """Rooms have a docstring."""
    rooms = {path.parent for path in tracked("service")} - {
        SERVICE / "v1",
        SERVICE / "kserve" / "v2",
        SERVICE / "kserve",
    }
    silent = [
        str(room) for room in rooms if not ast.get_docstring(ast.parse((room / "__init__.py").read_text("utf-8")))
    ]
    assert silent == []


def test_every_room_is_on_the_map() -> None:
    """docs/architecture.md is the tree, two levels deep, on one screen."""
    assert len(MAP.splitlines()) <= 60
    rooms = {path.relative_to(SERVICE).parts[0] for path in tracked("service") if path.parent != SERVICE}
    assert {room for room in rooms if not re.search(rf"\b{room}/", MAP)} == set()


@pytest.mark.parametrize("folder", SOURCES)
def test_a_docstring_begins_with_a_noun_or_a_verb(folder: str) -> None:
    """A docstring can be read alone, as "Number of the retry attempt" can; "What …", "Of …" and "Let …" can't."""
    found = [
        f"{file.relative_to(ROOT)}:{line}: {text.split()[0]}"
        for file in tracked(folder)
        for line, text in docstrings(file)
        if NO_NOUN_NO_VERB.match(text.lstrip("\"'`… \n"))
    ]
    assert found == []
