"""Near-duplicates: the lines of a text file that say again what an earlier line has said.

    bothends serve &
    python examples/deduplicate.py examples/data/notes.txt > unique.txt
    python examples/deduplicate.py examples/data/notes.txt --groups

A line goes where an earlier one that stays is as similar as the threshold. Look at the groups before you trust one: the
packaged model takes sentences of the same words for the same, and hardly sees a "not" or another number.

Every line is compared with every line that stays: fine up to some 100,000. For more, ask an index of nearest neighbours
(faiss, usearch) for each line's neighbours instead.
"""

import os
import sys
from typing import Any, TextIO

import click
import numpy as np
from numpy.typing import NDArray

import bothends

BLOCK = 2000
"""Lines compared with as many at once: 16 MB of similarities, however long the file is."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("file", type=click.File(encoding="utf-8"))
@click.option("--threshold", default=0.8, show_default=True, type=click.FloatRange(0, 1),
              help="Cosine similarity from which a line is a repetition.")  # fmt: skip
@click.option("--groups", is_flag=True, help="Print the repeated lines, each with its repetitions, instead.")
@click.option("--server", default="127.0.0.1:50051", show_default=True, envvar="BOTHENDS_SERVER", show_envvar=True,
              help="host:port of bothends.")  # fmt: skip
def main(file: TextIO, threshold: float, groups: bool, server: str) -> None:
    """Print the lines of FILE ("-" for standard input) without those that repeat an earlier one in other words."""
    numbered = read(file)
    lines = [line for _, line in numbered]
    try:
        vectors = embed(lines, server) if lines else np.empty((0, 0), np.float32)
    except bothends.SentenceError as error:
        raise click.ClickException(f"line {numbered[error.index][0]} of {file.name} {error.reason}") from error
    leaders, similarities = find_leaders(vectors, threshold)
    stays = leaders == np.arange(len(lines))
    if groups:
        for leader in np.unique(leaders[~stays]):
            click.echo(f"\nline {numbered[leader][0]}: {lines[leader]}")
            for row in np.flatnonzero((leaders == leader) & ~stays):
                click.echo(f"  {similarities[row]:.2f}  line {numbered[row][0]}: {lines[row]}")
    else:
        for row in np.flatnonzero(stays):
            click.echo(lines[row])
    click.echo(f"{len(lines)} lines: {stays.sum()} stay, {(~stays).sum()} repeat one of them", err=True)


def read(file: TextIO) -> list[tuple[int, str]]:
    """Return the lines that aren't blank, each with its number."""
    try:
        return [(number, line.strip()) for number, line in enumerate(file, start=1) if line.strip()]
    except UnicodeDecodeError as error:
        raise click.ClickException(f"can't read {file.name}: {error}") from error


def embed(lines: list[str], server: str) -> NDArray[Any]:
    """Return vectors of length 1, float32 [lines, dimension]: the product of two is their cosine similarity."""
    key = os.environ.get("BOTHENDS_API_KEY")
    with bothends.Client(server, api_key=key, timeout_s=3600, retry=bothends.Retry(attempts=3)) as client:
        return client.encode(lines, normalize=True)


def find_leaders(vectors: NDArray[Any], threshold: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """Find the row that each row repeats, or itself where it stays; and how similar the two are.

    A row repeats the most similar of the earlier rows that stay. Since those that go lead none, no chain of small
    steps can join two rows that are far apart.
    """
    leaders = np.arange(len(vectors))
    similarities = np.full(len(vectors), threshold - 1e-6, np.float32)  # to be reached, also by equal rows' 0.9999999

    def follow(rows: slice, candidates: NDArray[Any], found: NDArray[Any]) -> None:
        nearest = found.argmax(axis=1)
        found = found[np.arange(len(found)), nearest]
        closer = found >= similarities[rows]
        leaders[rows][closer] = candidates[nearest[closer]]
        similarities[rows][closer] = found[closer]

    for start in range(0, len(vectors), BLOCK):
        block = vectors[start : start + BLOCK]
        stay = np.flatnonzero(leaders[:start] == np.arange(start))
        for first in range(0, len(stay), BLOCK):
            candidates = stay[first : first + BLOCK]
            follow(slice(start, start + len(block)), candidates, block @ vectors[candidates].T)
        within = block @ block.T
        for row in range(len(block)):
            if leaders[start + row] == start + row:
                later = slice(start + row + 1, start + len(block))
                follow(later, np.array([start + row]), within[row + 1 :, [row]])
    return leaders, similarities


if __name__ == "__main__":
    try:
        main()
    except bothends.BothendsError as error:
        sys.exit(f"Error: {error}")
