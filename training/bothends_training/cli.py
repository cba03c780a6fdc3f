"""Commands of this package: `bothends train` follows a recipe and shows bars; `bothends evaluate` is in another module.

Heavy imports such as torch are inside the functions, so that `bothends --help` can list these commands without them.
"""

from pathlib import Path

import click

from .evaluate_cli import evaluate

__all__ = ["evaluate", "train"]


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
        for loss in pack(opened, cache, packed, max_bytes=int(pack_mb * 1e6)):
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
