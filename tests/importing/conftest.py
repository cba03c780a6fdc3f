"""Keras's own files, which several tests read."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def keras_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models as Keras wrote them, with its vectors of sentences. Made once: it starts a process."""
    folder = tmp_path_factory.mktemp("keras")
    program = Path(__file__).parent / "keras" / "written_models.py"
    environment = {**os.environ, "KERAS_BACKEND": "torch", "KERAS_HOME": str(folder), "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, program, folder], env=environment, check=True, timeout=600, capture_output=True)
    return folder
