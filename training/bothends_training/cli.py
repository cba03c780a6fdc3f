"""`bothends train` and `bothends evaluate`: arguments in, tables and bars out.

Imports of torch and its like stand inside the functions: `bothends --help` lists these commands without them.
"""

from pathlib import Path

import click


@click.command(short_help="Train an encoder by a recipe.")
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the checkpoint.  [default: checkpoints/NAME]")
@click.option(
    "--cache",
    type=click.Path(path_type=Path),
    default=Path("checkpoints/teachers"),
    show_default=True,
    help="Folder of the teachers' vectors, kept from run to run.",
)
def train(recipe: Path, out: Path | None, cache: Path) -> None:
    """Train an encoder by RECIPE, a TOML file, and leave a checkpoint that `bothends export` reads.

    A run that was stopped goes on where it was: give the same command again.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from . import recipe as recipes
    from .train import train as run

    plan = recipes.read(recipe)
    out = out or Path("checkpoints") / plan.name
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        run(plan, recipe.resolve().parent, out, cache, progress)
    click.echo(f"checkpoint in {out}; next: bothends export {out} --out BUNDLE")


@click.command(short_help="Score a bundle on sentence pairs.")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--sts",
    "files",
    type=click.Path(path_type=Path),
    multiple=True,
    required=True,
    help="A file of score⇥sentence⇥sentence.",
)
def evaluate(bundle: Path, files: tuple[Path, ...]) -> None:
    """Print Spearman × 100 of BUNDLE's cosines on scored sentence pairs, through the service's own path.

    A column for each number of dimensions that the bundle offers.
    """
    from rich.console import Console
    from rich.table import Table

    from bothends.bundle import Bundle
    from bothends.embedder import Embedder
    from bothends.embeddings import nested
    from bothends.settings import Settings

    from .evaluate import read_pairs, spearman

    opened = Bundle.open(bundle)
    sizes = (opened.config.dimension, *reversed(opened.config.nested_dimensions))
    table = Table("file", "pairs", *map(str, sizes))
    pairs_of = [read_pairs(file) for file in files]
    settings = Settings(max_sentences=max(len(pairs.scores) for pairs in pairs_of))
    with Embedder.load(opened, settings=settings) as embedder:
        for pairs in pairs_of:
            rows = [embedder.embed(sentences).rows for sentences in (pairs.first, pairs.second)]
            scores = [spearman(pairs.scores, *(nested(side, size) for side in rows)) for size in sizes]
            table.add_row(pairs.name, str(len(pairs.scores)), *(f"{score:.2f}" for score in scores))
    click.echo(f"{opened.config.name} {opened.config.version}, Spearman × 100 by dimensions")
    Console().print(table)
