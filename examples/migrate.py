"""Migration: from an old encoder to a new one, while both are served, without an hour in which nothing is found.

    bothends serve --bundle old=/models/infersent --bundle new= &
    python examples/migrate.py index examples/data/notes.txt --model old
    python examples/migrate.py index examples/data/notes.txt --model new
    python examples/migrate.py compare old new
    python examples/migrate.py switch new
    python examples/migrate.py query "pets that are scared"

Vectors of two encoders can't be compared, so each has vectors of its own for the same lines: side by side in one
folder, where one name says whose are searched. A search goes on by the old ones until that name is another.
"""

import os
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

import bothends
from bothends.search import nearest

CURRENT = "current"
"""File with the name of the model whose vectors are searched."""

folder_option = click.option(
    "--folder", default="index", show_default=True, type=click.Path(path_type=Path, file_okay=False),
    help="Folder that holds the vectors of each model.",
)  # fmt: skip
server_option = click.option(
    "--server", default="127.0.0.1:50051", show_default=True, envvar="BOTHENDS_SERVER", show_envvar=True,
    help="host:port of bothends.",
)  # fmt: skip


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Search lines by an old encoder until the vectors of a new one are there, and then by that."""


@main.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--model", required=True, help="Name that the server has for it.")
@folder_option
@server_option
def index(file: Path, model: str, folder: Path, server: str) -> None:
    """Embed the lines of FILE by one model. The first model that is indexed is the one that is searched."""
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    with connect(server, model) as client:
        found = client.embed(lines, normalize=True)
    folder.mkdir(exist_ok=True)
    partial = folder / f"{model}.partial.npz"
    np.savez(partial, vectors=found.rows, lines=np.array(lines), version=found.model_version)
    partial.replace(folder / f"{model}.npz")  # all of it, or what was there before
    if not (folder / CURRENT).exists():
        point(folder, model)
    click.echo(f"{len(lines)} lines by {model} {found.model_version}, {found.rows.shape[1]} numbers each")


@main.command()
@click.argument("old")
@click.argument("new")
@click.option("--top", default=10, show_default=True, help="Neighbours of each line that are compared.")
@folder_option
def compare(old: str, new: str, top: int, folder: Path) -> None:
    """Say how many of each line's nearest lines the models OLD and NEW agree on, and show where they agree least."""
    before, after = (vectors_of(folder, name) for name in (old, new))
    lines = before["lines"]
    if not np.array_equal(lines, after["lines"]):
        raise click.ClickException(f"{old} and {new} have vectors of different lines; index the same file by both")
    # A line is the nearest to itself, so one more is asked for, and that one left out.
    neighbours = [
        [set(found.tolist()) - {row} for row, found in enumerate(nearest(rows, rows, top=top + 1).rows)]
        for rows in (before["vectors"], after["vectors"])
    ]
    agreed = np.array([len(one & other) for one, other in zip(*neighbours, strict=True)])
    click.echo(f"{old} and {new} agree on {agreed.mean():.1f} of {top} nearest lines; least on those of:")
    for row in np.argsort(agreed, kind="stable")[:3]:
        click.echo(f"{agreed[row]:3} {lines[row]}")


@main.command()
@click.argument("model")
@folder_option
def switch(model: str, folder: Path) -> None:
    """Search by the vectors of MODEL from now on. The others stay, so that it can be switched back."""
    vectors_of(folder, model)
    before = (folder / CURRENT).read_text(encoding="utf-8")
    point(folder, model)
    click.echo(f"searched by {model} from now on; back by: switch {before}")


@main.command()
@click.argument("question")
@click.option("--top", default=3, show_default=True, type=click.IntRange(1), help="How many lines to show.")
@folder_option
@server_option
def query(question: str, top: int, folder: Path, server: str) -> None:
    """Show the lines nearest to QUESTION, by whichever model is searched by now."""
    if not (folder / CURRENT).exists():
        raise click.ClickException(f"{folder} has no index; make one by: migrate.py index FILE --model NAME")
    model = (folder / CURRENT).read_text(encoding="utf-8")
    index = vectors_of(folder, model)
    with connect(server, model) as client:
        asked = client.embed([question], normalize=True)
    if asked.model_version != str(index["version"]):
        raise click.ClickException(f"{model} is {asked.model_version} now, and not {index['version']}; index again")
    hits = nearest(index["vectors"], asked.rows, top=top)
    for row, score in zip(hits.rows[0], hits.scores[0], strict=True):
        click.echo(f"{score:5.2f}  {index['lines'][row]}")


def connect(server: str, model: str) -> bothends.Client:
    """Return a client of one of the server's models; some servers ask for a key."""
    key = os.environ.get("BOTHENDS_API_KEY")
    return bothends.Client(server, model=model, api_key=key, retry=bothends.Retry(attempts=3))


def vectors_of(folder: Path, model: str) -> dict[str, NDArray[Any]]:
    """Read a model's vectors, the lines that they are of, and the version that made them."""
    try:
        with np.load(folder / f"{model}.npz") as read:
            return dict(read)
    except OSError:
        raise click.ClickException(
            f"{folder} has no vectors of {model}; make them by: index FILE --model {model}"
        ) from None


def point(folder: Path, model: str) -> None:
    """Have the vectors of `model` searched; who searches meanwhile has the one name or the other."""
    partial = folder / f"{CURRENT}.partial"
    partial.write_text(model, encoding="utf-8")
    partial.replace(folder / CURRENT)


if __name__ == "__main__":
    try:
        main()
    except bothends.BothendsError as error:
        sys.exit(f"Error: {error}")
