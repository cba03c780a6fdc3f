"""Commands of this package: `bothends train` follows a recipe and shows bars; `bothends evaluate` is in another module.

Heavy imports such as torch are inside the functions, so that `bothends --help` can list these commands without them.
"""

from pathlib import Path

import click

from bothends.cli.paths import check_file
from bothends.text import shell_word

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
    bundle: Path | None,
    card: Path | None,
) -> None:
    """Train an encoder by RECIPE, a TOML file, and leave a checkpoint that `bothends export` reads, or a bundle too.

    Recipes whose checkpoints it begins with are followed first. A run that was stopped goes on where it was: give the
    same command again.
    """
    check_file(recipe)

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from bothends_export.cli import export

    from . import recipe as recipes
    from .stages import train_stages
    from .train import prepare_run

    plan = recipes.read(recipe)
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
        click.echo(f"checkpoint in {out}; next: bothends export {shell_word(out)} --out BUNDLE")
