"""Originals that several tests read: an InferSent, and Keras's own files."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from . import original_infersent


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """An InferSent, with its vectors beside it in glove.txt."""
    original_infersent.write(tmp_path, version=1)
    original_infersent.write_vectors(tmp_path / "glove.txt", ["the", "dog", "<s>", "</s>"])
    return tmp_path / "infersent1.pkl"


@pytest.fixture(scope="session")
def keras_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models as Keras wrote them, with its vectors of sentences. Made once: it starts a process."""
    folder = tmp_path_factory.mktemp("keras")
    program = Path(__file__).parent / "keras" / "written_models.py"
    environment = {**os.environ, "KERAS_BACKEND": "torch", "KERAS_HOME": str(folder), "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, program, folder], env=environment, check=True, timeout=600, capture_output=True)
    return folder
