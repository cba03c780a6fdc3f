"""Keeps what a release offers, for later ones to be held to: `make api`, as a release is made."""

import json

import click

import bothends

from .interface import listing, lost
from .released import HERE, NAMES, buf, names


@click.command()
def keep() -> None:
    """Write the names and the contract of this version beside those of earlier ones; look at the difference."""
    now = listing()
    for line in lost(names(), now) if NAMES.exists() else []:
        click.echo(f"no longer there, or asked for now: {line}")
    NAMES.write_text(json.dumps(now, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    contract = HERE / f"{bothends.__version__}.binpb"
    built = buf("build", "--exclude-source-info", "--output", contract)
    if built.returncode:
        raise click.ClickException(built.stdout + built.stderr)
    click.echo(f"written: {NAMES.name} and {contract.name} in {HERE}")


if __name__ == "__main__":
    keep()
