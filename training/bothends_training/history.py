"""Prints how a student's scores rose while it was trained, as a table in Markdown for each checkpoint.

python -m bothends_training.history CHECKPOINT ...
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean

import click


@click.command()
@click.argument("checkpoints", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(checkpoints: tuple[Path, ...]) -> None:
    """Print a table for each of the CHECKPOINTS, and what its steps cost."""
    for folder in checkpoints:
        try:
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            training = config["training"]
            sources = (training["recipe"]["held_out"] or {}).get("sources", ())
        except (OSError, ValueError, KeyError) as error:
            raise click.ClickException(f"{folder} is no checkpoint that `bothends train` left: {error!r}") from None
        click.echo(f"{config['name']}: {training['step']} steps in {training['seconds'] / 3600:.1f} h\n")
        click.echo(table(training["history"], sources) + "\n")


def table(history: Sequence[Mapping[str, float]], sources: Sequence[str]) -> str:
    """Return the table of a run's evaluations, a row each: all scores in their order, those of the held-out `sources`
    as one mean. Losses and divergences have three decimals, other scores two.
    """
    rows = [_together(entry, sources) for entry in history]
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [names, ["--:"] * len(names), *([_shown(name, row.get(name)) for name in names] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _together(entry: Mapping[str, float], sources: Sequence[str]) -> dict[str, float]:
    """An evaluation with one mean for the sources, where the first of them stood."""
    held_out = [entry[name] for name in sources if name in entry]
    named = {("held out" if name in sources else name): value for name, value in entry.items()}
    return named | ({"held out": mean(held_out)} if held_out else {})


def _shown(name: str, value: float | None) -> str:
    if value is None:
        return ""
    if name == "step":
        return f"{value:,.0f}"
    return f"{value:.3f}" if name == "loss" or name.endswith("relation") else f"{value:.2f}"


if __name__ == "__main__":
    main.main(prog_name="python -m bothends_training.history")
