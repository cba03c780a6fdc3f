"""`bothends train` and `bothends evaluate`: they take a recipe or a bundle, and print tables and bars.

Imports of torch and its like stand inside the functions: `bothends --help` lists these commands without them.
"""

import os
from pathlib import Path
from typing import get_args

import click

from bothends.options import Precision

from .public_sets import SETS


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
@click.option("--prepare", is_flag=True, help="Only have the teachers embed all that the run asks of them.")
@click.option(
    "--teacher",
    "teachers",
    multiple=True,
    help="With --prepare: only the teacher of this name, so that several can embed side by side.",
)
@click.option(
    "--pack",
    "packed",
    type=click.Path(path_type=Path),
    help="Only write the vectors that the cache holds of the recipe's teachers into this file, for another machine.",
)
@click.option("--pack-mb", type=float, default=200.0, show_default=True, help="Most megabytes of that file.")
@click.option(
    "--unpack",
    "carried",
    type=click.Path(path_type=Path),
    help="First put the vectors of such a file into the cache; teachers that aren't here are done without.",
)
@click.option("--export", "bundle", type=click.Path(path_type=Path), help="At last make a bundle: its new folder.")
@click.option("--card", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Its model card, Markdown.")
@click.pass_context
def train(
    ctx: click.Context,
    recipe: Path,
    out: Path | None,
    cache: Path,
    *,
    prepare: bool,
    teachers: tuple[str, ...],
    packed: Path | None,
    pack_mb: float,
    carried: Path | None,
    bundle: Path | None,
    card: Path | None,
) -> None:
    """Train an encoder by RECIPE, a TOML file, and leave a checkpoint that `bothends export` reads, or a bundle too.

    Recipes whose checkpoints it begins with are followed first. A run that was stopped goes on where it was: give the
    same command again.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from bothends_export.cli import export

    from . import recipe as recipes
    from .pack import pack, unpack
    from .stages import train_stages
    from .teacher import open_teacher
    from .train import prepare_run

    plan = recipes.read(recipe)
    if packed:
        opened = [open_teacher(spec, recipe.resolve().parent, cache) for spec in plan.teachers]
        for loss in pack(opened, cache, packed, most_bytes=int(pack_mb * 1e6)):
            click.echo(str(loss))
        click.echo(
            f"{packed.stat().st_size / 1e6:.1f} MB; next, elsewhere: bothends train RECIPE --unpack {packed.name}"
        )
        return
    if carried:
        unpack(carried, cache)
    out = out or Path("checkpoints") / plan.name
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        if prepare:
            sentences = prepare_run(plan, recipe.resolve().parent, cache, progress, only=teachers)
            progress.console.print(f"{sentences} sentences and copies embedded; next: the same without --prepare")
            return
        train_stages(recipe, out, cache, progress)
    if bundle:
        ctx.invoke(export, checkpoint=out, out=bundle, card=card)
    else:
        click.echo(f"checkpoint in {out}; next: bothends export {out} --out BUNDLE")


def _default_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bothends" / "sets"


def _list_sets(ctx: click.Context, _: click.Parameter, is_given: bool) -> None:
    """Tell where each public set comes from, how large it is, and how it is checked."""
    if is_given and not ctx.resilient_parsing:
        for each in SETS.values():
            checked = "SHA-256" if each.sha256 else "number of lines"
            click.echo(f"{each.name:11} {each.size:32} checked by its {checked}")
            for url in each.urls:
                click.echo(f"{'':11} {url}")
        ctx.exit()


def _places(names: tuple[str, ...], folder: Path, *, fetches: bool) -> list[Path]:
    """Return where the sets of these names lie, and fetch those that aren't there where that is wished."""
    from .fetch import fetch, missing

    wanted = SETS.values() if "all" in names else [SETS[name] for name in dict.fromkeys(names)]
    for each in wanted:
        if fetches:
            fetch(each, folder)
        elif not each.place(folder).exists():
            raise missing(each, folder)
    return [each.place(folder) for each in wanted]


@click.command(short_help="Score a bundle on sentence pairs, in search and on triples.")
@click.argument("bundle", type=click.Path(path_type=Path), required=False)
@click.option(
    "--set",
    "sets",
    type=click.Choice([*SETS, "all"]),
    multiple=True,
    help="A public test set; --list-sets tells where each comes from.",
)
@click.option("--fetch", "fetches", is_flag=True, help="Fetch those of them that aren't there.")
@click.option(
    "--sets-folder",
    type=click.Path(path_type=Path),
    default=_default_folder,
    help="Folder in which they lie.  [default: bothends/sets in XDG_CACHE_HOME or ~/.cache]",
)
@click.option(
    "--list-sets", is_flag=True, is_eager=True, expose_value=False, callback=_list_sets, help="Tell, and exit."
)
@click.option(
    "--sts",
    "files",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A file of score⇥sentence⇥sentence.",
)
@click.option(
    "--retrieval",
    "folders",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A folder of documents.tsv, queries.tsv (id⇥text) and relevant.tsv (query⇥document).",
)
@click.option(
    "--hybrid",
    "is_hybrid",
    is_flag=True,
    help="Rank collections by words (BM25) too, alone and together, as bothends search --hybrid does.",
)
@click.option(
    "--triples",
    "triples",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A file of kind⇥sentence⇥same⇥other.",
)
@click.option(
    "--precision",
    "precisions",
    type=click.Choice(get_args(Precision)),
    multiple=True,
    default=["float32"],
    show_default=True,
    help="Of the engine; several are compared.",
)
def evaluate(
    bundle: Path | None,
    sets: tuple[str, ...],
    sets_folder: Path,
    *,
    fetches: bool,
    files: tuple[Path, ...],
    folders: tuple[Path, ...],
    is_hybrid: bool,
    triples: tuple[Path, ...],
    precisions: tuple[Precision, ...],
) -> None:
    """Print Spearman × 100 of BUNDLE's cosines on scored sentence pairs, nDCG@10 × 100 of its ranking of documents, and
    the percentage of sentences that it has nearer to the same in other words than to what says something else.

    Without BUNDLE the packaged model is scored. All go the service's own way.
    A column for each number of dimensions that the bundle offers; where a precision is below float32, also what its
    embeddings' cosines to float32's lack to 1, in the mean and at most.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from bothends.model.bundle import Bundle, default_path
    from bothends.model.versions import newest
    from bothends.settings import chosen

    from .evaluate import evaluate as run
    from .evaluate import read_pairs, try_out
    from .trials import Trial, by_words, read_collection, read_triples

    if not (sets or files or folders or triples):
        raise click.UsageError("nothing to score: give --set, --sts, --retrieval or --triples")
    placed = _places(sets, sets_folder, fetches=fetches)
    files += tuple(place for place in placed if place.suffix == ".tsv")
    folders += tuple(place for place in placed if place.suffix != ".tsv")
    if is_hybrid and not folders:
        raise click.UsageError("--hybrid is for collections: give --retrieval, or a --set that is one")
    opened = Bundle.open(newest(chosen(bundle) or default_path()))
    sizes = (opened.config.dimension, *reversed(opened.config.nested_dimensions))
    lossy = any(precision != "float32" for precision in precisions)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for heading in ("file", "pairs", "precision", *map(str, sizes), *["1−cosine", "at most"] * lossy):
        table.add_column(heading, no_wrap=True)
    for score in run(opened, [read_pairs(file) for file in files], precisions, sizes):
        off = [f"{1 - cosine:.1e}" for cosine in score.to_float32] if lossy else []
        spearmans = (f"{value:.2f}" for value in score.spearman)
        table.add_row(score.pairs.name, str(len(score.pairs.scores)), score.precision, *spearmans, *off)
    collections = [read_collection(folder) for folder in folders]
    trials: list[Trial] = [*collections]
    trials += [trial for collection in collections if is_hybrid for trial in by_words(collection)]
    trials += [kind for file in triples for kind in read_triples(file)]
    for trial, precision, values in try_out(opened, trials, precisions, sizes):
        shown = (f"{value:.2f}" for value in values)
        table.add_row(trial.name, str(trial.count), precision, *shown, *["", ""] * lossy)
    click.echo(f"{opened.config.name} {opened.config.version}: Spearman × 100, nDCG@10 × 100 or % right, by dimensions")
    Console().print(table)
