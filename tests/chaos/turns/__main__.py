"""Runs attacks from the command line: `python -m tests.chaos.turns 'unread-*' --seconds 5`."""

import tempfile
from fnmatch import fnmatch
from pathlib import Path

import click
import pytest

from .attacks import ATTACKS


@click.command()
@click.argument("names", nargs=-1)
@click.option("--seconds", default=5.0, show_default=True, help="Time that is measured alone, and beside.")
def main(names: tuple[str, ...], seconds: float) -> None:
    """Run the attacks whose names match one of NAMES (unread-*), each on a server of its own; a line for each.

    Without NAMES they are listed.
    """
    for name, attack in ATTACKS.items():
        if not names:
            click.echo(name)
        elif any(fnmatch(name, pattern) for pattern in names):
            with tempfile.TemporaryDirectory() as folder:
                try:
                    click.echo(attack.run(name, seconds=seconds, folder=Path(folder)).line())
                except pytest.skip.Exception as missing:
                    click.echo(f"{name}: skipped, {missing}")


main()
