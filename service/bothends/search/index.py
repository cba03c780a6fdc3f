"""Keeps the vectors of a file of sentences in a folder, so that they are computed once while file and model stay the
same.

The folder has `vectors.npy`, with one row for each of the file's and then one for each piece of longer texts;
`index.json`, which describes them; `pieces.npy`, which says whose pieces they are, and is written last: without it, no
vector is read; and for an approximate search `graph.faiss`.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..bulk.engines import BulkEngine
from ..bulk.execute import SWITCH_INTERVAL_S, write_error
from ..bulk.formats.readers import RowReader
from ..bulk.job import Job
from ..bulk.progress import bar
from ..bulk.rows import BLANK, Row
from ..bulk.run import run
from ..errors import FileError
from .approximate import NeighbourGraph
from .pieces import cut, piece_starts
from .source import SentenceFile

VECTORS, ABOUT, _PIECES, _GRAPH = "vectors.npy", "index.json", "pieces.npy", "graph.faiss"
_PIECE_WORDS = "length of pieces"
"""Key of the description: about how many words a piece has; None if there are no pieces."""
_SAME = 0.9999
"""Least cosine of a sentence's vector to itself: engines differ by their rounding, other models by far more."""
IndexVectors: TypeAlias = tuple[NDArray[np.float32], NDArray[np.int64] | None]
"""Rows [rows, dimension] of length 1, NaN for one without a vector, and which of them are whose pieces, as
`in_pieces` has it; None where no text has pieces, or none were asked for.
"""


def indexed(
    file: SentenceFile,
    folder: Path,
    engine: BulkEngine,
    *,
    dimensions: int | None,
    piece_words: int | None,
    say: Callable[[str], None],
) -> IndexVectors:
    """Return the vectors of the rows of `file`, and of their pieces of about `piece_words` words unless that is None.

    They stay on disk, and are read from `folder` if that is the index of the unchanged file by the model of `engine`;
    otherwise they are computed, and kept there. `say` reports to the user which. A stopped run is continued. Raises
    FileError if the folder belongs to another file, or can't be written.
    """
    about, known = _description(file, engine, dimensions, piece_words), _known(folder)
    if known is not None and known.get("file") != about["file"]:
        raise FileError(f"{folder} is the index of {known.get('file')}; name another folder for {file.path}")
    if known is not None and piece_words is None:  # whole texts stand first, whatever pieces follow them
        about[_PIECE_WORDS] = known.get(_PIECE_WORDS)
    changed = [name for name in about if known is not None and known.get(name) != about[name]]
    kept = None if changed else _read(folder, has_pieces=piece_words is not None)
    if kept is not None:
        if _is_by(engine, file, kept[0]):
            say(f"{folder}: the vectors are there")
            return kept
        changed = ["model"]
    if changed:
        say(f"{folder}: another {changed[0]} than when it was made; the file is embedded anew")
    _begin(folder, about, is_anew=bool(changed))
    job = file.embedding_job(folder / VECTORS, {"normalize": True, "dimensions": dimensions})
    _finish(folder, about, _embed(job, engine, about[_PIECE_WORDS]))
    made = _read(folder, has_pieces=piece_words is not None)
    assert made is not None  # noqa: S101  it was written just now
    return made


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


def unreadable(folder: Path, rows: int) -> int:
    """Return how many of the first `rows` rows of an index have no vector although they aren't blank."""
    try:
        lines = (folder / f"{VECTORS}.bad.jsonl").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return 0
    return sum(bad["row"] < rows and bad["reason"] != BLANK for bad in map(json.loads, lines))


def _description(
    file: SentenceFile, engine: BulkEngine, dimensions: int | None, piece_words: int | None
) -> dict[str, Any]:
    """Return all that the vectors of an index depend on."""
    return {
        "file": str(file.path.absolute()), "sha256": file.sha256(), "format": file.format, "column": file.column,
        "model": engine.model, "precision": engine.precision, "dimensions": dimensions or engine.dimension,
        _PIECE_WORDS: piece_words,
    }  # fmt: skip


def _known(folder: Path) -> dict[str, Any] | None:
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


def _read(folder: Path, *, has_pieces: bool) -> IndexVectors | None:
    """Return the vectors in `folder`, with those of pieces or without; None if they are gone."""
    try:
        vectors, starts = np.load(folder / VECTORS, mmap_mode="r"), np.load(folder / _PIECES)
    except FileNotFoundError:
        return None
    rows = int(starts[0])
    return (vectors, starts) if has_pieces and len(vectors) > rows else (vectors[:rows], None)


def _is_by(engine: BulkEngine, file: SentenceFile, vectors: NDArray[np.float32]) -> bool:
    """Return True if the model of `engine` makes the first of `vectors` again.

    Another model may have the same name and version, such as one that was trained anew.
    """
    for row, vector in zip(file.rows(), vectors, strict=False):
        if not np.isnan(vector[0]):
            found, _ = engine.embed([row.text])
            return found is not None and float(found.rows[0] @ vector) > _SAME
    return True


def _begin(folder: Path, about: dict[str, Any], *, is_anew: bool) -> None:
    """Say in `folder` what is going to be there; `is_anew` drops what would be continued."""
    try:
        folder.mkdir(exist_ok=True)
        for name in (_PIECES, _GRAPH, *([f"{VECTORS}.journal"] if is_anew else [])):
            (folder / name).unlink(missing_ok=True)
        _describe(folder, about)
    except OSError as error:
        raise FileError(f"{folder} can't be written: {error.strerror}") from None


def _finish(folder: Path, about: dict[str, Any], starts: NDArray[np.int64]) -> None:
    """Say that the vectors which `about` describes are there. Another run may have described its own meanwhile."""
    try:
        _describe(folder, about)
        np.save(folder / _PIECES, starts)
    except OSError as error:
        raise FileError(f"{folder} can't be written: {error.strerror}") from None


def _describe(folder: Path, about: dict[str, Any]) -> None:
    (folder / ABOUT).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


def _embed(job: Job, engine: BulkEngine, piece_words: int | None) -> NDArray[np.int64]:
    """Embed the file of `job`, then its rows' pieces, with a progress bar for a person; return where those begin."""
    job.check()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    counts: list[int] = []
    try:
        with ExitStack() as files:
            reader = job.read(files)
            if piece_words is not None:
                reader = _with_pieces(reader, job.read(files), piece_words, counts)
            sink = job.sink(reader, engine, files)
            with bar(reader.total, done_rows=sink.committed.rows, is_shown=sys.stderr.isatty()) as advance:
                done = run(reader, engine, sink, advance)
    except OSError as error:
        raise write_error(job, error) from error
    return piece_starts(counts or [0] * done.rows)


def _with_pieces(reader: RowReader, again: RowReader, words: int, counts: list[int]) -> RowReader:
    """Return a reader of the rows of `reader`, then of the pieces of the same rows, which `again` reads.

    How many pieces each row has is appended to `counts`.
    """

    def pieces() -> Iterator[Row]:
        for row in again.rows:
            found = cut(row.text, words) if row is not None else []
            counts.append(len(found))
            yield from map(Row, found)

    return replace(
        reader,
        rows=chain(reader.rows, pieces()),
        position=lambda: reader.position() + again.position(),
        total=None if reader.total is None or again.total is None else reader.total + again.total,
    )
