"""Clusters: the lines of a text file sorted by topic, printed and drawn.

    bothends serve &
    python examples/cluster.py examples/data/notes.txt --plot clusters.png

k-means on the lines' vectors. The number of clusters is your choice: try some. The silhouette, which is often asked
for the best one, is low and flat for sentences and can't tell. HDBSCAN needs no number, but calls most sentences noise:
they lie too thinly for it.
"""

import os
import sys
from pathlib import Path
from textwrap import shorten
from typing import Any, TextIO

import click
import matplotlib as mpl

mpl.use("Agg")  # into a file: there may be no display

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.manifold import TSNE

import bothends

MOST = 20
"""The most clusters: there are as many colours."""
MAX_DRAWN = 3000
"""Lines in the picture; with more, some are left out, as it would take minutes and be full."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("file", type=click.File(encoding="utf-8"))
@click.option("--clusters", "count", default=8, show_default=True, type=click.IntRange(2, MOST), help="How many.")
@click.option("--lines", "shown", default=3, show_default=True, type=click.IntRange(1),
              help="How many of each cluster's lines to print, the most central first.")  # fmt: skip
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="Draw the clusters into this PNG.")
@click.option("--server", default="127.0.0.1:50051", show_default=True, envvar="BOTHENDS_SERVER", show_envvar=True,
              help="host:port of bothends.")  # fmt: skip
def main(file: TextIO, count: int, shown: int, plot: Path | None, server: str) -> None:
    """Sort the lines of FILE ("-" for standard input) into clusters of like meaning."""
    numbers = read(file)
    lines = list(numbers)
    if len(lines) < count:
        raise click.ClickException(f"{file.name} has {len(lines)} different lines, too few for {count} clusters")
    try:
        vectors = embed(lines, server)
    except bothends.SentenceError as error:
        raise click.ClickException(f"line {numbers[lines[error.index]]} of {file.name} {error.reason}") from error
    clusters = sort(vectors, count)
    for number, rows in enumerate(clusters, start=1):
        click.echo(f"\n{number}: {len(rows)} lines")
        for row in rows[:shown]:
            click.echo(f"  {lines[row]}")
    if plot:
        draw(vectors, clusters, [lines[rows[0]] for rows in clusters], plot)
        click.echo(f"\nThe picture is in {plot}")


def read(file: TextIO) -> dict[str, int]:
    """Return the lines that aren't blank, and the number of each; the first one where a line stands there twice."""
    numbers: dict[str, int] = {}
    try:
        for number, line in enumerate(file, start=1):
            if text := line.strip():
                numbers.setdefault(text, number)
    except UnicodeDecodeError as error:
        raise click.ClickException(f"can't read {file.name}: {error}") from error
    return numbers


def embed(lines: list[str], server: str) -> NDArray[Any]:
    """Vectors of length 1, float32 [lines, dimension]: k-means' distances then rank as cosine similarities do."""
    key = os.environ.get("BOTHENDS_API_KEY")
    with bothends.Client(server, api_key=key, timeout_s=3600, retry=bothends.Retry(attempts=3)) as client:
        return client.encode(lines, normalize=True)


def sort(vectors: NDArray[Any], count: int) -> list[NDArray[Any]]:
    """Return the rows of each cluster, the most central first; the largest cluster first."""
    # The best of many starts: sentences lie so evenly that ten of them may miss a cluster that fifty find.
    found = KMeans(count, n_init=50, random_state=0).fit(vectors)
    from_centre = np.linalg.norm(vectors - found.cluster_centers_[found.labels_], axis=1)
    nearest_first = np.argsort(from_centre)
    clusters = [nearest_first[found.labels_[nearest_first] == number] for number in range(count)]
    return sorted(filter(len, clusters), key=len, reverse=True)  # lines of one vector may leave a cluster empty


def draw(vectors: NDArray[Any], clusters: list[NDArray[Any]], names: list[str], file: Path) -> None:
    """Draw a point for each line, near to those of like lines (t-SNE; how far apart two clusters are means little)."""
    centres = np.array([rows[0] for rows in clusters])
    drawn = np.union1d(np.random.default_rng(0).permutation(len(vectors))[:MAX_DRAWN], centres)
    places = np.full((len(vectors), 2), np.nan)
    near = min(30, (len(drawn) - 1) / 3)
    places[drawn] = TSNE(perplexity=near, init="pca", random_state=0).fit_transform(vectors[drawn])

    figure, axes = plt.subplots(figsize=(10, 8), layout="constrained")
    colours = mpl.color_sequences["tab10" if len(clusters) <= 10 else "tab20"]
    for number, (rows, name) in enumerate(zip(clusters, names, strict=True), start=1):
        colour = colours[number - 1]
        label = f"{number}  {shorten(name, 58, placeholder=' …')} ({len(rows)})"
        axes.scatter(
            places[rows, 0], places[rows, 1], s=30, color=colour, edgecolor="white", linewidth=0.5, label=label
        )
        axes.annotate(str(number), places[rows[0]], ha="center", va="center", size=17, weight="bold", color=colour,
                      path_effects=[withStroke(linewidth=4, foreground="white")])  # fmt: skip
    axes.set_title(f"{len(vectors)} lines in {len(clusters)} clusters, each named by its most central line", loc="left")
    axes.set_axis_off()
    figure.legend(loc="outside lower left", ncols=2, frameon=False, fontsize=9)
    try:
        figure.savefig(file, format="png", dpi=110)
    except OSError as error:
        raise click.ClickException(f"can't write {file}: {error.strerror}") from error


if __name__ == "__main__":
    try:
        main()
    except bothends.BothendsError as error:
        sys.exit(f"Error: {error}")
