"""What `bothends search` and `bothends deduplicate` share: flags, the model, and a file's vectors."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from ..bulk.engines import BulkEngine
from ..bulk.execute import nothing_to_embed
from ..bulk.job import INPUTS, format_of
from ..errors import SettingsError
from ..search.index import VECTORS, indexed, unreadable
from ..search.source import SentenceFile
from ..text import printable
from .client_options import CONNECTION, asks_server, key_options, optional_server_options, timeout_option
from .embed_options import column_options, model_options, vector_option
from .grouped import given, option, options
from .paths import check_file
from .place import check_place, load_engine

_MIN_ROOM = 20
"""Columns that a text gets on the narrowest terminal."""
index_options = options(
    column_options,
    option("A file", "--index", "folder", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
           help="Keep the file's vectors there (2 kB a row, and with search 2 kB a piece): next time they are read, "
           "unless the file or the model has changed. Without it they are computed each time."),
    vector_option("dimensions"),
    model_options,
    optional_server_options,
    key_options,
    timeout_option,
)  # fmt: skip
"""Which file, its index, and by which model."""


@dataclass(frozen=True, slots=True)
class Indexed:
    """File, the vectors of its rows, and the model that made them."""

    file: SentenceFile
    vectors: NDArray[np.float32]
    """[rows, dimension], of length 1; NaN for a row that has none. Those of pieces follow if there are any."""
    pieces: NDArray[np.int64] | None
    """Which of them are the pieces of which row, as `bothends.search.in_pieces` has it; None without pieces."""
    embedded: int
    """Number of rows that have a vector."""
    engine: BulkEngine
    folder: Path
    """Folder of the vectors, perhaps a temporary one that is deleted at the end."""

    def name(self, row: int) -> str:
        """Return how people refer to the row: lines of a text file count from 1, rows of a table from 0."""
        return f"line {row + 1}" if self.file.format == "txt" else f"row {row}"


@contextmanager
def opened(
    ctx: click.Context,
    path: Path,
    *,
    keep: tuple[str, ...],
    folder: Path | None,
    piece_words: int | None = None,
    **flags: Any,
) -> Iterator[Indexed]:
    """Load the model or connect to a server, and embed the file at `path`, or read its vectors from its index.

    With `piece_words`, pieces of about so many words of its longer rows too.
    """
    is_local = "bundle" in given(ctx) or not asks_server(ctx)
    check_place(given(ctx), is_local=is_local)
    check_file(path)
    kind = format_of(path, flags["input_format"], INPUTS, piped="txt", flag="--input-format")
    if kind == "txt" and (flags["column"] is not None or keep):
        raise SettingsError("a text file has no columns: --column and --keep are for csv, jsonl and parquet")
    file = SentenceFile(path, kind, flags["column"], keep)
    dimensions = flags["dimensions"]
    connection = None if is_local else {name: flags[name] for name in CONNECTION}
    with ExitStack() as stack:
        index = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bothends-")))
        engine = load_engine(connection, {"normalize": True, "dimensions": dimensions}, **flags)
        stack.callback(engine.stop)
        say = partial(click.echo, err=True)
        vectors, pieces = indexed(file, index, engine, dimensions=dimensions, piece_words=piece_words, say=say)
        rows = len(vectors) if pieces is None else int(pieces[0])
        embedded = int(np.count_nonzero(~np.isnan(vectors[:rows, 0])))
        if not embedded:
            raise nothing_to_embed(path, index / VECTORS if folder else None, rows)
        if bad := unreadable(index, rows):
            told = f"; {index / VECTORS}.bad.jsonl says why" if folder else ""
            say(f"{bad:,} of {rows:,} rows can't be embedded{told}")
        yield Indexed(file, vectors, pieces, embedded, engine, index)


def shortened(text: str, *, indent: int) -> str:
    """Return `text` as one line that fits the terminal after `indent` columns, cut if necessary."""
    shown = printable(text)
    room = max(_MIN_ROOM, shutil.get_terminal_size().columns - indent)
    return f"{shown[: room - 1]}…" if sys.stdout.isatty() and len(shown) > room else shown
