"""Commands of docs/bulk.md run as they stand there, and the command's help reads well."""

import os
import re
from pathlib import Path

import numpy as np
import pytest

from tests.bulk import files
from tests.bulk.conftest import environment, write_lines
from tests.support.paths import ROOT
from tests.support.ran import ran
from tests.support.serving import BOTHENDS

pytestmark = pytest.mark.slow  # every command of the page starts a process

DOCUMENT = ROOT / "docs" / "bulk.md"


def test_its_commands_run(tmp_path: Path) -> None:
    """All of them run in one shell, by the packaged model."""
    (block,) = re.findall(r"```sh\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    write_lines(tmp_path / "lines.txt", ["there will be dragons", "dragons will be there", "a man"])
    (tmp_path / "reviews.csv").write_text("id,text,stars\n7,there will be dragons,5\n")
    told = environment() | {"PATH": f"{BOTHENDS.parent}{os.pathsep}{os.environ['PATH']}"}
    bash = ["bash", "-euc", block]
    ended = ran(*bash, cwd=tmp_path, env=told)
    assert ended.returncode == 0, ended.stderr
    assert len(ended.stdout.splitlines()) == 2
    (review,) = files.records(tmp_path / "reviews.parquet")
    assert (review["row"], review["id"]) == (0, "7")
    assert np.linalg.norm(np.load(tmp_path / "lines.npy"), axis=1) == pytest.approx(1)
    assert len(files.records(tmp_path / "lines.jsonl")[0]["embedding"]) == 128
