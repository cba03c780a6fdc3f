"""Keeps the vectors of a file of sentences in a folder, so that they are computed once while file and model stay the
same.

The folder has `vectors.npy`, with one row for each of the file's, and `index.json`, which describes them; for an
approximate search also `graph.faiss`.
"""

import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bulk.engines import BulkEngine
from ..bulk.execute import SWITCH_INTERVAL_S, write_error
from ..bulk.job import Job
from ..bulk.progress import bar
from ..bulk.rows import BLANK
from ..bulk.run import run
from ..errors import FileError
from ..options import EmbedOptions
from .approximate import NeighbourGraph
from .source import SentenceFile

VECTORS, ABOUT, _GRAPH = "vectors.npy", "index.json", "graph.faiss"


def indexed(
    file: SentenceFile, folder: Path, engine: BulkEngine, *, dimensions: int | None, say: Callable[[str], None]
) -> NDArray[np.float32]:
    """Return the vectors of the rows of `file`, float32 [rows, dimension] of length 1, which stay on disk.

    A row without a vector is NaN. They are read from `folder` if that is the index of the unchanged file by the model
    of `engine`; otherwise they are computed, and kept there. `say` reports to the user which. A stopped run is
    continued. Raises FileError if the folder belongs to another file, or can't be written.
    """
    about = {
        "file": str(file.path.absolute()), "sha256": file.sha256(), "format": file.format, "column": file.column,
        "model": engine.model, "precision": engine.precision, "dimensions": dimensions or engine.dimension,
    }  # fmt: skip
    known = _about(folder)
    if known is not None and known.get("file") != about["file"]:
        raise FileError(f"{folder} is the index of {known.get('file')}; name another folder for {file.path}")
    changed = [name for name in about if known is not None and known.get(name) != about[name]]
    if known == about and (folder / VECTORS).is_file():
        say(f"{folder}: the vectors are there")
    else:
        if changed:
            say(f"{folder}: another {changed[0]} than when it was made; the file is embedded anew")
        _begin(folder, about)
        options: EmbedOptions = {"normalize": True, "dimensions": dimensions}
        _embed(file.embedding_job(folder / VECTORS, options, overwrite=bool(changed)), engine)
    vectors: NDArray[np.float32] = np.load(folder / VECTORS, mmap_mode="r")
    return vectors


def neighbour_graph(folder: Path, vectors: NDArray[np.float32], *, say: Callable[[str], None]) -> NeighbourGraph:
    """Return the graph of an index's `vectors`, which is made once and kept in `folder`.

    Raises ModuleNotFoundError without faiss, and FileError if it can't be written.
    """
    path = folder / _GRAPH
    try:
        if path.is_file():
            return NeighbourGraph.load(path)
        say(f"making the graph of {len(vectors):,} rows")
        graph = NeighbourGraph.build(vectors)
        graph.save(path)
    except RuntimeError as error:  # what faiss raises for any file
        raise FileError(f"{path} can't be read or written; delete it: {str(error).splitlines()[0]}") from None
    return graph


def unreadable(folder: Path) -> int:
    """Return how many rows of an index have no vector although they aren't blank."""
    try:
        lines = (folder / f"{VECTORS}.bad.jsonl").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return 0
    return sum(json.loads(line)["reason"] != BLANK for line in lines)


def _about(folder: Path) -> dict[str, Any] | None:
    """Return the description of the index in `folder`; None if there is none yet.

    Raises FileError for other contents.
    """
    try:
        found = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    except FileNotFoundError:
        if folder.is_dir() and any(folder.iterdir()):
            raise FileError(f"{folder} holds other files; name a new folder for the index") from None
        return None
    except (OSError, ValueError) as error:
        raise FileError(f"{folder} is no index that can be read: {error}") from None
    if not isinstance(found, dict):
        raise FileError(f"{folder} is no index that can be read: {ABOUT} holds no object")
    return found


def _begin(folder: Path, about: dict[str, Any]) -> None:
    try:
        folder.mkdir(exist_ok=True)
        (folder / _GRAPH).unlink(missing_ok=True)
        (folder / ABOUT).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise FileError(f"{folder} can't be written: {error.strerror}") from None


def _embed(job: Job, engine: BulkEngine) -> None:
    """Embed the file of `job`, with a progress bar for a person."""
    job.check()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        with ExitStack() as files:
            reader = job.read(files)
            sink = job.sink(reader, engine, files)
            with bar(reader.total, done_rows=sink.committed.rows, is_shown=sys.stderr.isatty()) as advance:
                run(reader, engine, sink, advance)
    except OSError as error:
        raise write_error(job, error) from error
