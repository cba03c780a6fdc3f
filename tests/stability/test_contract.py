"""Callers who were compiled with an earlier release's contract are understood, and compile with this one."""

import shutil
from pathlib import Path

import pytest

from .released import PROTO, buf, contracts

BY_BYTES = '{"version": "v2", "breaking": {"use": ["WIRE"]}}'
"""Rules of what is understood as bytes; proto/buf.yaml's own hold generated code too."""
CONTRACT = Path("bothends") / "v1" / "embedding.proto"
*EARLIER, LAST = contracts()


def test_code_that_was_generated_for_the_last_release_is_the_same() -> None:
    """Nothing is removed, renamed or renumbered, and no type is changed."""
    found = buf("breaking", "--against", LAST)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("image", EARLIER, ids=lambda path: path.stem)
def test_callers_of_earlier_releases_are_understood(image: Path) -> None:
    """Before 1.0 a field was renamed; its number and type stayed."""
    found = buf("breaking", "--against", image, "--config", BY_BYTES)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize(
    ("was", "becomes", "told"),
    [
        ("  bool normalize = 3;\n", "", '"3" with name "normalize"'),
        ("  bool normalize = 3;\n", "  bool unit_length = 3;\n", "changed name"),
        ("  bool normalize = 3;\n", "  int64 normalize = 3;\n", "changed type"),
        ("  rpc Tokenize(", "  rpc Pieces(", 'RPC "Tokenize"'),
    ],
)
def test_a_breaking_change_is_told(tmp_path: Path, was: str, becomes: str, told: str) -> None:
    """The rules are at work: a copy of the contract that breaks one is refused."""
    folder = tmp_path / "proto"
    shutil.copytree(PROTO, folder)
    text = (folder / CONTRACT).read_text(encoding="utf-8")
    assert was in text
    (folder / CONTRACT).write_text(text.replace(was, becomes, 1), encoding="utf-8")
    found = buf("breaking", "--against", LAST, folder=folder)
    assert found.returncode != 0
    assert told in found.stdout
