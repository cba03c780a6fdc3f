"""Runs a Python file by its command line in this process, as `python FILE …` does.

It stands apart from the fixtures, so that a process that runs an example imports no more than this.
"""

import io
import os
import runpy
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

IMPORTED = ("apsw", "matplotlib.pyplot", "sklearn.cluster", "sklearn.manifold", "sqlite_vec")
"""Modules of the examples that take long to import and may be imported before a fork: no thread of theirs runs yet."""


def play(command: Sequence[str], folder: Path, environment: Mapping[str, str], streams: Path) -> None:
    """Run `command` in `folder`; its standard streams are the files in, out and err of `streams`."""
    os.chdir(folder)
    os.environ.update(environment)
    for descriptor, (name, flags) in enumerate((("in", os.O_RDONLY), ("out", os.O_WRONLY), ("err", os.O_WRONLY))):
        os.dup2(os.open(streams / name, flags | os.O_CREAT), descriptor)
    raw = io.FileIO(0, closefd=False)
    raw.name = "<stdin>"  # as an interpreter names it
    sys.stdin = io.TextIOWrapper(io.BufferedReader(raw), encoding="utf-8")  # multiprocessing has put /dev/null there
    sys.argv = list(command)
    sys.path.insert(0, str(Path(command[0]).parent))
    runpy.run_path(command[0], run_name="__main__")
