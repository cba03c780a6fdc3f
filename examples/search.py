"""Semantic search: the lines of text files, found by what they mean instead of by their words.

    bothends serve &
    python examples/search.py index examples/data/notes.txt --db notes.db
    python examples/search.py query "my loaf goes stale too quickly" --db notes.db

bothends turns each line into a vector. sqlite-vec keeps the vectors in one SQLite file, beside the lines, and finds
those nearest to a question's. What this needs comes with `pip install 'bothends[examples]'`.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import apsw  # SQLite; the sqlite3 of many Pythons can't load extensions
import click
import sqlite_vec
from numpy.typing import NDArray

import bothends

# Cosine is what the model was trained for. These vectors have length 1, so L2 would rank the same lines first; but
# 1 - cosine distance is a similarity that people can read.
SCHEMA = """
CREATE TABLE made (version TEXT, dimensions INTEGER);
CREATE TABLE lines (id INTEGER PRIMARY KEY, file TEXT, number INTEGER, text TEXT, UNIQUE (file, text));
CREATE VIRTUAL TABLE vectors USING vec0(embedding float[{dimensions}] distance_metric=cosine);
"""
BATCH = 1000
"""Lines between two steps of the progress bar."""

server_option = click.option(
    "--server", default="127.0.0.1:50051", show_default=True, envvar="BOTHENDS_SERVER", show_envvar=True,
    help="host:port of bothends.",
)  # fmt: skip
db_option = click.option(
    "--db", default="notes.db", show_default=True, type=click.Path(path_type=Path, dir_okay=False),
    help="SQLite file that holds lines and vectors.",
)  # fmt: skip


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Search the lines of text files by what they mean."""


@main.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--dimensions", type=click.IntRange(min=2), help="Numbers a line, say 256: half as large, nearly as good."
)
@db_option
@server_option
def index(file: Path, dimensions: int | None, db: Path, server: str) -> None:
    """Bring an index up to date with the lines of FILE.

    Lines that it has already aren't embedded again; lines that FILE no longer has go out. An index can hold many files.
    """
    wanted = read(file)
    name = str(file.resolve())
    with connect(server) as client, opened(db, apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE) as store:
        model = client.model()
        if store.execute("SELECT count(*) FROM sqlite_schema").get == 0:  # it is new
            store.execute(SCHEMA.format(dimensions=dimensions or model.dimension))
            store.execute("INSERT INTO made VALUES (?, ?)", (model.version, dimensions or model.dimension))
        size = dimensions_of(store, db, model.version)
        if dimensions not in (None, size):
            raise click.ClickException(f"{db} has {size} numbers a line, not {dimensions}; choose another --db")

        known = dict(store.execute("SELECT text, id FROM lines WHERE file = ?", (name,)))
        gone = [(known[text],) for text in known.keys() - wanted.keys()]
        kept = [(number, known[text]) for text, number in wanted.items() if text in known]
        new = [(text, number) for text, number in wanted.items() if text not in known]
        store.executemany("DELETE FROM lines WHERE id = ?", gone)
        store.executemany("DELETE FROM vectors WHERE rowid = ?", gone)
        store.executemany("UPDATE lines SET number = ? WHERE id = ?", kept)  # they may have moved
        batches = [new[start : start + BATCH] for start in range(0, len(new), BATCH)]
        with click.progressbar(batches, label=f"Embedding {len(new)} lines", file=sys.stderr) as progress:
            for batch in progress:
                try:
                    vectors = embed(client, [text for text, _ in batch], model.version, size)
                except bothends.SentenceError as error:
                    raise click.ClickException(f"line {batch[error.index][1]} of {file} {error.reason}") from error
                add(store, name, batch, vectors)
    click.echo(f"{db}: {len(new)} lines added, {len(gone)} removed, {len(kept)} kept")


@main.command()
@click.argument("question")
@click.option("--top", default=5, show_default=True, type=click.IntRange(1, 4096), help="How many lines to show.")
@db_option
@server_option
def query(question: str, top: int, db: Path, server: str) -> None:
    """Show the lines nearest to QUESTION, each with its cosine similarity to it."""
    if not db.exists():
        raise click.ClickException(f"there is no {db}; make it with: search.py index FILE --db {db}")
    with connect(server) as client, opened(db, apsw.SQLITE_OPEN_READONLY) as store:
        version = client.model().version
        size = dimensions_of(store, db, version)
        (vector,) = embed(client, [question], version, size)
        nearest = store.execute(
            "SELECT 1 - distance, file, number, text FROM vectors JOIN lines ON lines.id = vectors.rowid "
            "WHERE embedding MATCH ? AND k = ? ORDER BY distance",
            (vector.tobytes(), top),
        )
        for similarity, file, number, text in nearest:
            click.echo(f"{similarity:5.2f}  {Path(file).name}:{number:<4} {text}")


def read(file: Path) -> dict[str, int]:
    """Return the lines of `file` that aren't blank, and the number of each; the first one where a line stands there
    twice.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"can't read {file}: {getattr(error, 'strerror', error)}") from error
    numbers: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if text := line.strip():
            numbers.setdefault(text, number)
    return numbers


def connect(server: str) -> bothends.Client:
    """Return a client that soon gives up, since a person waits; some servers ask for a key."""
    return bothends.Client(server, api_key=os.environ.get("BOTHENDS_API_KEY"), retry=bothends.Retry(attempts=3))


@contextmanager
def opened(db: Path, flags: int) -> Iterator[apsw.Connection]:
    """Open SQLite with sqlite-vec, in a transaction: all that is done is stored or, where something fails, nothing."""
    try:
        with closing(apsw.Connection(str(db), flags=flags)) as store:
            store.enable_load_extension(True)
            store.load_extension(sqlite_vec.loadable_path())
            store.enable_load_extension(False)
            with store:
                yield store
    except apsw.Error as error:
        raise click.ClickException(f"{db} can't be used as an index: {error}") from error


def dimensions_of(store: apsw.Connection, db: Path, version: str) -> int:
    """Return the size of the index's vectors. They must be of the model `version`, or they can't be compared."""
    made_by, dimensions = store.execute("SELECT version, dimensions FROM made").get
    if made_by != version:
        raise click.ClickException(
            f"{db} holds vectors of model version {made_by}, and the server has {version}: "
            f"they can't be compared. Delete {db} and index again"
        )
    return int(dimensions)


def embed(client: bothends.Client, texts: Sequence[str], version: str, dimensions: int) -> NDArray[Any]:
    """Return vectors of length 1, float32 [texts, dimensions], of the model `version`."""
    found = client.embed(texts, normalize=True, dimensions=dimensions)
    if found.model_version != version:
        raise click.ClickException("the server's model was replaced just now; try again")
    if cut := sum(found.truncated):
        click.echo(f"{cut} lines are longer than the model reads; only their beginnings count", err=True)
    return found.rows


def add(store: apsw.Connection, file: str, lines: Sequence[tuple[str, int]], vectors: NDArray[Any]) -> None:
    """Store lines and their vectors under the same id."""
    for (text, number), vector in zip(lines, vectors, strict=True):
        store.execute("INSERT INTO lines (file, number, text) VALUES (?, ?, ?)", (file, number, text))
        store.execute("INSERT INTO vectors (rowid, embedding) VALUES (last_insert_rowid(), ?)", (vector.tobytes(),))


if __name__ == "__main__":
    try:
        main()
    except bothends.BothendsError as error:
        sys.exit(f"Error: {error}")
