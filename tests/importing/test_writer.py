"""An imported encoder is written whole or not at all, and never over what is there."""

from pathlib import Path
from typing import Any

import pytest
import torch

from bothends_export import checkpoint
from bothends_importing.infersent import infersent
from bothends_importing.options import ImportOptions
from bothends_importing.readers.file import SourceError, open_weights
from bothends_importing.writer import write
from tests.support.ran import ran
from tests.support.serving import BOTHENDS

from . import original_infersent as original
from .end_to_end import bothends, notes, refused


def test_a_folder_made_meanwhile_stays_as_it_is(source: Path, tmp_path: Path) -> None:
    """An empty one would be replaced by a rename."""
    found = infersent(open_weights(source), ImportOptions(vectors=tmp_path / "glove.txt"), version=1)
    (tmp_path / "made").mkdir()
    said: Any = {"source": source, "format_name": "infersent1", "name": None, "version": "1", "table": "float32"}
    with pytest.raises(SourceError, match="made exists already"):
        write(tmp_path / "made", found, **said)
    assert list((tmp_path / "made").iterdir()) == []


@pytest.mark.slow
def test_a_full_disk_leaves_nothing_behind(source: Path, tmp_path: Path) -> None:
    """A process that may write files of 2 KiB at most can write the config and not the weights."""
    out = tmp_path / "full" / "new"
    command = 'ulimit -f 2; "$0" import "$1" --vectors "$2" --out "$3"'
    if "import" not in ran(BOTHENDS, "--help", check=True).stdout:
        pytest.skip("bothends is installed from before there was an import")
    ended = ran("bash", "-c", command, BOTHENDS, source, tmp_path / "glove.txt", out)
    assert ended.returncode == 1, ended.stdout
    assert ended.stderr.startswith(f"Error: {out} can't be written: ")
    assert ended.stderr.count("\n") == 1
    assert list(out.parent.iterdir()) == []


def test_a_table_in_float16_is_rounded_and_says_so(source: Path, tmp_path: Path) -> None:
    vectors = original.write_vectors(tmp_path / "glove.txt", ["the", "dog", "<s>", "</s>"])
    options: list[str | Path] = ["--vectors", tmp_path / "glove.txt", "--table", "float16"]
    bothends("import", source, *options, "--out", tmp_path / "checkpoint")
    loaded = checkpoint.load(tmp_path / "checkpoint")
    assert loaded.table_dtype == torch.float16
    expected = torch.tensor(vectors["dog"]).float().half().float()
    assert torch.equal(loaded.encoder.embedding.weight[1], expected)
    assert "Token vectors were rounded to float16." in notes(tmp_path)
    (tmp_path / "glove.txt").write_text("<s> 1 1 1 1 1 1 1\n</s> 1 1 1 1 1 1 70000\n")
    line = refused("import", source, *options, "--out", tmp_path / "new")
    assert "a token vector holds 7e+04, and float16 ends at 65504" in line
