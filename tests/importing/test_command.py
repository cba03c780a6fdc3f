"""`bothends import` as people see it: shown before written, written whole or not at all, one line where it fails."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.support.paths import ROOT

from . import original_infersent as original
from .end_to_end import bothends, refused


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """An InferSent, with its vectors beside it in glove.txt."""
    original.write(tmp_path, version=1)
    original.write_vectors(tmp_path / "glove.txt", ["the", "dog", "<s>", "</s>"])
    return tmp_path / "infersent1.pkl"


def test_what_was_understood_is_shown_before_it_is_written(source: Path, tmp_path: Path) -> None:
    """The reading is shown also where it then can't be written: a person sees what was wrong with it."""
    options = ["--vectors", tmp_path / "glove.txt", "--name", "a name", "--out", tmp_path / "new"]
    result = bothends("import", source, *options)
    assert result.exit_code == 1
    assert "embedding.weight           glove.txt                       4 × 7" in result.stdout
    assert "- The vocabulary is 4 words" in result.stdout
    assert "checkpoint in" not in result.stdout
    assert "infersent1.pkl: name: String should match pattern" in refused("import", source, *options)
    done = bothends("import", source, "--vectors", tmp_path / "glove.txt", "--out", tmp_path / "new")
    assert done.stdout.endswith(f"next: bothends export {tmp_path / 'new'} --out BUNDLE\n")
    assert max(map(len, done.stdout.splitlines()[:-1])) <= 100


def test_a_folder_that_is_there_stays_as_it_is(source: Path, tmp_path: Path) -> None:
    """A folder that is there is refused before anything is read."""
    (tmp_path / "out").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for out in ("out", "link"):
        assert f"{out} exists already" in refused("import", tmp_path / "missing.pt", "--out", tmp_path / out)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_file_that_wants_to_run_code_is_named(tmp_path: Path) -> None:
    """A pickled model, as InferSent's first release was."""
    torch.save(torch.nn.LSTM(2, 2), tmp_path / "infersent.allnli.pickle")
    line = refused("import", tmp_path / "infersent.allnli.pickle", "--out", tmp_path / "new")
    assert "infersent.allnli.pickle wants torch.nn.modules.rnn.LSTM, whose code would run" in line
    (tmp_path / "model.pkl").write_bytes(pickle.dumps({"a": original.InferSent}))
    assert "original_infersent.InferSent" in refused("import", tmp_path / "model.pkl", "--out", tmp_path / "new")


def test_what_a_file_says_of_itself_can_t_draw_on_the_terminal(tmp_path: Path) -> None:
    """Names of tensors come from strangers."""
    torch.save({"\x1b[2Jrnn.weight_ih_l0": torch.zeros(1)}, tmp_path / "model.pt")
    line = refused("import", tmp_path / "model.pt", "--out", tmp_path / "new")
    assert "\x1b" not in line


def test_help_reads_well_and_needs_no_torch() -> None:
    """The help fits 100 columns, with the examples a line each."""
    program = "from bothends.cli.main import main; main(['import', '--help'])"
    environment = os.environ | {"COLUMNS": "100"}
    shown = subprocess.check_output([sys.executable, "-c", program], text=True, env=environment, cwd=ROOT)
    assert max(map(len, shown.splitlines())) <= 100
    assert "\n    bothends import laser2.pt --spm laser2.spm --out checkpoint\n" in shown
    program = "import sys, bothends_importing.command; print('torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "False\n"
